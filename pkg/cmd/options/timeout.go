package options

import (
	"time"

	"github.com/spf13/pflag"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
)

// AddTimeoutFlag adds --timeout, which accepts what --expiration does, and Go's own durations.
func AddTimeoutFlag(flags *pflag.FlagSet, timeout *time.Duration, otherwise time.Duration, usage string) {
	*timeout = otherwise
	flags.Var((*durationValue)(timeout), "timeout", usage+", such as 90s, 10m or 2d")
}

// durationValue is a pflag.Value.
type durationValue time.Duration

func (v *durationValue) String() string { return time.Duration(*v).String() }

func (v *durationValue) Set(text string) error {
	parsed, err := time.ParseDuration(text)
	if err != nil {
		if parsed, err = request.ParseSpan(text); err != nil {
			return err
		}
	}
	*v = durationValue(parsed)
	return nil
}

func (v *durationValue) Type() string { return "duration" }
