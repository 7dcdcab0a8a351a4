package fetch

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cmd/cli"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cmd/options"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/kubeconfig"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/clusters"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/handoff"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/pki"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/prompt"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/store"
)

// fetchOptions is what fetch takes.
type fetchOptions struct {
	*cli.Environment

	// flags are about the certificate and the kubeconfig.
	flags options.Fetch

	// Directory is where the user's files are. Optional.
	Directory string
	// From is the handoff that an administrator sent back. Optional.
	From string
	// AuthorityFingerprints are of the certificate authorities (CAs) of the handoff's
	// server, as the administrator told them, with CLUSTER= before each if the handoff is
	// for several clusters. Optional; with From only.
	AuthorityFingerprints []string
	// Key and RequestName are the private key and the object of a request that another
	// tool made. Optional.
	Key, RequestName string
	// Output is the form of the report on standard output. Optional.
	Output string
	// clusters are the clusters to fetch from, if there are several.
	clusters options.Clusters

	// name is the user's, or a request's if isRequest, which typed tells apart.
	typed, name string
	isRequest   bool
	// handoff is what --from names, and endpoint the cluster of a bare certificate.
	handoff  []byte
	endpoint *kubeconfig.Endpoint
	// trust is what AuthorityFingerprints say.
	trust handoff.Trust
	// isOfSeveral says that the handoff is for several clusters.
	isOfSeveral bool
}

// New makes the command fetch.
func New(env *cli.Environment) *cobra.Command {
	o := &fetchOptions{Environment: env}
	cmd := &cobra.Command{
		Use:   "fetch NAME",
		Short: "Wait for a certificate, check it, and write the kubeconfig",
		Long: `Wait until the request that new-user submitted is approved and signed, check that the
certificate belongs to the private key and is for the user and nobody else, log in with it, and
write the kubeconfig next to the key.

The kubeconfig has the server and the certificate authority (CA) of the current context. Its
path is printed, so you can use:

  export KUBECONFIG=$(kubectl csr-onboard fetch jane)

With --from, the certificate comes from the handoff file that an administrator sent back (see
approve --out), and no cluster is required: server and CA are in the file. The certificate is
checked in the same way, and logs in if the cluster can be reached. A bare certificate in PEM
requires --server and --certificate-authority.

Somebody who can replace the file can replace the server and the CA in it. --ca-fingerprint
accepts only the CA with the fingerprint that the administrator told you; always use it if you
can. Without it, a CA that has signed the certificate is accepted with a warning, and any other
CA, as with k3s and Rancher, only after a question at a terminal. A server that is not verified
requires --insecure-skip-tls-verify, a proxy --proxy-url, and a server without its own CA
--server, each as the administrator told you.

If the kubeconfig has a certificate for another key that does not expire earlier than the new one, it
was renewed. It is kept, and the command fails, unless you use --overwrite. A certificate for the same
key is replaced. With --exec, a certificate of the same user, groups and CA in the credential cache that
expires later and logs in is kept, and the command succeeds.

A request that was created by hand, with openssl and kubectl apply, is completed with --key, the
file with its private key, and --request-name, the name of the object. User and groups are those
of the request.

A handoff for several clusters (see approve --contexts) becomes one kubeconfig with a context
for each.

With --exec, certificate and key are written to a credential cache next to the user's key, and
the kubeconfig makes kubectl run csr-onboard, which hands them out and renews them before they
expire (see credential). Such a kubeconfig works on this machine only.

With --contexts, the certificates that new-user --contexts has requested are fetched from several
clusters at the same time, and one kubeconfig has a context for each. NAME is the user's name. If
you run it again, it continues with the clusters that failed.

` + cli.ExitCodes,
		Example: `  # Wait for jane's certificate and write the kubeconfig
  kubectl csr-onboard fetch jane

  # Add the user to the kubeconfig that kubectl uses
  kubectl csr-onboard fetch jane --merge

  # Write only the certificate, for another program
  kubectl csr-onboard fetch jane --certificate-only --out jane.crt

  # From the handoff file of an administrator, with the fingerprint of the CA
  kubectl csr-onboard fetch jane --from jane.handoff.yaml --ca-fingerprint SHA256:…

  # A request that was created with openssl and kubectl apply
  kubectl csr-onboard fetch jane --key jane.pem --request-name jane

  # With a certificate that renews itself
  kubectl csr-onboard fetch jane --exec

  # With the user's files in another directory
  kubectl csr-onboard fetch jane --dir ./jane --timeout 1h

  # From several clusters, into one kubeconfig
  kubectl csr-onboard fetch jane --contexts dev,prod`,
		Args:              cli.OneName,
		RunE:              env.InSteps(o),
		ValidArgsFunction: cli.CompleteOwnUsers(env, &o.Directory),
	}
	o.flags.Add(cmd.Flags())
	options.AddDirectoryFlag(cmd.Flags(), &o.Directory)
	cmd.Flags().StringVar(&o.From, "from", "", "take the certificate from this handoff file, or from standard input (-), instead of the cluster")
	cmd.Flags().StringArrayVar(&o.AuthorityFingerprints, "ca-fingerprint", nil, "with --from, accept only a server that is checked against the certificate authority (CA) with this fingerprint, as the administrator told it; can be repeated. If the handoff is for several clusters: CLUSTER=SHA256:…, for each of them")
	_ = cmd.MarkFlagFilename("from", "yaml", "yml", "crt", "pem")
	cmd.Flags().StringVar(&o.Key, "key", "", "the private key (PEM) of a request that another tool created, such as openssl; the file is never changed")
	cmd.Flags().StringVar(&o.RequestName, "request-name", "", "the name of the certificate signing request, if another tool created it")
	_ = cmd.MarkFlagFilename("key", "pem", "key")
	options.AddFormatFlag(cmd, &o.Output, "the path of the kubeconfig")
	o.clusters.Add(cmd, env)
	return cmd
}

