package render

import (
	"strings"

	"github.com/rivo/uniseg"
	"golang.org/x/term"
)

// unknownColumns is how wide a terminal is taken to be that does not say it.
const unknownColumns = 80

// Columns is how many columns a terminal has; a usual number where it is unknown.
func Columns(stream any) int {
	if file, ok := stream.(interface{ Fd() uintptr }); ok {
		if columns, _, err := term.GetSize(int(file.Fd())); err == nil && columns > 0 {
			return columns
		}
	}
	return unknownColumns
}

// width is how many columns a text takes on a terminal (Unicode Standard Annex #11).
func width(text string) int { return uniseg.StringWidth(text) }

// cutToWidth cuts a text so that it takes at most so many columns, between characters as a
// person sees them.
func cutToWidth(text string, columns int) string {
	if width(text) <= columns {
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
