package cmd

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/kubeconfig"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/destination"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/handoff"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/pki"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/process"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/prompt"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/render"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/store"
)

// fetchFlags are the flags about waiting for a certificate and writing the
// kubeconfig, which new-user takes as well, with --approve or --wait.
type fetchFlags struct {
	// CertificateOnly writes the certificate in place of a kubeconfig. Optional.
	CertificateOnly bool
	// Timeout is how long to wait for the certificate. Required; has a default.
	Timeout time.Duration
	// VerifyLogin says whether to log in before the kubeconfig is written.
	VerifyLogin bool
	// Out is the file to write, or "-" for standard output. Optional.
	Out string
	// Merge adds to the kubeconfig that kubectl itself would write to. Optional.
	Merge bool
	// SetCurrent switches to the new context. Optional; with Merge only.
	SetCurrent bool
	// ExternalServer is the address that the user reaches. Optional.
	ExternalServer string
	// ClusterName and ContextName are names of entries. Optional.
	ClusterName, ContextName string
	// DefaultNamespace is the context's. Optional.
	DefaultNamespace string
	// Exec has the kubeconfig log in by this program, which renews the certificate.
	// Optional.
	Exec bool
	// Overwrite replaces a certificate and key that expire later. Optional.
	Overwrite bool

	set   *pflag.FlagSet
	names []string
}

func (f *fetchFlags) add(flags *pflag.FlagSet) {
	f.set = pflag.NewFlagSet("fetch", pflag.ContinueOnError)
	f.set.DurationVar(&f.Timeout, "timeout", defaultTimeout, "how long to wait for the certificate")
	f.set.BoolVar(&f.VerifyLogin, "verify-login", true, "log in with the new certificate before the kubeconfig is written")
	f.set.BoolVar(&f.CertificateOnly, "certificate-only", false, "write the certificate alone, as PEM, in place of a kubeconfig")
	f.set.StringVar(&f.Out, "out", "", "write the kubeconfig (or certificate) to this file, or to standard output (-), in place of the user's folder")
	f.set.BoolVar(&f.Merge, "merge", false, "add the user to the kubeconfig that kubectl itself would write to")
	f.set.BoolVar(&f.SetCurrent, "set-current", false, "with --merge, make the new context the current one")
	addExternalServerFlag(f.set, &f.ExternalServer)
	addClusterNameFlag(f.set, &f.ClusterName)
	f.set.StringVar(&f.ContextName, "context-name", "", "the name of context and user in the kubeconfig; USER@CLUSTER if not given")
	f.set.StringVar(&f.DefaultNamespace, "default-namespace", "", "the namespace that the context begins in")
	f.set.BoolVar(&f.Exec, "exec", false, "keep certificate and key out of the kubeconfig: it has kubectl run this program, which renews them before they end")
	f.set.BoolVar(&f.Overwrite, "overwrite", false, "replace a certificate and key that expire later than the new ones, such as renewed ones")
	f.set.VisitAll(func(flag *pflag.Flag) { f.names = append(f.names, flag.Name) })
	flags.AddFlagSet(f.set)
	f.set = flags
}

// given is the first of these flags that was given, or "".
func (f *fetchFlags) given() string {
	for _, name := range f.names {
		if f.set.Changed(name) {
			return name
		}
	}
	return ""
}

// givenOfKubeconfig is the first flag that was given about what a kubeconfig holds, or "".
func (f *fetchFlags) givenOfKubeconfig() string {
	for _, name := range []string{"merge", "set-current", "external-server", "cluster-name", "context-name", "default-namespace", "exec"} {
		if f.set.Changed(name) {
			return name
		}
	}
	return ""
}

