// Package prompt asks the person at the terminal. It is the only importer of
// survey.
//
// It promises that nothing is ever asked unless both standard input and
// standard error are terminals, that standard output stays untouched, and that
// Ctrl-C is a clean no.
package prompt

import (
	"errors"
	"io"

	"github.com/AlecAivazis/survey/v2"
	"github.com/AlecAivazis/survey/v2/core"
	"github.com/AlecAivazis/survey/v2/terminal"
	"golang.org/x/term"
	"k8s.io/cli-runtime/pkg/printers"
)

// Person is somebody who can be asked.
type Person struct {
	in  terminal.FileReader
	err terminal.FileWriter
}

// descriptor is what a stream must have to be a terminal.
type descriptor interface{ Fd() uintptr }

// AtTerminal returns the person at the terminal, or nil where either stream is
// none.
func AtTerminal(in io.Reader, err io.Writer) *Person {
	reader, readable := in.(terminal.FileReader)
	writer, writable := err.(terminal.FileWriter)
	if !readable || !writable || !IsTerminal(in) || !IsTerminal(err) {
		return nil
	}
	return &Person{in: reader, err: writer}
}

// IsTerminal says whether a stream is a terminal.
func IsTerminal(stream any) bool {
	file, ok := stream.(descriptor)
	return ok && term.IsTerminal(int(file.Fd()))
}

// Confirm asks a question that is answered with yes or no; just Enter, and
// Ctrl-C, are no.
func (p *Person) Confirm(question string) (bool, error) {
	// survey's one switch for colours; they are as kubectl has them.
	core.DisableColor = !printers.AllowsColorOutput(p.err)
	yes := false
	err := survey.AskOne(&survey.Confirm{Message: question, Default: false}, &yes,
		survey.WithStdio(p.in, p.err, p.err))
	if errors.Is(err, terminal.InterruptErr) || errors.Is(err, io.EOF) {
		return false, nil
	}
	return yes, err
}
