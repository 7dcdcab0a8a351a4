package screen

import (
	"io"

	"k8s.io/cli-runtime/pkg/printers"
)

// The colors on a terminal (ECMA-48, Select Graphic Rendition).
const (
	Yellow  = "\x1b[33m"
	Red     = "\x1b[31m"
	NoColor = "\x1b[0m"
)

// Painted is a text in a color, if there is one and the stream is a terminal that allows it.
func Painted(out io.Writer, color, text string) string {
	if color == "" || !printers.AllowsColorOutput(out) {
		return text
	}
	return color + text + NoColor
}