func (f *fetchFlags) validate() error {
	switch {
	case f.Timeout <= 0:
		return noTimeToWait(f.Timeout)
	case f.CertificateOnly && f.givenOfKubeconfig() != "":
		return outcome.WithHint(
			outcome.Errorf(outcome.ErrUsage, "--certificate-only writes no kubeconfig, and --%s is about one", f.givenOfKubeconfig()),
			"leave one of them out")
	case f.Merge && f.Out != "":
		return outcome.WithHint(
			outcome.Errorf(outcome.ErrUsage, "--merge and --out name two places"),
			"to merge into a certain file: --merge --kubeconfig FILE")
	case f.SetCurrent && !f.Merge:
		return outcome.WithHint(
			outcome.Errorf(outcome.ErrUsage, "--set-current does nothing without --merge"),
			"a kubeconfig of the user's own has her context as the current one anyway")
	}
	if err := validateExternalServer(f.ExternalServer); err != nil {
		return err
	}
	for _, name := range []struct{ flag, value string }{
		{"cluster-name", f.ClusterName}, {"context-name", f.ContextName}, {"default-namespace", f.DefaultNamespace},
	} {
		if err := validateName(f.set, name.flag, name.value); err != nil {
			return err
		}
	}
	if problems := validation.IsDNS1123Label(f.DefaultNamespace); f.DefaultNamespace != "" && len(problems) > 0 {
		return outcome.WithHint(
			outcome.Errorf(outcome.ErrUsage, "--default-namespace %q is no namespace's name", f.DefaultNamespace),
			"%s", problems[0])
	}
	return nil
}

func addExternalServerFlag(flags *pflag.FlagSet, server *string) {
	flags.StringVar(server, "external-server", "", "the API server's address as the user reaches it, where it is not the one used here")
}

func addClusterNameFlag(flags *pflag.FlagSet, name *string) {
	flags.StringVar(name, "cluster-name", "", "the cluster's name in the kubeconfig; its name here if not given")
}

func noTimeToWait(timeout time.Duration) error {
	return outcome.WithHint(
		outcome.Errorf(outcome.ErrUsage, "--timeout %s leaves no time to wait", timeout),
		"give a time above zero, for example: --timeout 10m")
}

func validateExternalServer(server string) error {
	if server == "" || kubeconfig.IsServerAddress(server) {
		return nil
	}
	return outcome.WithHint(
		outcome.Errorf(outcome.ErrUsage, "--external-server %q is no address of an API server", server),
		"for example: --external-server https://kubernetes.example.com:6443")
}

// validateName refuses a name of an entry that was given and can't be seen.
func validateName(flags *pflag.FlagSet, flag, name string) error {
	if !flags.Changed(flag) || name != "" && identity.Printable(name) == name {
		return nil
	}
	return outcome.WithHint(
		outcome.Errorf(outcome.ErrUsage, "--%s %q is empty or holds characters that can't be seen", flag, name),
		"use printable characters")
}

func (f *fetchFlags) input(env *environment, name, directory string) (onboard.FetchInput, error) {
	in := onboard.FetchInput{
		Name: name,
		FolderOf: func(user string) (store.Folder, error) {
			return store.UserFolder(directory, env.home(), user)
		},
		Timeout: f.Timeout,
		Kubeconfig: destination.Input{
			CertificateOnly: f.CertificateOnly,
			Path:            f.Out,
			Merge:           f.Merge,
			SetCurrent:      f.SetCurrent,
			ExternalServer:  f.ExternalServer,
			ClusterName:     f.ClusterName,
			ContextName:     f.ContextName,
			Namespace:       f.DefaultNamespace,
			Overwrite:       f.Overwrite,
		},
		VerifyLogin: f.VerifyLogin,
		Resume:      env.sameCluster(f.resume(name, directory)).String(),
	}
	if f.Exec {
		command, err := process.Command(kubeconfig.Plugin)
		if err != nil {
			return in, err
		}
		in.Kubeconfig.Exec, in.Kubeconfig.ExecCommand = true, command
	}
	if f.Merge {
		var err error
		if in.Kubeconfig.Path, err = env.kubeconfigToWrite(); err != nil {
			return in, err
		}
		if in.Kubeconfig.Visible, err = env.visibleKubeconfig(); err != nil {
			return in, err
		}
	}
	return in, nil
}