// Complete reads whose certificate it is.
func (o *fetchOptions) Complete(arguments []string) error {
	names, err := options.ParseNames(arguments, &cli.FileCommand{Words: "fetch NAME", Option: "--from"})
	if err != nil {
		return err
	}
	o.typed, o.name, o.isRequest = names[0].String(), names[0].Text, names[0].IsObject
	if given := cli.GivenOf(o.FlagSet, "from", "key", "request-name", "contexts"); o.isRequest && len(given) > 0 {
		return outcome.WithHint(outcome.Errorf(outcome.ErrUsage, "%q is a request, and %s requires the name of a user", arguments[0], cli.Enumerated(given)), "name the user, for example: jane")
	}
	return nil
}

// Validate refuses a wait of no time, and flags that do nothing.
func (o *fetchOptions) Validate() error {
	if err := options.ValidateReport(o.FlagSet, o.Output, o.flags.Out); err != nil {
		return err
	}
	switch {
	case o.FlagSet.Changed("from") && o.From == "":
		return outcome.WithHint(outcome.Errorf(outcome.ErrUsage, "--from is empty"), "name the handoff file")
	case o.From == "" && o.FlagSet.Changed("ca-fingerprint"):
		return outcome.WithHint(
			outcome.Errorf(outcome.ErrUsage, "--ca-fingerprint does nothing without --from"),
			"without a handoff, the certificate authority is the kubeconfig's")
	case o.From != "" && o.FlagSet.Changed("timeout"):
		return outcome.WithHint(
			outcome.Errorf(outcome.ErrUsage, "--timeout does nothing with --from, which waits for nothing"),
			"for the time to log in: --request-timeout 30s")
	}
	if o.clusters.IsGiven() {
		if err := o.clusters.RefuseOne("from", "key", "request-name"); err != nil {
			return err
		}
		if err := o.flags.ValidateClusters(&o.clusters); err != nil {
			return err
		}
	}
	if err := o.parseFingerprints(); err != nil {
		return err
	}
	if err := o.flags.Validate(); err != nil || o.From == "" {
		return err
	}
	for _, name := range []string{"key", "request-name"} {
		if o.FlagSet.Changed(name) {
			return outcome.WithHint(
				outcome.Errorf(outcome.ErrUsage, "--%s and --from exclude each other", name),
				"with --from, key and request are in the directory of --dir, as USER.key and USER.csr")
		}
	}
	return nil
}

