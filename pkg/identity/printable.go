package identity

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Printable writes any text so that a terminal shows all of it and obeys none
// of it: control characters, direction changes, invisible characters and bytes
// that are no UTF-8 are written as escapes (\x1b, \n, \u202e), and a backslash
// is doubled so that an escape can't be forged. Letters of all languages stay
// as they are. Of several spaces in a row, the second and further are escaped, so
// that nothing can be pushed to where a reader expects another column or row.
//
// kubectl's own escaper (k8s.io/kubectl pkg/util/term) covers ESC and CR only;
// object names accept every byte (CVE-2021-25743).
func Printable(text string) string {
	return escape(text, func(r rune) bool { return r == '\\' || needsEscape(r) })
}

// PrintableSentence is Printable for a text of several parts, whose names are
// quoted or escaped already: it leaves backslashes alone.
func PrintableSentence(text string) string { return escape(text, needsEscape) }

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

func escape(text string, mustEscape func(rune) bool) string {
	if !strings.ContainsFunc(text, mustEscape) && utf8.ValidString(text) && !strings.Contains(text, "  ") {
		return text
	}
	var b strings.Builder
	afterSpace := false
	for len(text) > 0 {
		r, size := utf8.DecodeRuneInString(text)
		switch {
		case r == ' ' && afterSpace:
			b.WriteString(`\x20`)
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&b, `\x%02x`, text[0])
		case !mustEscape(r):
			b.WriteRune(r)
		case r == '\\':
			b.WriteString(`\\`)
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

// IsPrintable says whether a terminal shows the character as itself and obeys
// nothing in it.
func IsPrintable(r rune) bool { return !needsEscape(r) }

func needsEscape(r rune) bool {
	return r == utf8.RuneError || unicode.IsControl(r) || isInvisible(r) || unicode.Is(unicode.Co, r) || unicode.Is(unicode.Cs, r)
}

// isInvisible covers what a terminal shows as nothing, as a blank that is no
// plain space, or as a change of direction: all format characters (Cf, the bidi
// controls among them), line and paragraph separators, spaces outside ASCII,
// and the letters and marks that are blank by definition.
func isInvisible(r rune) bool {
	switch {
	case r == ' ':
		return false
	case unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp, unicode.Zs, unicode.Variation_Selector, unicode.Other_Default_Ignorable_Code_Point):
		return true
	case r == 0x034F, r == 0x115F, r == 0x1160, r == 0x17B4, r == 0x17B5, r == 0x2800, r == 0x3164, r == 0xFFA0, r == 0x16FE4, r == 0x1D159:
		// The combining grapheme joiner, the Hangul, Khmer and Khitan fillers, the
		// Braille blank and the null notehead.
		return true
	}
	return false
}