// fetchOptions is what fetch takes.
type fetchOptions struct {
	*environment
	fetchFlags

	// Directory is where the user's files are. Optional.
	Directory string
	// From is the handoff that an administrator sent back. Optional.
	From string
	// AuthorityFingerprints are of the certificate authorities (CAs) of the handoff's
	// server, as the administrator told them. Optional; with From only.
	AuthorityFingerprints []string
	// Key and RequestName are the private key and the object of a request that another
	// tool made. Optional.
	Key, RequestName string
	// Output is the form of the report on standard output. Optional.
	Output string

	name string
	// handoff is what --from names, and endpoint the cluster of a bare certificate.
	handoff  []byte
	endpoint *kubeconfig.Endpoint
	narrator *render.Narrator
}

func newFetch(env *environment) *cobra.Command {
	o := &fetchOptions{environment: env}
	cmd := &cobra.Command{
		Use:   "fetch NAME",
		Short: "Wait for a user's certificate, check it, and write her kubeconfig",
		Long: `Wait until the request that new-user submitted is approved and signed, check
that the certificate belongs to the private key and names the user and nobody
else, log in with it, and write the kubeconfig beside the key.

The kubeconfig holds server and certificate authority of the current context.
Its path is printed, so that this works:

  export KUBECONFIG=$(kubectl csr-onboard fetch jane)

With --from, the certificate comes from the handoff file that an administrator
sent back (see approve --out), and no cluster is needed: server and authority are
in the file. It is checked in the same way, and logged in with if the cluster can
be reached. A bare certificate in PEM needs --server and --certificate-authority.

Whoever can exchange the file can exchange server and certificate authority (CA) in it.
--ca-fingerprint accepts only the CA whose fingerprint the administrator told you; give
it whenever you can. Without it, a CA that has signed the certificate is accepted with
a warning, and any other CA, as with k3s and Rancher, only after a question at a
terminal. A server that is not verified needs --insecure-skip-tls-verify, a proxy
--proxy-url, and a server without a CA of its own --server, each as the administrator
told you.

A certificate and key in the kubeconfig that expire later than the new ones were renewed
since. They are kept, and the command fails, unless you use --overwrite.

A request that was made by hand, with openssl and kubectl apply, is completed with
--key, the file with its private key, and --request-name, the name of the object:
user and groups are those of the request.

With --exec, certificate and key go into a folder of their own beside the user's key,
and the kubeconfig has kubectl run this program, which hands them out and renews them
before they end (see credential). Such a kubeconfig works on this machine only.

` + exitCodes,
		Example: `  # Wait for jane's certificate and write her kubeconfig
  kubectl csr-onboard fetch jane

  # Into the kubeconfig that kubectl itself uses, beside what is in it
  kubectl csr-onboard fetch jane --merge

  # The certificate alone, to put where another program wants it
  kubectl csr-onboard fetch jane --certificate-only --out jane.crt

  # From the file that an administrator sent back, with the fingerprint of the cluster's
  # CA, which the administrator told jane over another channel
  kubectl csr-onboard fetch jane --from jane.handoff.yaml --ca-fingerprint SHA256:…

  # A request that was made with openssl and kubectl apply
  kubectl csr-onboard fetch jane --key jane.pem --request-name jane

  # With a certificate that renews itself
  kubectl csr-onboard fetch jane --exec

  # Her files are in a folder of their own
  kubectl csr-onboard fetch jane --dir ./jane --timeout 1h`,
		Args:              oneName,
		RunE:              env.inSteps(o),
		ValidArgsFunction: env.completeOwnUsers(&o.Directory),
	}
	o.add(cmd.Flags())
	addDirectoryFlag(cmd.Flags(), &o.Directory)
	cmd.Flags().StringVar(&o.From, "from", "", "take the certificate from this handoff file, or from standard input (-), in place of the cluster")
	cmd.Flags().StringArrayVar(&o.AuthorityFingerprints, "ca-fingerprint", nil, "with --from, accept only a server that is checked against the certificate authority (CA) with this fingerprint, as the administrator told it; repeat it for several")
	_ = cmd.MarkFlagFilename("from", "yaml", "yml", "crt", "pem")
	cmd.Flags().StringVar(&o.Key, "key", "", "the private key (PEM) of a request that another tool made, such as openssl; it is read and never changed")
	cmd.Flags().StringVar(&o.RequestName, "request-name", "", "the name of the certificate signing request, where another tool created it")
	_ = cmd.MarkFlagFilename("key", "pem", "key")
	cmd.Flags().StringVarP(&o.Output, "output", "o", "", "report what was fetched as one of: "+strings.Join(render.Formats(), ", "))
	registerCompletion(cmd, "output", render.Formats())
	return cmd
}