// parseFingerprints reads the fingerprints of CAs, each of which may name its cluster. No form of a
// fingerprint has a = but at its end.
func (o *fetchOptions) parseFingerprints() error {
	for _, given := range o.AuthorityFingerprints {
		cluster, text, isNamed := "", given, false
		if place := strings.LastIndex(strings.TrimRight(given, "="), "="); place >= 0 {
			cluster, text, isNamed = given[:place], given[place+1:], true
		}
		fingerprint, err := options.ParseFingerprint("ca-fingerprint", text)
		if err != nil {
			return err
		}
		switch {
		case !isNamed:
			o.trust.AuthorityFingerprints = append(o.trust.AuthorityFingerprints, fingerprint)
		case cluster == "":
			return outcome.WithHint(outcome.Errorf(outcome.ErrUsage, "--ca-fingerprint %q names no cluster", given), "for example: --ca-fingerprint prod-eu=SHA256:…")
		default:
			if o.trust.OfClusters == nil {
				o.trust.OfClusters = map[string][]string{}
			}
			o.trust.OfClusters[cluster] = append(o.trust.OfClusters[cluster], fingerprint)
		}
	}
	return nil
}

// Read reads the handoff of --from, the contexts that are meant, and the kubeconfig that is merged
// into.
func (o *fetchOptions) Read() (err error) {
	if err := o.clusters.Read(o.Environment); err != nil {
		return err
	}
	if o.From != "" {
		if o.handoff, err = o.Inputs().Read(o.From); err != nil {
			return outcome.WithHint(fmt.Errorf("the handoff cannot be read: %w", err), "name the file that the administrator sent back")
		}
		if o.endpoint, err = o.bareEndpoint(); err != nil {
			return err
		}
	}
	return o.flags.Read(o.Environment)
}

// Connection implements cli.Steps.
func (o *fetchOptions) Connection() cli.Connection {
	c := cli.Connecting()
	if o.From != "" {
		c = cli.Connection{
			// Which of them are for a handoff and which for a bare certificate is looked at
			// with the file.
			Kept: append([]string{"request-timeout", "proxy-url"}, bareConnection...),
			Why:  "with --from, which takes the cluster from the file",
			Hint: "leave it out",
		}
		if o.flags.Merge {
			c.Kept = append(c.Kept, "kubeconfig")
		}
	}
	c.NamespaceWhy, c.NamespaceHint = "with fetch", "for the namespace of the context: --default-namespace"
	return c
}

// Run waits, or reads what was sent, checks and writes.
func (o *fetchOptions) Run(ctx context.Context) error {
	if o.clusters.IsGiven() {
		return o.runOnClusters(ctx)
	}
	if o.From != "" {
		return o.fromHandoff(ctx)
	}
	fetched, err := o.fromCluster(ctx)
	if err != nil {
		return err
	}
	return options.PrintFetched(o.Streams, o.Output, fetched)
}

// runOnClusters fetches from several clusters.
func (o *fetchOptions) runOnClusters(ctx context.Context) error {
	directory, err := store.UserDirectoryOf(o.Directory, o.Home(), o.name)
	if err != nil {
		return err
	}
	return o.flags.FetchOnClusters(ctx, o.Environment, &o.clusters, directory, o.name, o.Output,
		func(ctx context.Context, env *cli.Environment, program *onboard.Program) (*onboard.Fetched, error) {
			return program.Fetch(ctx, o.inputOn(env))
		})
}

// inputOn is what is fetched from one of several clusters, in whose directory there is a key of the
// user.
func (o *fetchOptions) inputOn(env *cli.Environment) onboard.FetchInput {
	in := o.flags.Input(env, o.name, o.Directory)
	directoryOf := in.DirectoryOf
	in.DirectoryOf = func(user string) (store.UserDirectory, error) {
		if user != o.name {
			return store.UserDirectory{}, outcome.WithHint(outcome.Errorf(outcome.ErrUsage, "%q is the name of a request for the user %s", o.name, identity.Quote(user)),
				"with --contexts, name the user")
		}
		return directoryOf(user)
	}
	return in
}

