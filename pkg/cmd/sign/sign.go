package sign

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/util/duration"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cmd/cli"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cmd/options"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/kubeconfig"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/sign"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/prompt"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/render/report"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/requestfile"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/store"
)

// issuanceLog is what the log next to an authority's certificate is called.
const issuanceLog = "csr-onboard-issued.jsonl"

// signOptions is what sign takes.
type signOptions struct {
	*cli.Environment

	// CACert and CAKey are the authority's files. Required.
	CACert, CAKey string
	// PassphraseFile holds the passphrase of an encrypted CAKey. Optional: the person is
	// asked.
	PassphraseFile string
	// Expiration is how long the certificate should be good for. Required; has a
	// default.
	Expiration string
	// Out is the file to write. Required; standard output is the default.
	Out string
	// Log is the log of issued certificates. Optional: next to the authority.
	Log string
	// ClusterName is the cluster's name in a handoff. Optional.
	ClusterName string
	// Yes, Fingerprint and Allow are as in approve.
	Yes         bool
	Fingerprint options.Fingerprint
	Allow       []string
	// DryRun reports whether anything is signed. Required; has a default.
	DryRun options.DryRun
	// Output is the form of a report. Optional: the file's path.
	Output string

	file        string
	fingerprint string
	dryRun      onboard.DryRun
	// object is the request in the file, lifetime how long its certificate is valid, and
	// endpoint the cluster that a handoff is for; nil without --server.
	object   *request.Request
	lifetime time.Duration
	endpoint *kubeconfig.Endpoint
}

// New makes the command sign.
func New(env *cli.Environment) *cobra.Command {
	o := &signOptions{Environment: env}
	cmd := &cobra.Command{
		Use:   "sign FILE",
		Short: "Sign a request with the CA's key, without a cluster",
		Long: `Show what is in a certificate signing request, ask, and sign it with the key of a certificate
authority (CA). No API is called and no network is used. FILE is a PKCS#10 request in PEM or DER, a
CertificateSigningRequest manifest, or - for standard input.

--ca-key accepts an encrypted key. It asks for the passphrase, or reads it from --passphrase-file;
the key is decrypted in memory only. Each file can be a pipe, such as /dev/stdin or <(command).
--ca-cert can contain a chain, in any order: the certificate that belongs to the key signs, and
intermediate certificates are added to the signed certificate, so that an API server that trusts
only the root accepts it.

The certificate is what Kubernetes' own signer would issue: user, groups and key of the request,
with client authentication as its only usage. It does not outlive the CA. Nothing else of the
request is copied. system:masters is never signed.

Every certificate is recorded before it is written: as a line of JSON in
` + issuanceLog + ` next to the CA's certificate, or in --log.

With --server, the output is a kubeconfig without a private key, to send back for fetch --from. It
trusts --certificate-authority for the API server, or the CA that signs if the flag is missing,
which is right only if both are the same.

` + cli.ExitCodes,
		Example: `  # On the CA server
  kubectl csr-onboard sign jane.csr --ca-cert ca.crt --ca-key ca.key --out jane.crt

  # Only show and check the request
  kubectl csr-onboard sign jane.csr --ca-cert ca.crt --ca-key ca.key --dry-run=client

  # With the passphrase of an encrypted key from a file
  kubectl csr-onboard sign jane.csr --ca-cert ca.crt --ca-key ca-encrypted.key --passphrase-file passphrase --out jane.crt

  # A kubeconfig to send back, for the cluster that jane will use
  kubectl csr-onboard sign jane.csr --ca-cert ca.crt --ca-key ca.key --server https://kubernetes.example.com:6443 --out jane.handoff.yaml`,
		Args:              oneFile,
		RunE:              env.InSteps(o),
		ValidArgsFunction: cobra.FixedCompletions([]string{"csr", "req", "p10", "yaml", "yml", "json"}, cobra.ShellCompDirectiveFilterFileExt),
	}
	flags := cmd.Flags()
	flags.StringVar(&o.CACert, "ca-cert", "", "the certificate of the certificate authority (PEM), with its chain if it is an intermediate")
	flags.StringVar(&o.CAKey, "ca-key", "", "the private key of the certificate authority, which can be encrypted (PEM: PKCS#8, PKCS#1, SEC1 or OpenSSH's form)")
	flags.StringVar(&o.PassphraseFile, "passphrase-file", "", "read the passphrase of --ca-key from the first line of this file, which can be a pipe or a descriptor (/dev/fd/3) (default: ask at a terminal)")
	flags.StringVar(&o.Expiration, "expiration", duration.HumanDuration(request.DefaultLifetime), "how long the certificate should be valid, such as 8h or 30d; a manifest can contain its own")
	flags.StringVar(&o.Out, "out", "-", "write to this file, which must not exist, or to standard output (-)")
	flags.StringVar(&o.Log, "log", "", "the log of issued certificates (default: "+issuanceLog+" next to --ca-cert)")
	options.AddClusterNameFlag(flags, &o.ClusterName)
	flags.BoolVarP(&o.Yes, "yes", "y", false, "sign what is shown without asking")
	o.Fingerprint.Add(flags, "sign")
	options.AddAllowFlag(cmd, &o.Allow)
	o.DryRun.Add(cmd, "none, or client (show and check the request, and sign nothing)")
	options.AddFormatFlag(cmd, &o.Output, "the path of --out")
	_ = cmd.MarkFlagFilename("passphrase-file")
	for _, name := range []string{"ca-cert", "ca-key"} {
		_ = cmd.MarkFlagFilename(name, "crt", "key", "pem")
	}
	return cmd
}

