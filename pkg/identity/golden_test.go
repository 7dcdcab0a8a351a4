package identity

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode"
)

// Another version of the program finds files, requests and bindings by these names.
func TestGolden_DerivedNamesNeverChange(t *testing.T) {
	for _, test := range []struct{ name, fileName, slug string }{
		{"jane", "jane", "jane"},
		{"Jane", "jane~dl2lt7omwf", "jane"},
		{"jane doe", "jane-doe~333356o2jl", "jane-doe"},
		{"jane@example.com", "jane@example.com", "jane-example-com"},
		{"Zoë", "zo~vxovcx2elq", "zo"},
		{"佐藤花子", "user~7cuhc7plpj", "user"},
		{"az09", "az09", "az09"},
		{"a  -  b", "a-b~wpdvywsum6", "a-b"},
		{"com0", "com0~a5jwfqqbzk", "com0"},
		{"com9.txt", "com9-txt~fek5gtfgxl", "com9-txt"},
		{"lpt1", "lpt1~5pz2cmpc6m", "lpt1"},
		{"com", "com", "com"},
		{"com:", "com~v5oh4e4lod", "com"},
		{"comx", "comx", "comx"},
		{"com10", "com10", "com10"},
		{"abcd1", "abcd1", "abcd1"},
		{"abc1", "abc1", "abc1"},
		{"con", "con~6rpt6hi42i", "con"},
		{"prn.x", "prn-x~ammdelb4xb", "prn-x"},
		{"aux", "aux~7nbdiqz2gr", "aux"},
		{"nul", "nul~qyg454s4e5", "nul"},
		{"jane.", "jane~3zrnexibit", "jane"},
		{strings.Repeat("x", 49) + "-y", strings.Repeat("x", 49) + "-y", strings.Repeat("x", 49)},
		{strings.Repeat("x", 50) + "y", strings.Repeat("x", 50) + "y", strings.Repeat("x", 50)},
		{strings.Repeat("x", 100), strings.Repeat("x", 100), strings.Repeat("x", 50)},
		{strings.Repeat("x", 101), strings.Repeat("x", 50) + "~uhrgekjvja", strings.Repeat("x", 50)},
		{"", "user~lx3obytwcn", "user"},
	} {
		if got := FileName(test.name); got != test.fileName {
			t.Errorf("FileName(%q) = %q, want %q", test.name, got, test.fileName)
		}
		if got := Slug(test.name); got != test.slug {
			t.Errorf("Slug(%q) = %q, want %q", test.name, got, test.slug)
		}
	}
	for characters, want := range map[int]string{
		8:  "trkwwfht",
		10: "trkwwfhtro",
		32: "trkwwfhtrojyy6oq66thr67jum7ybdwy",
		51: "trkwwfhtrojyy6oq66thr67jum7ybdwyz432jck2unvtg2iqj5x",
	} {
		if got := Digest(characters, []byte("jane"), []byte("dev")); got != want {
			t.Errorf("Digest(%d) = %q, want %q", characters, got, want)
		}
	}
}

func TestGolden_UsersAreShownWithTheirGroups(t *testing.T) {
	for _, test := range []struct {
		user User
		want string
	}{
		{User{Name: "jane"}, "jane"},
		{User{"jane", []string{"dev"}}, "jane (dev)"},
		{User{"jane doe", []string{"dev", "the ops, team"}}, `"jane doe" (dev, "the ops, team")`},
	} {
		if got := test.user.String(); got != test.want {
			t.Errorf("%#v is shown as %s, want %s", test.user, got, test.want)
		}
	}
}

func TestGolden_EscapesHaveTheFormOfTheirSize(t *testing.T) {
	for text, want := range map[string]string{
		"a\x7fb": `a\x7fb`, "a\u0080b": `a\u0080b`, "a\uffffb": `a\uffffb`, "a\U00010000\U0001fffe": "a\U00010000" + `\U0001fffe`,
		"~ ~": "~ ~", "  a": ` \x20a`, "a  ": `a \x20`, "a\x1f": `a\x1f`,
	} {
		if got := Printable(text); got != want {
			t.Errorf("%q is printed as %s, want %s", text, got, want)
		}
	}
}

// Accents that the languages of a script write are taken on its letters, and no others.
func TestGolden_WhichSharedMarksALetterTakes(t *testing.T) {
	const accents = "0300-0304 0306-030d 030f-030f 0311-0311 0313-0314 031b-031b 0323-0328 032d-032e 0330-0331 0342-0342 0345-0345 0358-0358"
	for _, test := range []struct {
		about  string
		letter rune
		want   string
	}{
		{"Latin", 'q', accents},
		{"Greek", 'ξ', accents},
		{"Cyrillic", 'ж', accents},
		{"Arabic", 'ص', "064b-0655 0670-0670"},
		{"Devanagari", 'ठ', "0951-0952"},
		{"Hebrew", 'א', ""},
	} {
		var ranges []string
		first := rune(0)
		for mark := rune(0x0300); mark <= 0x0ff0; mark++ {
			isTaken := unicode.In(mark, unicode.Inherited) && !HasHidden(string([]rune{test.letter, mark}), func(rune) bool { return false })
			switch {
			case isTaken && first == 0:
				first = mark
			case !isTaken && first != 0:
				ranges, first = append(ranges, fmt.Sprintf("%04x-%04x", first, mark-1)), 0
			}
		}
		if got := strings.Join(ranges, " "); got != test.want {
			t.Errorf("a %s letter takes %s, want %s", test.about, got, test.want)
		}
	}
}