func (o *fetchOptions) fromCluster(ctx context.Context) (*onboard.Fetched, error) {
	program, err := o.Connect()
	if err != nil {
		return nil, err
	}
	return program.Fetch(ctx, o.input())
}

// input is what is fetched from the cluster.
func (o *fetchOptions) input() onboard.FetchInput {
	in := o.flags.Input(o.Environment, o.typed, o.Directory)
	in.Name, in.IsObject = o.name, o.isRequest
	in.KeyFile, in.RequestName = o.Key, o.RequestName
	for _, flag := range []struct{ name, value string }{{"key", o.Key}, {"request-name", o.RequestName}} {
		if flag.value != "" {
			in.Resume += " " + identity.Command{}.Option("--"+flag.name, flag.value).String()
		}
	}
	return in
}

// loginTimeout is how long to try to reach the cluster of a handoff.
const loginTimeout = 10 * time.Second

func (o *fetchOptions) fromHandoff(ctx context.Context) error {
	in, err := o.handoffInput()
	if err != nil {
		return err
	}
	sent, err := handoff.Parse(in)
	if err != nil {
		return err
	}
	if o.isOfSeveral = len(sent.Clusters()) > 1; o.isOfSeveral {
		return o.fromSeveral(ctx, in, sent)
	}
	fetched, err := sent.Fetch(ctx, o.WithoutCluster())
	if err != nil {
		return err
	}
	return options.PrintFetched(o.Streams, o.Output, fetched)
}

// fromSeveral fetches from a handoff for several clusters.
func (o *fetchOptions) fromSeveral(ctx context.Context, in handoff.FetchInput, sent *handoff.Sent) error {
	// Each of these would accept something for every cluster of the file.
	if err := o.flags.RefuseForSeveral(o.From, "server", "insecure-skip-tls-verify", "proxy-url"); err != nil {
		return err
	}
	return o.flags.FetchJoined(ctx, o.Environment, in.Directory, o.name, o.Output, func() ([]clusters.Result[*onboard.Fetched], error) {
		checked, err := sent.Check(ctx, func(cluster string) *onboard.Program {
			program := cli.ForContext(o.Environment, cluster).WithoutCluster()
			program.Tell = options.WithoutParts(program.Tell)
			return program
		})
		if err != nil {
			return nil, err
		}
		return clusters.Run(checked, func(one *handoff.Checked) string { return one.Cluster }, func(one *handoff.Checked) (*onboard.Fetched, error) {
			part := o.flags.Input(cli.ForContext(o.Environment, one.Cluster), o.name, o.Directory)
			directory, err := part.DirectoryOf(o.name)
			if err != nil {
				return nil, err
			}
			return one.Fetch(ctx, part.Kubeconfig, directory)
		}), nil
	})
}

// handoffInput is what is fetched from a handoff.
func (o *fetchOptions) handoffInput() (handoff.FetchInput, error) {
	in := o.flags.Input(o.Environment, o.name, o.Directory)
	directory, err := in.DirectoryOf(o.name)
	if err != nil {
		return handoff.FetchInput{}, err
	}
	timeout, err := o.RequestTimeout(loginTimeout)
	if err != nil {
		return handoff.FetchInput{}, err
	}
	trust, err := o.handoffTrust()
	if err != nil {
		return handoff.FetchInput{}, err
	}
	return handoff.FetchInput{
		Trust:        trust,
		Name:         o.name,
		Directory:    directory,
		Source:       o.From,
		Data:         o.handoff,
		Endpoint:     o.endpoint,
		Kubeconfig:   in.Kubeconfig,
		VerifyLogin:  o.flags.VerifyLogin,
		LoginTimeout: timeout,
	}, nil
}

