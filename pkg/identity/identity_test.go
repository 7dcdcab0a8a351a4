package identity

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
)

func TestEveryNameThatKubernetesTakesIsTaken(t *testing.T) {
	for _, name := range []string{
		"jane", "jane@example.com", "Jane_Doe", "jane doe", "o'neil", "Zoë", "佐藤花子", "Иван", "DOMAIN\\jane", "a/b", "..",
		"https://issuer.example.com#jane", strings.Repeat("x", 200),
	} {
		if _, err := Parse(name, []string{"dev", "team:blue", "the ops team"}); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func TestProblemsOfNames(t *testing.T) {
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
		{"bytes that are no text", User{"jane\xff", nil}, []string{ControlCharacters}},
		{"a right-to-left override", User{"jane\u202eenaj", nil}, []string{ConfusableName}},
		{"a zero-width space", User{"ja\u200bne", nil}, []string{ConfusableName}},
		{"a Hangul filler", User{"jane\u3164", nil}, []string{ConfusableName}},
		{"a no-break space", User{"jane\u00a0doe", nil}, []string{ConfusableName}},
		{"a Cyrillic а in a Latin name", User{"j\u0430ne", nil}, []string{ConfusableName}},
		{"Japanese with Latin letters", User{"佐藤 Hanako はな", nil}, nil},
		{"a run of spaces", User{"jane", []string{"dev   fingerprint"}}, []string{ConfusableName}},
		{"white space around", User{" jane", []string{"dev "}}, []string{SurroundingWhitespace, SurroundingWhitespace}},
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

func TestParseTellsUsageFromRefusal(t *testing.T) {
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

func TestAGroupNamedTwiceCountsOnce(t *testing.T) {
	user, err := Parse("jane", []string{"dev", "ops", "dev"})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(User{"jane", []string{"dev", "ops"}}, user); diff != "" {
		t.Error(diff)
	}
}

func TestEqualIgnoresTheOrderOfGroups(t *testing.T) {
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

func TestPrintable(t *testing.T) {
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

func TestFileNames(t *testing.T) {
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

func TestSlugs(t *testing.T) {
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

func TestDigestTellsWherePartsEnd(t *testing.T) {
	if Digest(10, []byte("ab"), []byte("c")) == Digest(10, []byte("a"), []byte("bc")) {
		t.Error("moving a border between parts changes nothing")
	}
	if got := Digest(10); len(got) != 10 {
		t.Errorf("Digest(10) has %d characters", len(got))
	}
}

func TestAWordForAShellIsThatWord(t *testing.T) {
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
