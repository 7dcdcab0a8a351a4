package identity

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/text/unicode/norm"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
)

func TestIdentity_EveryNameThatKubernetesTakesIsTaken(t *testing.T) {
	for _, name := range []string{
		"jane", "jane@example.com", "Jane_Doe", "jane doe", "o'neil", "Zoë", "佐藤花子", "Иван", "DOMAIN\\jane", "a/b", "..",
		"https://issuer.example.com#jane", strings.Repeat("x", 200),
	} {
		if _, err := Parse(name, []string{"dev", "team:blue", "the ops team"}); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func TestIdentity_ProblemsOfNames(t *testing.T) {
	for _, test := range []struct {
		about string
		user  User
		want  []string
	}{
		{"an ordinary user", User{"jane", []string{"dev"}}, nil},
		{"no name", User{}, []string{EmptyCommonName}},
		{"a name of Kubernetes' own", User{"system:admin", nil}, []string{SystemUser}},
		{"the same in capitals", User{"System:Admin", nil}, []string{SystemUser}},
		{"a group of Kubernetes' own", User{"jane", []string{"system:masters"}}, []string{SystemGroup}},
		{"in second place", User{"jane", []string{"dev", "SYSTEM:masters"}}, []string{SystemGroup}},
		{"kubeadm's administrators", User{"jane", []string{"kubeadm:cluster-admins"}}, []string{AdminGroup}},
		{"an empty group", User{"jane", []string{""}}, []string{EmptyGroup}},
		{"a newline", User{"ja\nne", nil}, []string{ControlCharacters}},
		{"an escape sequence in a group", User{"jane", []string{"\x1b[31mdev"}}, []string{ControlCharacters}},
		{"bytes that are not text", User{"jane\xff", nil}, []string{ControlCharacters}},
		{"a right-to-left override", User{"jane\u202eenaj", nil}, []string{ConfusableName}},
		{"a zero-width space", User{"ja\u200bne", nil}, []string{ConfusableName}},
		{"a Hangul filler", User{"jane\u3164", nil}, []string{ConfusableName}},
		{"a no-break space", User{"jane\u00a0doe", nil}, []string{ConfusableName}},
		{"a Cyrillic а in a Latin name", User{"j\u0430ne", nil}, []string{ConfusableName}},
		{"Japanese with Latin letters", User{"佐藤 Hanako はな", nil}, nil},
		{"a run of spaces", User{"jane", []string{"dev   fingerprint"}}, []string{ConfusableName}},
		{"white space around", User{" jane", []string{"dev "}}, []string{SurroundingWhitespace, SurroundingWhitespace}},
		{"a user like an option", User{"--kubeconfig=/tmp/evil", nil}, []string{OptionLikeName}},
		{"a group like an option", User{"jane", []string{"-A"}}, []string{OptionLikeName}},
		{"a long name", User{strings.Repeat("x", 65), nil}, []string{LongName}},
		{"a comma in a group", User{"jane", []string{"dev,ops"}}, []string{CommaInGroup}},
		{"a group twice", User{"jane", []string{"dev", "dev"}}, []string{DuplicateGroups}},
	} {
		t.Run(test.about, func(t *testing.T) {
			var got []string
			for _, problem := range Examine(test.user) {
				got = append(got, problem.Finding)
				if problem.Sentence != Printable(problem.Sentence) && !strings.Contains(problem.Sentence, `\`) {
					t.Errorf("the sentence is not safe to print: %q", problem.Sentence)
				}
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}

func TestIdentity_ParseTellsUsageFromRefusal(t *testing.T) {
	for _, test := range []struct {
		name   string
		groups []string
		want   error
	}{
		{"", nil, outcome.ErrUsage},
		{"jane\xff", nil, outcome.ErrUsage},
		{"system:admin", nil, outcome.ErrRefused},
		{"jane", []string{"system:masters"}, outcome.ErrRefused},
		{"ja\x00ne", nil, outcome.ErrRefused},
		{"jane", []string{""}, outcome.ErrRefused},
	} {
		if _, err := Parse(test.name, test.groups); !errors.Is(err, test.want) {
			t.Errorf("Parse(%q, %q) = %v, want %v", test.name, test.groups, err, test.want)
		}
	}
}

func TestIdentity_AGroupNamedTwiceCountsOnce(t *testing.T) {
	user, err := Parse("jane", []string{"dev", "ops", "dev"})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(User{"jane", []string{"dev", "ops"}}, user); diff != "" {
		t.Error(diff)
	}
}

func TestIdentity_EqualIgnoresTheOrderOfGroups(t *testing.T) {
	a := User{"jane", []string{"dev", "ops"}}
	for _, test := range []struct {
		b    User
		want bool
	}{
		{User{"jane", []string{"ops", "dev"}}, true},
		{User{"jane", []string{"dev", "ops", "dev"}}, true},
		{User{"jane", []string{"dev"}}, false},
		{User{"jane", []string{"dev", "ops", "qa"}}, false},
		{User{"Jane", []string{"dev", "ops"}}, false},
	} {
		if got := a.Equal(test.b); got != test.want {
			t.Errorf("%v equals %v: %v, want %v", a, test.b, got, test.want)
		}
	}
}

func TestIdentity_Printable(t *testing.T) {
	for _, test := range []struct{ text, want string }{
		{"jane", "jane"},
		{"Zoë 佐藤", "Zoë 佐藤"},
		{"a\x1b[2Jb", `a\x1b[2Jb`},
		{"a\nb\tc\rd", `a\nb\tc\rd`},
		{"a\u202eb", `a\u202eb`},
		{"a\u200b\ufeffb", `a\u200b\ufeffb`},
		{"a\u0085b\x7f", `a\u0085b\x7f`},
		{"\xff\xc0", `\xff\xc0`},
		{`a\nb`, `a\\nb`},
		{"\U000e0041", `\U000e0041`},
		{"", ""},
	} {
		if got := Printable(test.text); got != test.want {
			t.Errorf("Printable(%q) = %q, want %q", test.text, got, test.want)
		}
	}
	if got := PrintableSentence("a \\\"quoted\\\" name\x1b"); got != `a \"quoted\" name\x1b` {
		t.Errorf("a sentence's own escapes were changed: %s", got)
	}
}

// Characters of which a terminal shows nothing, or of which nobody knows what it shows.
func hiddenCharacters() []rune {
	hidden := []rune{
		0x00ad, 0x034f, 0x061c, 0x115f, 0x1160, 0x17b4, 0x17b5, 0x2800, 0x3164, 0xfeff, 0xffa0, 0xfffc, 0xfffd, 0x13441, 0x16fe4, 0x1d159,
		0x0378, 0x2065, 0x0e80, 0x1fffe, 0xfdd0, 0xfffe, 0x10ffff, // Unassigned, and noncharacters.
		0xe000, 0xf8ff, 0xf0000, 0x10fffd, // Private use.
		0x20dd, 0x0488, 0x1abe, // Enclosing marks.
		0x0332, 0x0336, 0x035f, 0x20d2, 0x1dc0, 0xfe20, 0x1cd0, 0x0305, // Marks that lie on or between letters.
		0x093f, 0x0e31, 0x05b0, 0x064b, // Marks of other scripts.
		0x00a0, 0x1680, 0x202f, 0x205f, 0x3000, 0x2028, 0x2029, 0x0085,
	}
	for _, block := range [][2]rune{
		{0x180b, 0x180f}, {0x200b, 0x200f}, {0x202a, 0x202e}, {0x2060, 0x206f}, {0xfe00, 0xfe0f}, {0xfff9, 0xfffb},
		{0x1bca0, 0x1bca3}, {0x1d173, 0x1d17a}, {0xe0001, 0xe0001}, {0xe0020, 0xe007f}, {0xe0100, 0xe01ef},
	} {
		for r := block[0]; r <= block[1]; r++ {
			hidden = append(hidden, r)
		}
	}
	return hidden
}

func TestIdentity_HiddenCharactersAreEscapedAndFound(t *testing.T) {
	for _, r := range hiddenCharacters() {
		name := "ja" + string(r) + "ne"
		escaped := fmt.Sprintf(`ja\u%04xne`, r)
		if r > 0xffff {
			escaped = fmt.Sprintf(`ja\U%08xne`, r)
		}
		if got := Printable(name); got != escaped {
			t.Errorf("Printable(%+q) = %q, want %q", name, got, escaped)
		}
		for _, user := range []User{{Name: name}, {Name: "jane", Groups: []string{name}}} {
			if problems := Examine(user); len(problems) == 0 || problems[0].Severity != Refused {
				t.Errorf("%U in %q raises no refused finding: %v", r, user, problems)
			}
		}
	}
}

func TestIdentity_MarksThatDoNotBelongToALetterAreEscapedAndFound(t *testing.T) {
	for about, name := range map[string]string{
		"a mark at the beginning":        "\u0301jane",
		"a mark on a digit":              "jane1\u0301",
		"a mark on a space":              "jane \u0301",
		"a mark on a dash":               "jane-\u0301",
		"a mark twice":                   "jane\u0323\u0323",
		"three accents":                  "b\u0300\u0302\u0304ob",
		"a pile of accents":              "j" + strings.Repeat("\u0300\u0302\u0306", 20),
		"five Thai marks":                "ก\u0e31\u0e48\u0e49\u0e4a\u0e4b",
		"a Hebrew point on a Latin one":  "b\u05b0ob",
		"an Arabic vowel on a Latin one": "b\u064bob",
		"an accent on a Hebrew letter":   "א\u0300",
	} {
		if !strings.Contains(Printable(name), `\u0`) {
			t.Errorf("%s: %q is printed as it is", about, name)
		}
		if problems := Examine(User{Name: name}); len(problems) == 0 || problems[0].Finding != ConfusableName {
			t.Errorf("%s: %+q has the findings %v", about, name, problems)
		}
	}
}

func TestIdentity_NamesOfAllLanguagesAreReadable(t *testing.T) {
	for language, name := range map[string]string{
		"French": "Zoë", "French, decomposed": "Zoe\u0308", "Spanish": "José", "Czech": "Jiří Dvořák", "Turkish": "Işıl Yıldız",
		"Vietnamese": "Nguyễn Thị Ánh", "Vietnamese, decomposed": norm.NFD.String("Nguyễn Thị Ánh"), "Yoruba": "Adéba\u0301yọ\u0300",
		"Lithuanian": "Ją\u0301", "Taiwanese": "Tân Sî-tia\u030dt", "Greek": "Ἀθηνᾶ", "Greek, decomposed": norm.NFD.String("ᾧ"), "Russian": "Иван Щербаков",
		"Russian, decomposed": norm.NFD.String("Андрей"), "Japanese": "佐藤花子", "Japanese, decomposed": norm.NFD.String("ガブリエル"), "Chinese": "王小明",
		"Korean": "김민준", "Korean, decomposed": norm.NFD.String("김민준"), "Hindi": "श्रीकृष्ण", "Hindi, three marks": "ड़ीं", "Bengali": "রবীন্দ্রনাথ", "Tamil": "தமிழ்ச்செல்வி",
		"Telugu": "శ్రీనివాస్", "Kannada": "ಕೃಷ್ಣ", "Malayalam": "കൃഷ്ണൻ", "Thai": "สมชาย", "Thai, two marks": "ที่รัก", "Khmer": "ស្រីមុំ", "Burmese": "မြွှေ", "Tibetan": "བསྒྲུབས", "Sinhala": "කුමාර",
		"Arabic": "محمد", "Arabic, with vowels": "مُحَمَّد", "Persian": "پروین", "Hebrew": "שרה", "Hebrew, with points": "שָׂרָה", "Amharic": "አበበ", "Georgian": "ნინო", "Armenian": "Արամ",
		"an emoji": "jane 😀", "symbols": "jane+ops@example.com §5 №1 €",
	} {
		if got := Printable(name); got != name {
			t.Errorf("%s: %q is printed as %q", language, name, got)
		}
		if problems := Examine(User{Name: name}); language != "symbols" && len(problems) > 0 {
			t.Errorf("%s: %q has findings: %v", language, name, problems)
		}
	}
}

func TestIdentity_WhatIsAroundANameIsSeen(t *testing.T) {
	for _, test := range []struct{ function, got, want string }{
		{"Printable", Printable("a   b"), `a \x20\x20b`},
		{"Printable", Printable("\ufffd"), `\ufffd`},
		{"Name", Name(""), `""`},
		{"Name", Name("jane (dev)"), `"jane (dev)"`},
		{"Name", Name("a,b"), `"a,b"`},
		{"Name", Name("a b"), `"a b"`},
		{"Name", Name("jane"), "jane"},
		{"Quote", Quote(`a"b`), `"a\"b"`},
	} {
		if test.got != test.want {
			t.Errorf("%s is %s, want %s", test.function, test.got, test.want)
		}
	}
}

func TestIdentity_FileNames(t *testing.T) {
	for _, plain := range []string{"jane", "jane@example.com", "jane-doe", "jane.doe", "j_d+x", "1"} {
		if got := FileName(plain); got != plain {
			t.Errorf("FileName(%q) = %q, want the name itself", plain, got)
		}
	}
	hostile := []string{
		"", ".", "..", "../jane", "/etc/passwd", "a/b", `a\b`, "jane\x00", "-rf", "~jane", "Jane", "JANE", "jane ", " jane", "Zoë", "佐藤",
		"con", "com1", "nul.txt", "jane.", ".hidden", strings.Repeat("x", 300), "jane\n",
	}
	seen := map[string]string{}
	for _, name := range hostile {
		got := FileName(name)
		if got == name || strings.ContainsAny(got, "/\\\x00\n ") || strings.HasPrefix(got, ".") || strings.HasPrefix(got, "-") || len(got) > 100 || !strings.Contains(got, "~") {
			t.Errorf("FileName(%q) = %q", name, got)
		}
		if other, taken := seen[strings.ToLower(got)]; taken {
			t.Errorf("%q and %q share the file name %q", name, other, got)
		}
		seen[strings.ToLower(got)] = name
	}
}

func TestIdentity_Slugs(t *testing.T) {
	for _, test := range []struct{ name, want string }{
		{"jane", "jane"},
		{"Jane Doe", "jane-doe"},
		{"jane@example.com", "jane-example-com"},
		{"--jane--", "jane"},
		{"佐藤", "user"},
		{"", "user"},
		{strings.Repeat("ab-", 40), strings.Repeat("ab-", 16) + "ab"},
	} {
		if got := Slug(test.name); got != test.want {
			t.Errorf("Slug(%q) = %q, want %q", test.name, got, test.want)
		}
	}
}

func TestIdentity_DigestTellsWherePartsEnd(t *testing.T) {
	if Digest(10, []byte("ab"), []byte("c")) == Digest(10, []byte("a"), []byte("bc")) {
		t.Error("moving a border between parts changes nothing")
	}
	if got := Digest(10); len(got) != 10 {
		t.Errorf("Digest(10) has %d characters", len(got))
	}
}

func TestIdentity_AWordForAShellIsThatWord(t *testing.T) {
	for text, want := range map[string]string{
		"jane": "jane", "jane@example.com": "jane@example.com", "Zoë": "Zoë", "": "''",
		"jane doe": "'jane doe'", "x;reboot": "'x;reboot'", "$(reboot)": "'$(reboot)'", "`reboot`": "'`reboot`'",
		"it's": `'it'\''s'`, `EXAMPLE\jane`: `'EXAMPLE\jane'`, "~root": "'~root'", "a*": "'a*'", "a&b|c>d#e!f": "'a&b|c>d#e!f'",
		"a\nreboot": `'a\nreboot'`, "\x1b[2J": `'\x1b[2J'`,
	} {
		if got := ShellWord(text); got != want {
			t.Errorf("%q is %s, want %s", text, got, want)
		}
	}
}