// Complete reads which file is meant.
func (o *signOptions) Complete(arguments []string) error {
	o.file = arguments[0]
	var err error
	if o.fingerprint, err = o.Fingerprint.Parse(); err != nil {
		return err
	}
	if o.dryRun, err = o.DryRun.Parse(); err == nil && o.dryRun == onboard.DryRunServer {
		err = outcome.WithHint(outcome.Errorf(outcome.ErrUsage, "--dry-run=server is not possible: sign asks no server"), "use --dry-run=client")
	}
	return err
}

// signConnection are kubectl's flags that describe the cluster of a handoff, except --server.
var signConnection = []string{"certificate-authority", "tls-server-name", "insecure-skip-tls-verify"}

const handoffOfSign = "for a kubeconfig in place of the certificate: --server URL"

// Connection implements cli.Steps.
func (o *signOptions) Connection() cli.Connection {
	return cli.Connection{
		Kept: append([]string{"server"}, signConnection...),
		Why:  "with sign, which asks no server",
		Hint: handoffOfSign,
	}
}

// Validate refuses what can be refused without reading a file.
func (o *signOptions) Validate() error {
	for _, needed := range []struct{ flag, value string }{{"ca-cert", o.CACert}, {"ca-key", o.CAKey}} {
		if needed.value == "" {
			return outcome.WithHint(
				outcome.Errorf(outcome.ErrUsage, "--%s is missing", needed.flag),
				"both are needed: --ca-cert ca.crt --ca-key ca.key")
		}
	}
	if err := o.validateStdin(); err != nil {
		return err
	}
	for _, named := range []string{"out", "log", "passphrase-file"} {
		if o.FlagSet.Changed(named) && o.FlagSet.Lookup(named).Value.String() == "" {
			return outcome.WithHint(outcome.Errorf(outcome.ErrUsage, "--%s is empty", named), "name a file")
		}
	}
	if o.Log == "" && store.IsStream(o.CACert) {
		return outcome.WithHint(
			outcome.Errorf(outcome.ErrUsage, "--log is missing: the log is kept next to --ca-cert, and %q is not a file in a directory", o.CACert),
			"name the log of this certificate authority: --log FILE")
	}
	server := *o.Flags.APIServer
	switch {
	case server != "" && !kubeconfig.IsServerAddress(server):
		return outcome.WithHint(
			outcome.Errorf(outcome.ErrUsage, "--server %q is not a valid address of an API server", server),
			"for example: --server https://kubernetes.example.com:6443")
	case server == "":
		if err := cli.RefuseGiven(o.FlagSet, "without --server", handoffOfSign, append([]string{"cluster-name"}, signConnection...)...); err != nil {
			return err
		}
	}
	if err := options.ValidateName(o.FlagSet, "cluster-name", o.ClusterName); err != nil {
		return err
	}
	if err := o.validateOutput(); err != nil {
		return err
	}
	return request.CheckAllowable(o.Allow)
}

// validateOutput refuses a report where standard output is for the certificate.
func (o *signOptions) validateOutput() error {
	if o.Output != "" && o.Out == "-" {
		return outcome.WithHint(
			outcome.Errorf(outcome.ErrUsage, "--output and --out - both want standard output"),
			"write the certificate to a file: --out FILE")
	}
	return options.ValidateFormat(o.FlagSet, o.Output, "this command's report", "the path of --out")
}

// validateStdin refuses two files that are both standard input, of which the second would
// be empty.
func (o *signOptions) validateStdin() error {
	first := ""
	for _, file := range []struct{ name, path string }{
		{"FILE", o.file}, {"--ca-cert", o.CACert}, {"--ca-key", o.CAKey}, {"--passphrase-file", o.PassphraseFile},
	} {
		switch {
		case !store.IsStdin(file.path):
		case first != "":
			return outcome.WithHint(
				outcome.Errorf(outcome.ErrUsage, "%s and %s cannot both be read from standard input", first, file.name),
				"name a file for one of them, or a descriptor such as /dev/fd/3")
		default:
			first = file.name
		}
	}
	return nil
}