// Complete reads whose certificate it is.
func (o *fetchOptions) Complete(arguments []string) error {
	o.name = arguments[0]
	o.narrator = render.NewNarrator(o.streams.ErrOut)
	return nil
}

// Validate refuses a wait of no time, an empty name, and flags that do nothing.
func (o *fetchOptions) Validate() error {
	if o.name == "" {
		return outcome.Errorf(outcome.ErrUsage, "the NAME is empty")
	}
	if err := refuseFileName(o.name, &fileCommand{"fetch NAME", "--from"}); err != nil {
		return err
	}
	if err := validateReport(o.Output, o.Out); err != nil {
		return err
	}
	switch {
	case o.set.Changed("from") && o.From == "":
		return outcome.WithHint(outcome.Errorf(outcome.ErrUsage, "--from is empty"), "name the handoff file")
	case o.From == "" && o.set.Changed("ca-fingerprint"):
		return outcome.WithHint(
			outcome.Errorf(outcome.ErrUsage, "--ca-fingerprint does nothing without --from"),
			"without a handoff, the certificate authority is the kubeconfig's")
	case o.From != "" && o.set.Changed("timeout"):
		return outcome.WithHint(
			outcome.Errorf(outcome.ErrUsage, "--timeout does nothing with --from, which waits for nothing"),
			"for the time to log in: --request-timeout 30s")
	}
	for i, given := range o.AuthorityFingerprints {
		fingerprint, err := parseFingerprint("ca-fingerprint", given)
		if err != nil {
			return err
		}
		o.AuthorityFingerprints[i] = fingerprint
	}
	if err := o.validate(); err != nil || o.From == "" {
		return err
	}
	for _, name := range []string{"key", "request-name"} {
		if o.set.Changed(name) {
			return outcome.WithHint(
				outcome.Errorf(outcome.ErrUsage, "--%s and --from exclude each other", name),
				"with --from, key and request are in the directory of --dir, as USER.key and USER.csr")
		}
	}
	return o.readHandoff()
}

// readHandoff reads what was sent.
func (o *fetchOptions) readHandoff() (err error) {
	if o.handoff, err = o.inputs().Read(o.From); err != nil {
		return outcome.WithHint(fmt.Errorf("the handoff can't be read: %w", err), "name the file that the administrator sent back")
	}
	o.endpoint, err = o.bareEndpoint()
	return err
}

func (o *fetchOptions) connection() connection {
	c := connecting()
	if o.From != "" {
		c = connection{
			// Which of them are for a handoff and which for a bare certificate is looked at
			// with the file.
			kept: append([]string{"request-timeout", "proxy-url"}, bareConnection...),
			why:  "with --from, which takes the cluster from the file",
			hint: "leave it out",
		}
		if o.Merge {
			c.kept = append(c.kept, "kubeconfig")
		}
	}
	c.namespaceWhy, c.namespaceHint = "with fetch", "for the namespace of the context: --default-namespace"
	return c
}

