package request

import (
	"regexp"
	"strconv"
	"time"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
)

// Within is how much time before its expiration a certificate is due: a duration, or a
// fraction of the certificate's own lifetime. The zero value is any time.
type Within struct {
	duration time.Duration
	// part of whole is the fraction; whole is 0 for a duration.
	part, whole int64
}

// fractionForm takes two whole numbers, small enough to be meant.
var fractionForm = regexp.MustCompile(`^(\d{1,4})/(\d{1,4})$`)

// ParseWithin reads a duration as ParseSpan does, or a fraction such as "1/3", which is
// more than zero and at most one. Any other form, and zero, is wrong usage.
func ParseWithin(text string) (Within, error) {
	within, err := parseWithin(text)
	if err != nil || within == (Within{}) {
		return Within{}, outcome.WithHint(
			outcome.Errorf(outcome.ErrUsage, "invalid value %q: not a duration above zero, or a fraction of the lifetime", text),
			"write days, hours or minutes, or a fraction of the certificate's lifetime, for example: 7d, 90m, 1/3")
	}
	return within, nil
}

func parseWithin(text string) (Within, error) {
	fields := fractionForm.FindStringSubmatch(text)
	if fields == nil {
		duration, err := ParseSpan(text)
		return Within{duration: duration}, err
	}
	// Four digits are always a number.
	part, _ := strconv.ParseInt(fields[1], 10, 64)
	whole, _ := strconv.ParseInt(fields[2], 10, 64)
	if part == 0 || part > whole {
		return Within{}, nil
	}
	return Within{part: part, whole: whole}, nil
}

// IsZero reports whether any time is within it.
func (w Within) IsZero() bool { return w == Within{} }

// Of is the time before its expiration from which a certificate of a lifetime is due.
func (w Within) Of(lifetime time.Duration) time.Duration {
	if w.whole == 0 {
		return w.duration
	}
	// Divided first: a lifetime of many years times a part would not fit.
	return lifetime / time.Duration(w.whole) * time.Duration(w.part)
}
