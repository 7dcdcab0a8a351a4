package options

import (
	"github.com/spf13/pflag"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/pki"
)

// Fingerprint is --fingerprint.
type Fingerprint struct {
	value string
	set   *pflag.FlagSet
}

// Add adds --fingerprint. verb is what the command does, such as "approve".
func (f *Fingerprint) Add(flags *pflag.FlagSet, verb string) {
	f.set = flags
	flags.StringVar(&f.value, "fingerprint", "", verb+" only a request for the key with this fingerprint, as the user told it: SHA-256 in base64 or hexadecimal, with or without SHA256:")
}

// Parse returns the fingerprint as pki.ParseFingerprint does, "" where none is given. An
// empty one is wrong usage: an unset variable in a script must not turn the check off.
func (f *Fingerprint) Parse() (string, error) {
	if !f.set.Changed("fingerprint") {
		return "", nil
	}
	return ParseFingerprint("fingerprint", f.value)
}

// ParseFingerprint reads the value of a flag that is a fingerprint.
func ParseFingerprint(flag, value string) (string, error) {
	fingerprint, err := pki.ParseFingerprint(value)
	if err != nil {
		return "", outcome.WithHint(
			outcome.Errorf(outcome.ErrUsage, "invalid --%s %q: %w", flag, value, err),
			"give all of it: %s", pki.FingerprintForms)
	}
	return fingerprint, nil
}
