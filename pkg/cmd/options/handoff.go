package options

import (
	"maps"
	"slices"
	"time"

	"github.com/spf13/pflag"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cmd/cli"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/handoff"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/store"
)

// Handoff are the flags about what becomes of an approved request.
type Handoff struct {
	// Wait waits for the certificate and checks it. Optional; requests from
	// files are waited for unless it says no.
	Wait bool
	// Timeout is how long to wait. Required; has a default.
	Timeout time.Duration
	// Out is the handoff file to write, a directory for it, or "-". Optional.
	Out string
	// ExternalServer is the address that the user reaches. Optional.
	ExternalServer string
	// ClusterName is the cluster's name in the handoff. Optional.
	ClusterName string

	set *pflag.FlagSet
}

// Add adds the flags.
func (f *Handoff) Add(flags *pflag.FlagSet) {
	f.set = flags
	flags.BoolVar(&f.Wait, "wait", false, "wait for the certificate and check it; the default with --out and with --filename")
	AddTimeoutFlag(flags, &f.Timeout, DefaultTimeout, "how long to wait for the certificate")
	cli.HandoffSection.In(flags, f.addOfFile)
}

// addOfFile adds the flags about the handoff file.
func (f *Handoff) addOfFile(flags *pflag.FlagSet) {
	flags.StringVar(&f.Out, "out", "", "write a kubeconfig with the certificate and without a private key, to send back to the user: to this file, to USER"+store.HandoffPath("", "")+" in this directory, or to standard output (-)")
	addExternalServerFlag(flags, &f.ExternalServer)
	AddClusterNameFlag(flags, &f.ClusterName)
}

// Given is the first of these flags that was given, or "".
func (f *Handoff) Given() string {
	for _, name := range []string{"wait", "timeout", "out", "external-server", "cluster-name"} {
		if f.set.Changed(name) {
			return name
		}
	}
	return ""
}

// Waits reports whether the certificate is to be waited for.
func (f *Handoff) Waits(files bool) bool {
	return f.Wait || f.Out != "" || files && !f.set.Changed("wait")
}

// Validate refuses values and combinations that make no sense, with ErrUsage. files reports whether the
// requests come from files.
func (f *Handoff) Validate(files bool) error {
	waits := f.Waits(files)
	switch {
	case f.Out != "" && f.set.Changed("wait") && !f.Wait:
		return outcome.WithHint(
			outcome.Errorf(outcome.ErrUsage, "--out needs the certificate, and --wait=false does not wait for it"),
			"leave --wait out")
	case f.Timeout <= 0:
		return NoTimeToWait(f.Timeout)
	case f.set.Changed("timeout") && !waits:
		return outcome.WithHint(
			outcome.Errorf(outcome.ErrUsage, "--timeout does nothing without a wait"),
			"add --wait or --out")
	case f.Out == "" && len(cli.GivenOf(f.set, "external-server", "cluster-name")) > 0:
		return cli.RefuseGiven(f.set, "without --out", "for the kubeconfig to send back: --out FILE", "external-server", "cluster-name")
	}
	if err := validateExternalServer(f.ExternalServer); err != nil {
		return err
	}
	return ValidateName(f.set, "cluster-name", f.ClusterName)
}

// CheckPlace refuses to write the handoffs of several users to one file.
func (f *Handoff) CheckPlace(several bool) error {
	if f.Out == "" || !several || store.IsDirectory(f.Out) {
		return nil
	}
	return outcome.WithHint(
		outcome.Errorf(outcome.ErrUsage, "--out %q is one file, and there may be several users", f.Out),
		"name a directory: --out DIR/")
}

// Input is what these flags say of a handoff.
func (f *Handoff) Input(env *cli.Environment) handoff.Input {
	return handoff.Input{
		Timeout:        f.Timeout,
		Path:           f.Out,
		ExternalServer: f.ExternalServer,
		ClusterName:    f.ClusterName,
		Resume: func(request string) string {
			command := identity.NewCommand(cli.Program + " approve").Argument(request).Words("--wait")
			if f.Out != "" {
				command = command.Option("--out", f.Out)
			}
			return env.SameCluster(command).String()
		},
		Fetch: HandoffCommand,
	}
}

// HandoffCommand is what a user runs with a handoff file, with what the user has to say of
// the endpoint in it.
func HandoffCommand(user, file string, trust handoff.Trust) string {
	command := identity.NewCommand(cli.Program+" fetch").Argument(user).Option("--from", file)
	for _, fingerprint := range trust.AuthorityFingerprints {
		command = command.Option("--ca-fingerprint", fingerprint)
	}
	for _, cluster := range slices.Sorted(maps.Keys(trust.OfClusters)) {
		for _, fingerprint := range trust.OfClusters[cluster] {
			command = command.Option("--ca-fingerprint", cluster+"="+fingerprint)
		}
	}
	if trust.Server != "" {
		command = command.Option("--server", trust.Server)
	}
	if trust.Insecure {
		command = command.Words("--insecure-skip-tls-verify")
	}
	if trust.Proxy != "" {
		command = command.Option("--proxy-url", trust.Proxy)
	}
	return command.String()
}