// askPassphrase asks for the passphrase of the authority's key.
func (o *signOptions) askPassphrase(ctx context.Context) ([]byte, error) {
	person := prompt.AtTerminal(o.Streams.In, o.Streams.ErrOut)
	if person == nil {
		return nil, outcome.WithHint(
			outcome.Errorf(outcome.ErrUsage, "--ca-key %q is encrypted, and no terminal is available to enter its passphrase", o.CAKey),
			"name a file that holds it: --passphrase-file FILE")
	}
	return person.Secret(ctx, fmt.Sprintf("Passphrase of %s:", identity.PrintableSentence(o.CAKey)))
}

// Run shows, asks, signs and writes.
func (o *signOptions) Run(ctx context.Context) error {
	o.Narrator.In(o.dryRun)
	signed, err := sign.Run(ctx, o.WithoutCluster(), o.input())
	if err != nil || signed == nil {
		return err
	}
	if o.Output != "" {
		return report.Signed(o.Streams.Out, o.Output, signed)
	}
	if signed.Path != "" {
		return o.PrintLine("%s", signed.Path)
	}
	_, err = o.Streams.Out.Write(signed.Handoff)
	return err
}

// input is what is signed, and with what.
func (o *signOptions) input() sign.Input {
	log := o.Log
	if log == "" {
		log = filepath.Join(filepath.Dir(o.CACert), issuanceLog)
	}
	return sign.Input{
		Object:          o.object,
		Lifetime:        o.lifetime,
		Endpoint:        o.endpoint,
		Source:          o.file,
		CertificateFile: o.CACert,
		KeyFile:         o.CAKey,
		PassphraseFile:  o.PassphraseFile,
		AskPassphrase:   o.askPassphrase,
		Inputs:          o.Inputs(),
		Log:             log,
		Fingerprint:     o.fingerprint,
		DryRun:          o.dryRun != onboard.DryRunNone,
		Allow:           o.Allow,
		Confirm:         options.Confirmation{Person: prompt.AtTerminal(o.Streams.In, o.Streams.ErrOut), Yes: o.Yes, Verb: "sign", Done: "signed"}.Ask,
		Path:            o.Out,
		Fetch:           options.HandoffCommand,
	}
}

// Read reads the request to sign, and the certificate authority of the API server.
func (o *signOptions) Read() error {
	lifetime, err := request.ParseLifetime(o.Expiration)
	if err != nil {
		return err
	}
	data, err := o.Inputs().Read(o.file)
	if err != nil {
		return err
	}
	objects, err := requestfile.Parse(data, lifetime)
	if err != nil {
		return options.NoRequestIn(o.file, err)
	}
	if len(objects) != 1 {
		return outcome.WithHint(fmt.Errorf("there are %d requests in %q", len(objects), o.file), "sign them one at a time")
	}
	o.object = objects[0]
	// No API server is asked: a signer that the manifest leaves open changes nothing.
	requestfile.AssumeSigner(o.object)
	if o.lifetime = request.LifetimeOf(o.object); o.lifetime == 0 || o.FlagSet.Changed("expiration") {
		// The review shows the lifetime that will be given.
		o.lifetime = lifetime
		o.object.Spec.ExpirationSeconds = request.ExpirationSeconds(lifetime)
	}
	o.endpoint, err = o.endpointOfFlags()
	return err
}

// endpointOfFlags is the cluster that a handoff is for, by kubectl's own flags; nil without
// --server.
func (o *signOptions) endpointOfFlags() (*kubeconfig.Endpoint, error) {
	if *o.Flags.APIServer == "" {
		return nil, nil
	}
	endpoint, err := o.EndpointOfFlags()
	if err == nil && o.ClusterName != "" {
		endpoint.Cluster = o.ClusterName
	}
	return endpoint, err
}

// oneFile takes exactly one FILE.
func oneFile(cmd *cobra.Command, arguments []string) error {
	if len(arguments) == 1 && arguments[0] != "" {
		return nil
	}
	err := outcome.Errorf(outcome.ErrUsage, "%s accepts one FILE, got %d", cmd.Name(), len(arguments))
	if len(arguments) == 1 {
		err = outcome.Errorf(outcome.ErrUsage, "the FILE is empty")
	}
	return outcome.WithHint(err,
		"for example: %s jane.csr --ca-cert ca.crt --ca-key ca.key", cmd.CommandPath())
}