// Run waits, or reads what was sent, checks and writes.
func (o *fetchOptions) Run(ctx context.Context) error {
	defer o.narrator.Close()
	fetch := o.fetch
	if o.From != "" {
		fetch = o.fetchFrom
	}
	fetched, err := fetch(ctx)
	if err != nil {
		return err
	}
	return printFetched(o.streams, o.Output, fetched)
}

func (o *fetchOptions) fetch(ctx context.Context) (*onboard.Fetched, error) {
	program, err := o.connect(o.narrator)
	if err != nil {
		return nil, err
	}
	in, err := o.input(o.environment, o.name, o.Directory)
	if err != nil {
		return nil, err
	}
	in.KeyFile, in.RequestName = o.Key, o.RequestName
	for _, flag := range []struct{ name, value string }{{"key", o.Key}, {"request-name", o.RequestName}} {
		if flag.value != "" {
			in.Resume += " " + identity.Command{}.Option("--"+flag.name, flag.value).String()
		}
	}
	return program.Fetch(ctx, in)
}

// loginTimeout is how long it is tried to reach the cluster of a handoff.
const loginTimeout = 10 * time.Second

func (o *fetchOptions) fetchFrom(ctx context.Context) (*onboard.Fetched, error) {
	in, err := o.input(o.environment, o.name, o.Directory)
	if err != nil {
		return nil, err
	}
	folder, err := in.FolderOf(o.name)
	if err != nil {
		return nil, err
	}
	timeout, err := o.requestTimeout(loginTimeout)
	if err != nil {
		return nil, err
	}
	trust, err := o.handoffTrust()
	if err != nil {
		return nil, err
	}
	return handoff.Fetch(ctx, o.offline(o.narrator), handoff.FetchInput{
		Trust:        trust,
		Name:         o.name,
		Folder:       folder,
		Source:       o.From,
		Data:         o.handoff,
		Endpoint:     o.endpoint,
		Kubeconfig:   in.Kubeconfig,
		VerifyLogin:  o.VerifyLogin,
		LoginTimeout: timeout,
	})
}

// bareConnection are kubectl's flags that describe the cluster of a bare certificate. Of
// them, server and insecure-skip-tls-verify confirm what a handoff says (see handoff.Trust).
var bareConnection = []string{"server", "certificate-authority", "insecure-skip-tls-verify", "tls-server-name"}

// bareEndpoint is how the cluster of a bare certificate is reached, by kubectl's
// own flags; nil for a handoff, which says it itself.
func (o *fetchOptions) bareEndpoint() (*kubeconfig.Endpoint, error) {
	server, authority := *o.flags.APIServer, *o.flags.CAFile
	insecure := *o.flags.Insecure
	switch {
	case !pki.IsEncoded(o.handoff) && authority != "":
		return nil, outcome.WithHint(
			outcome.Errorf(outcome.ErrUsage, "--certificate-authority is for a bare certificate; the handoff %q has its own", o.From),
			"to confirm the handoff's certificate authority: --ca-fingerprint SHA256:…")
	case !pki.IsEncoded(o.handoff):
		return nil, refuseGiven(o.set, fmt.Sprintf("with the handoff %q, which says it itself", o.From),
			"for another address of the same cluster: --external-server URL", "tls-server-name")
	case o.set.Changed("proxy-url"):
		return nil, refuseGiven(o.set, "with a bare certificate", "set it in the new kubeconfig: kubectl config set-cluster NAME --proxy-url=URL", "proxy-url")
	case server == "" || authority == "" && !insecure:
		return nil, outcome.WithHint(
			outcome.Errorf(outcome.ErrUsage, "a bare certificate does not say which cluster it is for"),
			"add --server URL and --certificate-authority FILE")
	case !kubeconfig.IsServerAddress(server):
		return nil, outcome.WithHint(
			outcome.Errorf(outcome.ErrUsage, "--server %q is no address of an API server", server),
			"for example: --server https://kubernetes.example.com:6443")
	}
	return o.endpointOfFlags()
}