// bareConnection are kubectl's flags that describe the cluster of a bare certificate. Of
// them, server and insecure-skip-tls-verify confirm what a handoff says (see handoff.Trust).
var bareConnection = []string{"server", "certificate-authority", "insecure-skip-tls-verify", "tls-server-name"}

// bareEndpoint is how the cluster of a bare certificate is reached, by kubectl's
// own flags; nil for a handoff, which says it itself.
func (o *fetchOptions) bareEndpoint() (*kubeconfig.Endpoint, error) {
	server, authority := *o.Flags.APIServer, *o.Flags.CAFile
	insecure := *o.Flags.Insecure
	switch {
	case !pki.IsEncoded(o.handoff) && authority != "":
		return nil, outcome.WithHint(
			outcome.Errorf(outcome.ErrUsage, "--certificate-authority is for a bare certificate; the handoff %q has its own", o.From),
			"to confirm the handoff's certificate authority: --ca-fingerprint SHA256:…")
	case !pki.IsEncoded(o.handoff):
		return nil, cli.RefuseGiven(o.FlagSet, fmt.Sprintf("with the handoff %q, which says it itself", o.From),
			"for another address of the same cluster: --external-server URL", "tls-server-name")
	case o.FlagSet.Changed("proxy-url"):
		return nil, cli.RefuseGiven(o.FlagSet, "with a bare certificate", "set it in the new kubeconfig: kubectl config set-cluster NAME --proxy-url=URL", "proxy-url")
	case server == "" || authority == "" && !insecure:
		if _, err := pki.ParseCertificate(o.handoff); err != nil {
			return nil, outcome.WithHint(outcome.BadFile("--from", o.From, err), "name the file that the administrator sent back")
		}
		return nil, outcome.WithHint(
			outcome.Errorf(outcome.ErrUsage, "a bare certificate does not say which cluster it is for"),
			"add --server URL and --certificate-authority FILE")
	case !kubeconfig.IsServerAddress(server):
		return nil, outcome.WithHint(
			outcome.Errorf(outcome.ErrUsage, "--server %q is not a valid address of an API server", server),
			"for example: --server https://kubernetes.example.com:6443")
	}
	return o.EndpointOfFlags()
}

// handoffTrust is what the flags say of a handoff.
func (o *fetchOptions) handoffTrust() (handoff.Trust, error) {
	trust := o.trust
	trust.Server, trust.Insecure, trust.Confirm = *o.Flags.APIServer, *o.Flags.Insecure, o.confirmEndpoint
	if text := *o.Flags.ProxyURL; text != "" {
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
	what, shown := "fingerprint of the certificate authority (CA)", strings.Join(fingerprints, ", ")
	if len(authorities) == 0 {
		what, shown = "address of the API server", identity.Printable(server)
	}
	person := prompt.AtTerminal(o.Streams.In, o.Streams.ErrOut)
	if person == nil {
		return outcome.WithHint(
			outcome.Errorf(outcome.ErrUsage, "it does not prove that the API server %s belongs to the certificate, and no terminal is available to confirm the %s: %s",
				identity.Printable(server), what, shown),
			"nothing was sent or written; ask the administrator for the %s over another channel than the file, and %s", what, o.howToConfirm(len(authorities) > 0))
	}
	yes, err := person.Confirm(ctx, fmt.Sprintf("Is %s the %s that the administrator told you over another channel?", shown, what))
	if err == nil && !yes {
		return outcome.WithHint(fmt.Errorf("you said no to the %s", what), "nothing was sent or written; ask the administrator")
	}
	return err
}

// howToConfirm is how a person confirms an endpoint, or its CA, without being asked.
func (o *fetchOptions) howToConfirm(hasAuthority bool) string {
	switch {
	case hasAuthority && o.isOfSeveral:
		return "add what you are told: --ca-fingerprint CLUSTER=SHA256:…"
	case hasAuthority:
		return "add what you are told: --ca-fingerprint SHA256:…"
	case o.isOfSeveral:
		return "compare it at a terminal"
	default:
		return "add what you are told: --server URL"
	}
}
