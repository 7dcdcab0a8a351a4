package screen

import (
	"bytes"
	"io"
)

// Prefixing makes a writer that begins each line with a prefix, which is safe to print. What is
// written is not a terminal. Each write has to be of whole lines, or of a part of one.
func Prefixing(out io.Writer, prefix string) io.Writer {
	return &prefixing{out: out, prefix: []byte(prefix), isAtBegin: true}
}

type prefixing struct {
	out    io.Writer
	prefix []byte
	// isAtBegin reports whether the next write begins a line.
	isAtBegin bool
}

func (p *prefixing) Write(text []byte) (int, error) {
	var prefixed bytes.Buffer
	for line := range bytes.Lines(text) {
		if p.isAtBegin {
			prefixed.Write(p.prefix)
		}
		prefixed.Write(line)
		p.isAtBegin = bytes.HasSuffix(line, []byte("\n"))
	}
	if _, err := p.out.Write(prefixed.Bytes()); err != nil {
		return 0, err
	}
	return len(text), nil
}
