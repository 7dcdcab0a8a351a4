// Package outcome names the ways a command can end, so that every ring of the
// program can say how something ended without knowing about exit codes.
//
// An error of csr-onboard is one of the sentinels below wrapped with the
// sentence that says what went wrong, and perhaps with a hint that says what
// to try. Errors that wrap no sentinel are plain failures. ExitCode is the one
// place that turns an outcome into an exit code.
package outcome

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// The outcomes a script may branch on.
var (
	// ErrUsage is wrong usage: a bad flag, a missing or malformed argument,
	// or a question that nobody is there to answer.
	ErrUsage = errors.New("wrong usage")
	// ErrRejected is a request that was denied by an approver or failed by
	// its signer. Neither can be taken back in the object.
	ErrRejected = errors.New("denied or failed")
	// ErrNotFound is a request that does not exist, or does no longer: deleted,
	// or collected by the controller manager's cleaner.
	ErrNotFound = errors.New("no such request")
	// ErrChanged is a request that is not the one that was made or reviewed,
	// or one that somebody else has decided first.
	ErrChanged = errors.New("changed")
	// ErrRefused is a refusal by csr-onboard's own review.
	ErrRefused = errors.New("refused")
	// ErrTimedOut is a wait that ran out.
	ErrTimedOut = errors.New("timed out")
	// ErrInterrupted is a person's Ctrl-C or a SIGTERM.
	ErrInterrupted = errors.New("interrupted")
)

// described is an error with a sentence of its own, the outcome it stands for
// and the cause it came from. Only the sentence is text.
type described struct {
	sentence string
	wrapped  []error
}

func (d *described) Error() string   { return d.sentence }
func (d *described) Unwrap() []error { return d.wrapped }

// Errorf makes an error of the given outcome. The text is formatted as by
// fmt.Errorf and may wrap causes with %w; kind's own text does not appear in it.
func Errorf(kindErr error, format string, arguments ...any) error {
	causeErr := fmt.Errorf(format, arguments...)
	return &described{sentence: causeErr.Error(), wrapped: []error{kindErr, causeErr}}
}

// OfFile is an error about a file that its text names once: WHAT "PATH": REASON. The errors of
// reading a file begin with its path, and those of understanding what is in it do not.
func OfFile(what, path string, err error) error {
	quoted := strconv.Quote(path) + ": "
	return &described{sentence: what + " " + quoted + strings.TrimPrefix(err.Error(), quoted), wrapped: []error{err}}
}

// BadFile is OfFile for a file that a flag names and that cannot be used: an ErrUsage.
func BadFile(flag, path string, err error) error {
	return Errorf(ErrUsage, "%w", OfFile(flag, path, err))
}

// hinted adds the next step to try to an error, apart from what went wrong.
type hinted struct {
	error
	hint string
}

func (h *hinted) Unwrap() error { return h.error }

// UpgradeHint is what to try where a later version of csr-onboard has written what this one cannot read.
const UpgradeHint = "upgrade csr-onboard: https://github.com/csr-onboard/kubectl-csr-onboard/blob/main/docs/install.md#upgrade"

// OtherCluster is the part of a hint that names the flags which choose another cluster.
const OtherCluster = "--context, --kubeconfig and --server choose another cluster"

// WithHint adds one line that says what to try next. The hint is not a part of
// the error's text: it is shown on a line of its own. A nil error stays nil,
// and an error that has a hint already keeps it, because what is nearest to
// the cause knows best.
func WithHint(err error, format string, arguments ...any) error {
	if err == nil || Hint(err) != "" {
		return err
	}
	return &hinted{error: err, hint: fmt.Sprintf(format, arguments...)}
}

// ReplaceHint is WithHint for an error whose own hint would mislead here.
func ReplaceHint(err error, format string, arguments ...any) error {
	return &hinted{error: err, hint: fmt.Sprintf(format, arguments...)}
}

// AddHint is WithHint for a step that is worth trying besides what the error's own hint
// says: it stands behind that. Where the error's own hint has the words before its colon already,
// it stands there.
func AddHint(err error, format string, arguments ...any) error {
	own := Hint(err)
	if own == "" {
		return WithHint(err, format, arguments...)
	}
	further := fmt.Sprintf(format, arguments...)
	if before, _, _ := strings.Cut(further, ":"); strings.Contains(own, before) {
		return ReplaceHint(err, "%s", strings.Replace(own, before, further, 1))
	}
	return ReplaceHint(err, "%s; %s", own, further)
}

// Hint returns the hint that came with an error, or "".
func Hint(err error) string {
	var h *hinted
	if errors.As(err, &h) {
		return h.hint
	}
	return ""
}