// handoffTrust is what the flags say of a handoff.
func (o *fetchOptions) handoffTrust() (handoff.Trust, error) {
	trust := handoff.Trust{
		AuthorityFingerprints: o.AuthorityFingerprints,
		Server:                *o.flags.APIServer,
		Insecure:              *o.flags.Insecure,
		Confirm:               o.confirmEndpoint,
	}
	if text := *o.flags.ProxyURL; text != "" {
		proxy, hasCredentials, err := kubeconfig.ParseProxy(text)
		if err != nil || hasCredentials {
			return trust, outcome.WithHint(
				outcome.Errorf(outcome.ErrUsage, "invalid --proxy-url: it must be a URL without a user name and a password"),
				"for example: --proxy-url https://proxy.example.com:3128")
		}
		trust.Proxy = proxy
	}
	return trust, nil
}

// confirmEndpoint asks the person whether a handoff leads to the right cluster.
func (o *fetchOptions) confirmEndpoint(ctx context.Context, server string, authorities []handoff.Authority) error {
	var fingerprints []string
	for _, authority := range authorities {
		fingerprints = append(fingerprints, authority.Fingerprint)
	}
	what, flag, shown := "fingerprint of the certificate authority (CA)", "--ca-fingerprint SHA256:…", strings.Join(fingerprints, ", ")
	if len(authorities) == 0 {
		what, flag, shown = "address of the API server", "--server URL", identity.Printable(server)
	}
	person := prompt.AtTerminal(o.streams.In, o.streams.ErrOut)
	if person == nil {
		return outcome.WithHint(
			outcome.Errorf(outcome.ErrUsage, "nothing in it shows that the API server %s is the certificate's, and nobody is at a terminal to confirm the %s: %s",
				identity.Printable(server), what, shown),
			"nothing was sent or written; ask the administrator for the %s over another channel than the file, and add what you are told: %s", what, flag)
	}
	yes, err := person.Confirm(ctx, fmt.Sprintf("Is %s the %s that the administrator told you over another channel?", shown, what))
	if errors.Is(err, prompt.ErrStopped) || err == nil && !yes {
		return outcome.WithHint(fmt.Errorf("you said no to the %s", what), "nothing was sent or written; ask the administrator")
	}
	return err
}

func addDirectoryFlag(flags *pflag.FlagSet, directory *string) {
	flags.StringVar(directory, "dir", "", "the folder of the user's key, request and kubeconfig; a folder of hers under ~/.kube/csr-onboard if not given")
}

// resume is what to type to go on waiting.
func (f *fetchFlags) resume(name, directory string) identity.Command {
	command := fetchCommand(name, directory)
	if f.CertificateOnly {
		command = command.Words("--certificate-only")
	}
	return command
}

// fetchCommand is what to type to fetch a user's kubeconfig later.
func fetchCommand(name, directory string) identity.Command {
	command := identity.NewCommand(program + " fetch").Argument(name)
	if directory != "" {
		command = command.Option("--dir", directory)
	}
	return command
}

// sameCluster adds to a command what has it ask the same cluster as the same person as
// this one: the flags that choose cluster and person, and no credentials.
func (e *environment) sameCluster(command identity.Command) identity.Command {
	add := func(flag, value string) {
		if value != "" {
			command = command.Option("--"+flag, value)
		}
	}
	for _, flag := range []struct {
		name  string
		value *string
	}{
		{"kubeconfig", e.flags.KubeConfig}, {"context", e.flags.Context}, {"cluster", e.flags.ClusterName},
		{"user", e.flags.AuthInfoName}, {"server", e.flags.APIServer}, {"tls-server-name", e.flags.TLSServerName},
		{"certificate-authority", e.flags.CAFile}, {"as", e.flags.Impersonate}, {"as-uid", e.flags.ImpersonateUID},
	} {
		if flag.value != nil {
			add(flag.name, *flag.value)
		}
	}
	if e.flags.ImpersonateGroup != nil {
		for _, group := range *e.flags.ImpersonateGroup {
			add("as-group", group)
		}
	}
	return command
}
