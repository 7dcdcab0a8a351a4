package identity

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Printable writes any text so that a terminal shows all of it and obeys none of it.
// What is written as it is, is an allow-list: the space, and the letters, digits,
// punctuation and symbols that are assigned and visible, with the combining marks that
// belong to their letter (see sight). Everything else is written as an escape (\x1b,
// \n, \u202e), and so are bytes that are not UTF-8. A backslash is doubled, so that an
// escape cannot be forged. Of several spaces in a row, the second and further are
// escaped, so that nothing can be pushed to where a reader expects another column or row.
//
// kubectl's own escaper (k8s.io/kubectl pkg/util/term) covers ESC and CR only;
// object names accept every byte (CVE-2021-25743).
func Printable(text string) string { return escape(text, true) }

// PrintableSentence is Printable for a text of several parts, whose names are
// quoted or escaped already: it leaves backslashes alone.
func PrintableSentence(text string) string { return escape(text, false) }

// Quote is Printable in double quotes, for a name within a sentence.
func Quote(name string) string { return `"` + strings.ReplaceAll(Printable(name), `"`, `\"`) + `"` }

// Name is Printable for a name among others: quoted where its borders could be
// mistaken, so that one group "dev, ops" is not taken for two, nor a user called
// "jane (dev)" for one in a group.
func Name(name string) string {
	if name != "" && !strings.ContainsAny(name, " ,\"'()<>") {
		return Printable(name)
	}
	return Quote(name)
}

func escape(text string, doubleBackslashes bool) string {
	if isPlainASCII(text) {
		return text
	}
	var (
		b          strings.Builder
		seen       sight
		afterSpace bool
	)
	for len(text) > 0 {
		r, size := utf8.DecodeRuneInString(text)
		isShown := seen.shows(r)
		switch {
		case r == ' ' && afterSpace:
			b.WriteString(`\x20`)
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&b, `\x%02x`, text[0])
		case r == '\\' && doubleBackslashes:
			b.WriteString(`\\`)
		case isShown:
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\t':
			b.WriteString(`\t`)
		case r == '\r':
			b.WriteString(`\r`)
		case r < 0x80:
			fmt.Fprintf(&b, `\x%02x`, r)
		case r < 0x10000:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			fmt.Fprintf(&b, `\U%08x`, r)
		}
		afterSpace = r == ' '
		text = text[size:]
	}
	return b.String()
}

// isPlainASCII reports whether escape has nothing to do.
func isPlainASCII(text string) bool {
	for i := range len(text) {
		if text[i] < ' ' || text[i] > '~' || text[i] == '\\' || text[i] == ' ' && i > 0 && text[i-1] == ' ' {
			return false
		}
	}
	return true
}

// EscapeHidden writes a text with each character that a terminal does not show as
// itself (see Printable) replaced by what escaped returns for it. Characters for which
// keep returns true stay as they are.
func EscapeHidden(text string, keep func(rune) bool, escaped func(rune) string) string {
	var (
		b    strings.Builder
		seen sight
	)
	for _, r := range text {
		if isShown := seen.shows(r); isShown || keep(r) {
			b.WriteRune(r)
			continue
		}
		b.WriteString(escaped(r))
	}
	return b.String()
}

// HasHidden reports whether EscapeHidden would escape a character of the text.
func HasHidden(text string, keep func(rune) bool) bool {
	var seen sight
	for _, r := range text {
		if isShown := seen.shows(r); !isShown && !keep(r) {
			return true
		}
	}
	return false
}

// firstHidden returns the first character of a text that a terminal does not show as
// itself, control characters aside.
func firstHidden(text string) (_ rune, found bool) {
	var seen sight
	for _, r := range text {
		if isShown := seen.shows(r); !isShown && !unicode.IsControl(r) {
			return r, true
		}
	}
	return 0, false
}
