package identity

import (
	"strings"
	"unicode/utf8"
)

// cutMark is behind a text that was cut.
const cutMark = "..."

// Shorten cuts a text to at most so many bytes, between two characters, and marks that with "...".
// Bytes that are not UTF-8 become U+FFFD: the API server refuses texts that are not UTF-8 in
// protobuf, and JSON has no others.
func Shorten(text string, most int) string {
	text = strings.ToValidUTF8(text, string(utf8.RuneError))
	if len(text) <= most {
		return text
	}
	end := max(0, most-len(cutMark))
	for !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end] + cutMark
}
