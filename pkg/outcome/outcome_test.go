package outcome_test

import (
	"errors"
	"fmt"
	"io/fs"
	"testing"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
)

func TestOutcome_AnErrorIsItsOutcomeAndItsCauseAndSaysOnlyItsSentence(t *testing.T) {
	err := outcome.Errorf(outcome.ErrNotFound, "request %q: %w", "jane", fs.ErrNotExist)
	if err.Error() != `request "jane": file does not exist` {
		t.Errorf("it says %q", err)
	}
	if !errors.Is(err, outcome.ErrNotFound) || !errors.Is(err, fs.ErrNotExist) || errors.Is(err, outcome.ErrUsage) {
		t.Errorf("it is another outcome: %#v", err)
	}
}

func TestOutcome_TheHintNearestToTheCauseIsShown(t *testing.T) {
	causeErr := errors.New("it failed")
	for _, test := range []struct {
		about string
		err   error
		hint  string
	}{
		{"no error", nil, ""},
		{"none", causeErr, ""},
		{"one", outcome.WithHint(causeErr, "try %d", 1), "try 1"},
		{"a second", outcome.WithHint(outcome.WithHint(causeErr, "first"), "second"), "first"},
		{"one that is replaced", outcome.ReplaceHint(outcome.WithHint(causeErr, "first"), "second %d", 2), "second 2"},
		{"one added to none", outcome.AddHint(causeErr, "added %d", 1), "added 1"},
		{"one added to another", outcome.AddHint(outcome.WithHint(causeErr, "first"), "added %d", 2), "first; added 2"},
		{"one that the other has begun", outcome.AddHint(outcome.WithHint(causeErr, "move it, or name another place"), "name another place: --out %s", "FILE"), "move it, or name another place: --out FILE"},
	} {
		if got := outcome.Hint(test.err); got != test.hint {
			t.Errorf("%s: the hint is %q, want %q", test.about, got, test.hint)
		}
		if test.err != nil && (!errors.Is(test.err, causeErr) || test.err.Error() != causeErr.Error()) {
			t.Errorf("%s: the error is %q", test.about, test.err)
		}
	}
	if err := outcome.WithHint(nil, "try"); err != nil {
		t.Errorf("a hint for no error is the error %v", err)
	}
}

func TestOutcome_AFileIsNamedOnce(t *testing.T) {
	for _, test := range []struct{ cause, want string }{
		{`"a b": no such file or directory`, `--key "a b": no such file or directory`},
		{`not a private key`, `--key "a b": not a private key`},
		{`the file "a b" is too large`, `--key "a b": the file "a b" is too large`},
	} {
		causeErr := errors.New(test.cause)
		err := outcome.OfFile("--key", "a b", outcome.WithHint(causeErr, "try again"))
		if err.Error() != test.want || !errors.Is(err, causeErr) || outcome.Hint(err) != "try again" {
			t.Errorf("%q: %v, %q", test.cause, err, outcome.Hint(err))
		}
	}
}

func TestExitCode_EachOutcomeHasItsOwn(t *testing.T) {
	for err, want := range map[error]int{
		nil: 0, errors.New("it failed"): 1, outcome.ErrUsage: 2, outcome.ErrRejected: 3, outcome.ErrNotFound: 4, outcome.ErrChanged: 5,
		outcome.ErrRefused: 6, outcome.ErrTimedOut: 124, outcome.ErrInterrupted: 130, &outcome.ExitedError{Code: 7}: 7,
	} {
		if got := outcome.ExitCode(err); got != want {
			t.Errorf("%v: %d, want %d", err, got, want)
		}
		if err == nil {
			continue
		}
		if got := outcome.ExitCode(outcome.WithHint(fmt.Errorf("while testing: %w", err), "try again")); got != want {
			t.Errorf("%v, wrapped: %d, want %d", err, got, want)
		}
	}
	if said := (&outcome.ExitedError{Code: 7}).Error(); said != "exit code 7" {
		t.Errorf("%q", said)
	}
	if err := outcome.BadFile("--key", "a", errors.New("no")); outcome.ExitCode(err) != 2 || err.Error() != `--key "a": no` {
		t.Errorf("%v", err)
	}
	// Only the first of the words is completed.
	twice := outcome.AddHint(outcome.WithHint(errors.New("no"), "name it, or name it"), "name it: FILE")
	if hint := outcome.Hint(twice); hint != "name it: FILE, or name it" {
		t.Errorf("%q", hint)
	}
}
