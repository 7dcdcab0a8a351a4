// Package prompt asks the person at the terminal. It is the only importer of
// survey.
//
// It promises that nothing is ever asked unless both standard input and
// standard error are terminals, that standard output stays untouched, that what was
// typed before a question does not answer it, and that a question ends with the
// program's context.
package prompt

import (
	"context"
	"errors"
	"io"

	"github.com/AlecAivazis/survey/v2"
	"github.com/AlecAivazis/survey/v2/core"
	"github.com/AlecAivazis/survey/v2/terminal"
	"golang.org/x/term"
	"k8s.io/cli-runtime/pkg/printers"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
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

// IsTerminal reports whether a stream is a terminal.
func IsTerminal(stream any) bool {
	file, ok := stream.(descriptor)
	return ok && term.IsTerminal(int(file.Fd()))
}

// Confirm asks a question that is answered with yes or no; just Enter, or Ctrl-D, means no.
func (p *Person) Confirm(ctx context.Context, question string) (yes bool, _ error) {
	err := p.ask(ctx, &survey.Confirm{Message: question, Default: false}, &yes)
	return yes, err
}

// Secret asks for what must not be seen: stars stand for the characters.
func (p *Person) Secret(ctx context.Context, question string) (secret []byte, _ error) {
	var answer string
	err := p.ask(ctx, &survey.Password{Message: question}, &answer)
	return []byte(answer), err
}

// Select lets the person mark any of the options, and returns the indexes of
// those that are marked. An option is one row, in columns behind OptionIndent, and says
// something else than every other.
func (p *Person) Select(ctx context.Context, question string, options []string) (marked []int, _ error) {
	columns, rows, err := term.GetSize(int(p.err.Fd()))
	if err != nil || columns <= 0 || rows <= 0 {
		columns, rows = unknownColumns, unknownRows
	}
	err = p.ask(ctx, &survey.MultiSelect{Message: question, Options: options, PageSize: optionsShown(question, columns, rows)}, &marked)
	return marked, err
}

// The size of a terminal that does not say it.
const (
	unknownColumns = 80
	unknownRows    = 24
)

const (
	// mostOptions is how many options are on the screen at once where there is room.
	mostOptions = 15
	// OptionIndent is how many columns of a row stand before an option: the cursor and the
	// mark.
	OptionIndent = 8
	// menuHelp is how many columns survey's own help takes behind a question, with the mark
	// before it and room for a filter.
	menuHelp = 110
)

// optionsShown is how many options fit on the screen, each in one row, with the question and
// the help above them and the row that the cursor is in.
func optionsShown(question string, columns, rows int) int {
	above := (len(question) + menuHelp + columns - 1) / columns
	return min(max(rows-above-1, 1), mostOptions)
}

// ask asks until there is an answer; for survey, Ctrl-D is Enter. Ctrl-C, which sends no signal
// while survey reads, the end of the context, of which survey knows nothing, and that of the
// terminal are outcome.ErrInterrupted.
func (p *Person) ask(ctx context.Context, question survey.Prompt, answer any) error {
	// survey's one switch for colors; they are as kubectl has them.
	core.DisableColor = !printers.AllowsColorOutput(p.err)
	before, err := term.GetState(int(p.in.Fd()))
	if err != nil {
		return err
	}
	if err := discardTyped(p.in.Fd()); err != nil {
		return err
	}
	answered := make(chan error, 1)
	go func() { answered <- survey.AskOne(question, answer, survey.WithStdio(p.in, p.err, p.err)) }()
	select {
	case err = <-answered:
	case <-ctx.Done():
		// survey has switched the terminal and still reads from it; the program
		// is about to end.
		if err := term.Restore(int(p.in.Fd()), before); err != nil {
			return err
		}
		err = terminal.InterruptErr
	}
	if errors.Is(err, terminal.InterruptErr) || errors.Is(err, io.EOF) {
		return outcome.Errorf(outcome.ErrInterrupted, "%w while asking", outcome.ErrInterrupted)
	}
	return err
}
