package screen

import (
	"strings"

	"github.com/rivo/uniseg"
	"golang.org/x/term"
)

// unknownColumns is how wide a terminal is taken to be that does not say it.
const unknownColumns = 80

// Columns is how many columns a terminal has; a usual number where it is unknown.
func Columns(stream any) int {
	if columns, isTerminal := TerminalColumns(stream); isTerminal {
		return columns
	}
	return unknownColumns
}

// TerminalColumns is how many columns a terminal has. It is not ok for other streams, and for
// terminals that do not say it.
func TerminalColumns(stream any) (columns int, ok bool) {
	if file, isFile := stream.(interface{ Fd() uintptr }); isFile {
		if columns, _, err := term.GetSize(int(file.Fd())); err == nil && columns > 0 {
			return columns, true
		}
	}
	return 0, false
}

// Width is how many columns a text takes on a terminal (Unicode Standard Annex #11).
func Width(text string) int { return uniseg.StringWidth(text) }

// Cut cuts a text so that it takes at most so many columns, between characters as a
// person sees them.
func Cut(text string, columns int) string {
	if Width(text) <= columns {
		return text
	}
	if columns < 1 {
		return ""
	}
	var b strings.Builder
	taken := 0
	for characters := uniseg.NewGraphemes(text); characters.Next(); {
		if taken+characters.Width() > columns-1 {
			break
		}
		taken += characters.Width()
		b.WriteString(characters.Str())
	}
	return b.String() + "…"
}

// CutInMiddle cuts a text so that it takes at most so many columns, and keeps its beginning and
// its end.
func CutInMiddle(text string, columns int) string {
	if Width(text) <= columns {
		return text
	}
	head := Cut(text, (columns+2)/2)
	left := columns - Width(head)
	var tail []string
	for characters := uniseg.NewGraphemes(text); characters.Next(); {
		tail = append(tail, characters.Str())
	}
	first := len(tail)
	for first > 0 && Width(tail[first-1]) <= left {
		first--
		left -= Width(tail[first])
	}
	return head + strings.Join(tail[first:], "")
}