func TestGolden_NoMoreMarksStandOnALetterThanLanguagesWrite(t *testing.T) {
	for _, test := range []struct {
		about, name string
		isShown     bool
	}{
		{"two accents", "q\u0300\u0323", true},
		{"three accents", "q\u0300\u0323\u0302", false},
		{"two accents, one of them composed", "a\u0300\u0330", true},
		{"four Thai marks", "ก\u0e31\u0e48\u0e49\u0e4a", true},
		{"five Thai marks", "ก\u0e31\u0e48\u0e49\u0e4a\u0e4b", false},
		{"a mark twice", "q\u0300\u0300", false},
		{"a mark on the next letter as well", "q\u0300q\u0300", true},
		{"marks on the next letter after a full one", "q\u0300\u0323q\u0300\u0323", true},
		{"a mark behind an invisible character", "q\u200b\u0300", false},
	} {
		if isShown := !strings.HasSuffix(Printable(test.name), lastEscaped(test.name)); isShown != test.isShown {
			t.Errorf("%s: the last one is shown: %v", test.about, isShown)
		}
	}
}

// lastEscaped is the last character of a text as an escape.
func lastEscaped(text string) string {
	runes := []rune(text)
	return fmt.Sprintf(`\u%04x`, runes[len(runes)-1])
}

func TestGolden_BlanksAreBlankAndTheirNeighborsAreNot(t *testing.T) {
	blanks := []rune{0x034f, 0x115f, 0x1160, 0x17b4, 0x17b5, 0x180f, 0x2800, 0x3164, 0xffa0, 0x13441, 0x13442, 0x16fe4, 0x1d159, 0xfffc, 0xfffd, 0xfe00, 0xfe0f}
	for _, r := range blanks {
		if !isBlank(r) {
			t.Errorf("%U is drawn as nothing", r)
		}
		for _, next := range []rune{r - 1, r + 1} {
			if isBlank(next) && !slices.Contains(blanks, next) && !unicode.In(next, unicode.Variation_Selector, unicode.Other_Default_Ignorable_Code_Point) {
				t.Errorf("%U is not drawn as nothing", next)
			}
		}
	}
}

func TestGolden_HiddenCharactersAreReplacedButThoseToKeep(t *testing.T) {
	keep := func(r rune) bool { return r == '\n' }
	if got := EscapeHidden("a\nb\x1bc\u202e", keep, func(r rune) string { return fmt.Sprintf("<%x>", r) }); got != "a\nb<1b>c<202e>" {
		t.Errorf("it is %q", got)
	}
	for text, want := range map[string]bool{"a\nb": false, "a\x1b": true, "": false} {
		if HasHidden(text, keep) != want {
			t.Errorf("%q: %v", text, !want)
		}
	}
}

func TestGolden_SentencesNameWhatIsWrong(t *testing.T) {
	for _, test := range []struct {
		name string
		want string // A part of the first sentence.
	}{
		{strings.Repeat("x", 65), "65 characters; RFC 5280 allows a common name 64,"},
		{"j\u0430ne", "mixes Latin and Cyrillic letters, which look alike: U+0430"},
		{"jane\u200b", "U+200B"},
		{"\uff4aane", `"jane": U+FF4A`},
		{"jtamil\u0bb4", "mixes Latin and other letters"},
	} {
		problems := Examine(User{Name: test.name})
		if len(problems) != 1 || !strings.Contains(problems[0].Sentence, test.want) {
			t.Errorf("%+q: %v, want %q", test.name, problems, test.want)
		}
	}
	if problems := Examine(User{Name: strings.Repeat("x", 64)}); len(problems) != 0 {
		t.Errorf("64 characters: %v", problems)
	}
}

func TestGolden_FormsOfLettersThatLookLikeOthersAreRefused(t *testing.T) {
	for _, name := range []string{"\uff4aane", "\ufb01ona", "jane\u00b2"} {
		if problems := Examine(User{Name: name}); len(problems) != 1 || problems[0].Finding != ConfusableName || problems[0].Severity != Refused {
			t.Errorf("%+q: %v", name, problems)
		}
	}
	for _, name := range []string{"Zoe\u0308", "サーバー"} {
		if problems := Examine(User{Name: name}); len(problems) != 0 {
			t.Errorf("%+q: %v", name, problems)
		}
	}
}

// What nobody can allow is told first, and the rest in the order of the groups.
func TestGolden_MastersComeFirst(t *testing.T) {
	var got []string
	for _, problem := range Examine(User{"jane", []string{"system:b", "system:a", "SYSTEM:masters ", "system:masters", "system:c"}}) {
		if problem.Finding == SystemGroup {
			got = append(got, strings.Split(problem.Sentence, `"`)[1])
		}
	}
	want := []string{"SYSTEM:masters ", "system:masters", "system:b", "system:a", "system:c"}
	if !slices.Equal(got, want) {
		t.Errorf("the order is %q, want %q", got, want)
	}
	for _, other := range []string{"system:master", "masters", "xsystem:masters"} {
		if IsMasters(other) {
			t.Errorf("%q counts as system:masters", other)
		}
	}
}

func TestGolden_NoLetterOrDigitIsQuotedForAShell(t *testing.T) {
	for r := rune(0x20); r < 0x82; r++ {
		isPlain := strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-/@:+,=%", r)
		if r > 0x7f {
			isPlain = true
		}
		if isShellSpecial(r) == isPlain {
			t.Errorf("%U is special: %v", r, !isPlain)
		}
	}
}
