package cmd

import (
	"github.com/spf13/pflag"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/pki"
)

// fingerprintFlag is --fingerprint.
type fingerprintFlag struct {
	value string
	set   *pflag.FlagSet
}

func (f *fingerprintFlag) add(flags *pflag.FlagSet, verb string) {
	f.set = flags
	flags.StringVar(&f.value, "fingerprint", "", verb+" only a request for the key with this fingerprint, as the user told it: SHA-256 in base64 or hexadecimal, with or without SHA256:")
}

// parse returns the fingerprint as pki.ParseFingerprint does, "" where none is given. An
// empty one is wrong usage: an unset variable in a script must not turn the check off.
func (f *fingerprintFlag) parse() (string, error) {
	if !f.set.Changed("fingerprint") {
		return "", nil
	}
	return parseFingerprint("fingerprint", f.value)
}

// parseFingerprint reads the value of a flag that is a fingerprint.
func parseFingerprint(flag, value string) (string, error) {
	fingerprint, err := pki.ParseFingerprint(value)
	if err != nil {
		return "", outcome.WithHint(
			outcome.Errorf(outcome.ErrUsage, "invalid --%s %q: %w", flag, value, err),
			"give all of it: %s", pki.FingerprintForms)
	}
	return fingerprint, nil
}
