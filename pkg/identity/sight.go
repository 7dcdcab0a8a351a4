package identity

import (
	"slices"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// sight reads a text character by character and tells which of them a terminal shows
// as themselves. Combining marks depend on what they follow, so it keeps the letter and
// its marks so far.
type sight struct {
	// letter is the last letter with its marks, composed (NFC); empty where a mark
	// has nothing to stand on.
	letter []rune
	// marks counts the marks that did not compose with the letter.
	marks int
	// last is the mark taken last; 0 if the letter has none yet.
	last rune
}

const (
	// mostMarksOfScript bounds the marks of a letter's own script on one letter:
	// Hebrew points and Burmese or Tibetan syllables have up to four.
	mostMarksOfScript = 4
	// mostSharedMarks bounds the marks that many scripts share, such as accents.
	mostSharedMarks = 2
)

// shows reports whether a terminal shows the next character of the text as itself and
// obeys nothing in it.
func (s *sight) shows(r rune) bool {
	switch {
	case r < utf8.RuneSelf:
		s.follow(r)
		return r >= ' ' && r != 0x7f
	case unicode.Is(unicode.M, r):
		if s.takesMark(r) {
			return true
		}
	case unicode.IsPrint(r) && !isBlank(r):
		// IsPrint is false for all that is unassigned, for private use, surrogates,
		// noncharacters, format characters and every space but the ASCII one.
		s.follow(r)
		return true
	}
	// A mark behind it would stand on its escape.
	s.letter = s.letter[:0]
	return false
}

// follow begins with the next character, on which marks may stand if it is a letter.
func (s *sight) follow(r rune) {
	s.letter, s.marks, s.last = s.letter[:0], 0, 0
	if unicode.IsLetter(r) {
		s.letter = append(s.letter, r)
	}
}

// takesMark reports whether a combining mark belongs to the letter that it follows: it
// composes with the letter (NFC), or languages write it on letters of this script. A mark
// twice in a row lies on itself, and many marks on one letter reach into other lines.
func (s *sight) takesMark(mark rune) bool {
	if len(s.letter) == 0 || isBlank(mark) || unicode.Is(unicode.Me, mark) || mark == s.last {
		return false
	}
	composed := []rune(norm.NFC.String(string(append(slices.Clone(s.letter), mark))))
	if len(composed) > len(s.letter) {
		if s.marks >= mostMarksOn(s.letter[0], mark) {
			return false
		}
		s.marks++
	}
	s.letter, s.last = composed, mark
	return true
}

// sharedMarks are the marks without a script of their own (Unicode Script=Inherited)
// that languages write on letters of the scripts named.
var sharedMarks = []struct {
	scripts []*unicode.RangeTable
	marks   *unicode.RangeTable
}{
	{
		// The accents that occur in canonical decompositions (UnicodeData.txt), and
		// U+030D and U+0358 of Taiwanese romanization.
		[]*unicode.RangeTable{unicode.Latin, unicode.Greek, unicode.Cyrillic},
		&unicode.RangeTable{R16: []unicode.Range16{
			{Lo: 0x0300, Hi: 0x0304, Stride: 1}, {Lo: 0x0306, Hi: 0x030d, Stride: 1}, {Lo: 0x030f, Hi: 0x0311, Stride: 2},
			{Lo: 0x0313, Hi: 0x0314, Stride: 1}, {Lo: 0x031b, Hi: 0x0323, Stride: 8}, {Lo: 0x0324, Hi: 0x0328, Stride: 1},
			{Lo: 0x032d, Hi: 0x032e, Stride: 1}, {Lo: 0x0330, Hi: 0x0331, Stride: 1}, {Lo: 0x0342, Hi: 0x0345, Stride: 3},
			{Lo: 0x0358, Hi: 0x0358, Stride: 1},
		}},
	},
	{
		// The vowel signs.
		[]*unicode.RangeTable{unicode.Arabic, unicode.Syriac},
		&unicode.RangeTable{R16: []unicode.Range16{{Lo: 0x064b, Hi: 0x0655, Stride: 1}, {Lo: 0x0670, Hi: 0x0670, Stride: 1}}},
	},
	{
		[]*unicode.RangeTable{unicode.Devanagari},
		&unicode.RangeTable{R16: []unicode.Range16{{Lo: 0x0951, Hi: 0x0952, Stride: 1}}},
	},
}

// mostMarksOn returns how many marks, this one among them, may stand on a letter without
// composing; 0 if the mark does not belong on such a letter.
func mostMarksOn(letter, mark rune) int {
	if !unicode.In(mark, unicode.Inherited, unicode.Common) {
		for _, script := range unicode.Scripts {
			if unicode.Is(script, mark) && unicode.Is(script, letter) {
				return mostMarksOfScript
			}
		}
		return 0
	}
	for _, shared := range sharedMarks {
		if unicode.Is(shared.marks, mark) && unicode.In(letter, shared.scripts...) {
			return mostSharedMarks
		}
	}
	return 0
}

// isBlank covers the letters, marks and symbols that fonts draw as nothing, or as a
// stand-in for something else.
func isBlank(r rune) bool {
	if unicode.In(r, unicode.Variation_Selector, unicode.Other_Default_Ignorable_Code_Point) {
		return true
	}
	switch r {
	case 0x034f, 0x115f, 0x1160, 0x17b4, 0x17b5, 0x180f, 0x2800, 0x3164, 0xffa0, 0x13441, 0x13442, 0x16fe4, 0x1d159:
		// The combining grapheme joiner, the fillers and inherent vowels of Hangul,
		// Khmer and Khitan, a Mongolian selector, the blanks of Braille and of
		// Egyptian hieroglyphs, and the null notehead.
		return true
	case 0xfffc, utf8.RuneError:
		// They stand for an object, and for what was not a character.
		return true
	}
	return false
}
