package identity

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

var (
	safeFileName = regexp.MustCompile(`^[a-z0-9][a-z0-9._@+~-]{0,99}$`)
	safeSlug     = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,48}[a-z0-9])?$`)
)

func FuzzFileName(f *testing.F) {
	for _, name := range []string{"jane", "..", "/", "a/b", "\x00", "Jane", "佐藤", "con.txt", "\xff"} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		file := FileName(name)
		if !safeFileName.MatchString(file) || filepath.Base(file) != file {
			t.Errorf("FileName(%q) = %q", name, file)
		}
		if file == name && strings.ToLower(name) != name {
			t.Errorf("%q would share its file with its lower-case form", name)
		}
		if slug := Slug(name); !safeSlug.MatchString(slug) {
			t.Errorf("Slug(%q) = %q", name, slug)
		}
	})
}

func FuzzPrintable(f *testing.F) {
	for _, text := range []string{"jane", "\x1b[2J", "a\u202eb", "\xff", `\n`, "\u3164", "e\u034f\u0301", "\U000e0041\u0301", "\u0301", "Zoe\u0308"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, printed := range []string{Printable(text), PrintableSentence(text)} {
			if !utf8.ValidString(printed) || strings.ContainsFunc(printed, func(r rune) bool {
				return unicode.IsControl(r) || unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp, unicode.Co, unicode.Cs)
			}) {
				t.Errorf("%q was printed as %q", text, printed)
			}
			if HasHidden(printed, func(rune) bool { return false }) {
				t.Errorf("%q was printed as %q, of which a terminal does not show everything", text, printed)
			}
		}
		_ = Examine(User{Name: text, Groups: []string{text, text}})
	})
}
