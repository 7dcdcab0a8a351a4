package newuser

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"k8s.io/apimachinery/pkg/util/duration"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cmd/cli"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cmd/options"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/revoke"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/team"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/pki"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/store"
)

// newUserOptions is what new-user takes.
type newUserOptions struct {
	*cli.Environment

	// Filename is a file with many users. Optional; without it there is one NAME.
	Filename string
	// Groups are the user's groups. Optional.
	Groups []string
	// KeyAlgorithm is the kind of the key. Required; has a default, which is for new keys
	// only.
	KeyAlgorithm string
	// Key is a private key to use in place of a new one. Optional.
	Key string
	// Expiration is how long the certificate should be good for. Required; has
	// a default.
	Expiration string
	// SignerName is who is to sign the request. Required; has a default.
	SignerName string
	// RequestName is the request object's name. Optional.
	RequestName string
	// Directory is where the user's files go. Optional.
	Directory string
	// Offline makes key and request and touches no network. Optional.
	Offline bool
	// Wait waits for somebody else's approval and fetches the kubeconfig as well.
	// Optional.
	Wait bool
	// Approve approves the request and fetches the kubeconfig as well. Optional.
	Approve bool
	// Pin lets a user who was revoked come back. Optional; with Approve.
	Pin bool
	// DryRun says how much is done. Required; has a default.
	DryRun options.DryRun
	// Output is the form of what goes to standard output. Optional.
	Output options.Output
	// fetch is for what comes after an approval.
	fetch options.Fetch
	// grants is what the user gets besides an approval.
	grants options.Grants
	// clusters are the clusters to run on, if there are several.
	clusters options.Clusters
	// OneKey uses the same private key for all of them. Optional.
	OneKey bool

	input onboard.NewUserInput
	// members are the users of the file.
	members []team.Member
}

// New makes the command new-user.
func New(env *cli.Environment) *cobra.Command {
	o := &newUserOptions{Environment: env, Output: options.NewOutput()}
	cmd := &cobra.Command{
		Use:   "new-user (NAME | -f FILE)",
		Short: "Create a private key and a certificate signing request, and submit it",
		Long: `Create a private key and a certificate signing request with the user's name as common name
and one organization for each group, and submit the request to the cluster. The key stays in
the user's directory, with mode 0600.

If you run it again, it finds the key and the request, and continues from there.

With --filename it does that for many users. The file has the name, groups, roles, expiration
and key algorithm of each user, in YAML or JSON (kind Team) or CSV; the flags say what the file
leaves out. An error with one user does not stop the others. If you run it again, it continues
with the users without a kubeconfig. With --approve or --wait, one certificate of each
certificate authority (CA) and key algorithm logs in, and the others are verified against that
CA.

With --filename, --approve and --dry-run it reports what would be created for each user, and
everything that is missing, such as roles and namespaces.

With --offline nothing is submitted and no cluster is required: the request is a file to send
to an administrator, who runs approve --filename and sends a handoff file back, for fetch
--from. The private key never leaves the machine.

With --contexts the user, or each user of the file, is onboarded on several clusters at the same
time, with a private key for each cluster, or one with --one-key; with --approve or --wait, one
kubeconfig has a context for each cluster. Keys and
requests are in the directory clusters below the user's. If you run it again, it continues with the
clusters that failed.

A user who is revoked is refused. With --approve and --pin, the name comes back with a
new key: every API server accepts the new certificate and its renewals, and still refuses the user's
others. The certificate has one more group, csr-onboard:pin:…, by which API servers know it.

` + cli.ExitCodes,
		Example: `  # Request a certificate for jane in the group dev
  kubectl csr-onboard new-user jane --group dev

  # Two groups, a shorter lifetime, and another directory
  kubectl csr-onboard new-user jane -g dev -g ops --expiration 8h --dir ./jane

  # Print the object for another tool to submit; key and request stay in the user's directory
  kubectl csr-onboard new-user jane --group dev --dry-run=client -o yaml

  # Wait for an administrator's approval, and fetch the kubeconfig
  kubectl csr-onboard new-user jane --group dev --wait

  # Without access to a cluster: create a request to send to an administrator
  kubectl csr-onboard new-user jane --group dev --offline

  # Everything in one command, as an administrator
  kubectl csr-onboard new-user jane --group dev --approve

  # A team, with the kubeconfigs in one directory
  kubectl csr-onboard new-user --filename team.yaml --approve --dir ./team

  # Check a team file with roles, in a pull request
  kubectl csr-onboard new-user --filename team.yaml --approve --dry-run=server --dir ./check

  # Give the user a role in one namespace as well
  kubectl csr-onboard new-user jane --group dev --approve --clusterrole view -n default

  # On several clusters, with one kubeconfig
  kubectl csr-onboard new-user jane --group dev --approve --contexts dev,prod`,
		Args:              o.nameOrFile,
		RunE:              env.InSteps(o),
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	flags := cmd.Flags()
	cli.TeamSection.In(flags, func(set *pflag.FlagSet) {
		set.StringVarP(&o.Filename, "filename", "f", "", "onboard the users in this file (YAML, JSON or CSV), or in standard input (-)")
	})
	flags.StringArrayVarP(&o.Groups, "group", "g", nil, "a group of the user; can be repeated")
	flags.StringVar(&o.KeyAlgorithm, "key-algorithm", string(pki.DefaultKeyAlgorithm), "the algorithm of the private key: "+strings.Join(pki.KeyAlgorithms(), ", "))
	flags.StringVar(&o.Key, "key", "", "use this private key (PEM) instead of a new one; the file is never changed")
	flags.StringVar(&o.Expiration, "expiration", duration.HumanDuration(request.DefaultLifetime), "how long the certificate should be valid, such as 8h or 30d; the cluster can give less")
	flags.StringVar(&o.SignerName, "signer-name", request.Signer, "the signer of the request; the certificate of another signer logs in only if the API server trusts that signer")
	flags.StringVar(&o.RequestName, "request-name", "", "the name of the certificate signing request (default: derived from user, groups and key)")
	options.AddDirectoryFlag(flags, &o.Directory)
	flags.BoolVar(&o.Offline, "offline", false, "only create key and request, to send to an administrator; use no network")
	flags.BoolVar(&o.Wait, "wait", false, "wait until somebody has approved the request, and fetch the kubeconfig")
	flags.BoolVar(&o.Pin, "pin", false, "with --approve, let a revoked user come back: API servers accept this certificate and its renewals, and refuse the user's others")
	flags.BoolVar(&o.Approve, "approve", false, "approve the request and fetch the kubeconfig, if you can approve")
	o.DryRun.Add(cmd, "none, client (print the object that would be sent; only key and request are created) or server (the cluster checks it)")
	o.Output.Add(cmd)
	o.fetch.Add(flags)
	o.grants.Add(cmd, env)
	o.clusters.Add(cmd, env)
	cli.ClustersSection.In(flags, func(set *pflag.FlagSet) {
		set.BoolVar(&o.OneKey, "one-key", false, "with --contexts, use the same private key on all clusters")
	})
	_ = cmd.MarkFlagFilename("key", "pem", "key")
	_ = cmd.MarkFlagFilename("filename", "yaml", "yml", "json", "csv")
	cli.RegisterCompletion(cmd, "key-algorithm", pki.KeyAlgorithms())
	_ = cmd.RegisterFlagCompletionFunc("group", cli.CompleteFromCluster(env, cli.KnownGroups))
	_ = cmd.MarkFlagDirname("dir")
	return cmd
}

// nameOrFile takes one NAME, unless there is a file; what is wrong with it then is
// said with the file.
func (o *newUserOptions) nameOrFile(cmd *cobra.Command, arguments []string) error {
	if o.Filename != "" {
		return nil
	}
	return cli.OneName(cmd, arguments)
}

// Complete reads the arguments and flags.
func (o *newUserOptions) Complete(arguments []string) error {
	algorithm, err := pki.ParseKeyAlgorithm(o.KeyAlgorithm)
	if err != nil {
		return err
	}
	lifetime, err := request.ParseLifetime(o.Expiration)
	if err != nil {
		return err
	}
	dryRun, err := o.DryRun.Parse()
	if err != nil {
		return err
	}
	signer, err := request.ParseSigner(o.SignerName)
	if err != nil {
		return fmt.Errorf("--signer-name: %w", err)
	}
	if o.FlagSet.Changed("request-name") {
		if _, err := request.ParseName(o.RequestName); err != nil {
			return fmt.Errorf("--request-name: %w", err)
		}
	}
	o.input = onboard.NewUserInput{Signer: signer, RequestName: o.RequestName, KeyAlgorithm: algorithm, RequireAlgorithm: o.FlagSet.Changed("key-algorithm"), KeyFile: o.Key, Lifetime: lifetime, DryRun: dryRun}
	if o.FlagSet.Changed("expiration") {
		o.input.LifetimeSource = "--expiration"
	}
	o.Narrator.In(dryRun)
	if o.Filename != "" {
		if len(arguments) > 0 {
			return outcome.WithHint(
				outcome.Errorf(outcome.ErrUsage, "a NAME and --filename exclude each other, and there is %q", arguments[0]),
				"put the user into the file, or leave out --filename")
		}
		return nil
	}
	if err := cli.RefuseFileName(arguments[0], &cli.FileCommand{Words: "new-user", Option: "-f"}); err != nil {
		return err
	}
	if err := options.RefuseRequestName(arguments[0]); err != nil {
		return err
	}
	if o.input.User, err = identity.Parse(arguments[0], o.Groups); err != nil {
		return err
	}
	o.input.Directory, err = store.UserDirectoryOf(o.Directory, o.Home(), o.input.User.Name)
	return err
}

// Read reads the users of the file, the contexts that are meant, and the kubeconfig that is merged
// into.
func (o *newUserOptions) Read() error {
	if err := o.clusters.Read(o.Environment); err != nil {
		return err
	}
	if o.Filename != "" {
		if err := o.readTeam(); err != nil {
			return err
		}
	}
	return o.fetch.Read(o.Environment)
}

// Validate refuses flags that need another one and were given without it.
func (o *newUserOptions) Validate() error {
	if o.Key != "" && o.FlagSet.Changed("key-algorithm") {
		return outcome.WithHint(
			outcome.Errorf(outcome.ErrUsage, "--key and --key-algorithm exclude each other"),
			"an existing key has its own algorithm")
	}
	if err := o.validateMode(); err != nil {
		return err
	}
	if err := validateClusters(o); err != nil {
		return err
	}
	if given := o.fetch.Given(); given != "" && !o.Approve && !o.Wait {
		return outcome.WithHint(
			outcome.Errorf(outcome.ErrUsage, "--%s does nothing without --approve or --wait", given),
			"give it to fetch, or add --approve or --wait")
	}
	if given := o.grants.Given(); given != "" && !o.Approve {
		return outcome.WithHint(
			outcome.Errorf(outcome.ErrUsage, "--%s does nothing without --approve", given),
			"give it to approve or grant, or add --approve")
	}
	if err := o.grants.Validate(); err != nil {
		return err
	}
	if err := validatePin(o); err != nil {
		return err
	}
	if err := options.RefusePinGroups(o.Groups...); err != nil {
		return err
	}
	switch {
	case o.Filename != "":
		if err := o.validateTeam(); err != nil {
			return err
		}
	case o.Approve, o.Wait:
		if err := cli.RefusePrintFlags(o.FlagSet, "this command's report"); err != nil {
			return err
		}
		if err := options.ValidateReport(o.FlagSet, o.Output.Format(), o.fetch.Out); err != nil {
			return err
		}
	default:
		if err := o.Output.Validate(o.FlagSet); err != nil {
			return err
		}
	}
	return o.fetch.Validate()
}

// validatePin refuses --pin without a certificate to pin, and with a key that exists.
func validatePin(o *newUserOptions) error {
	switch {
	case !o.Pin:
		return nil
	case !o.Approve || o.Filename != "":
		return outcome.WithHint(outcome.Errorf(outcome.ErrUsage, "--pin is for one user, with --approve"),
			"the certificate is pinned before it logs in: new-user NAME --approve --pin")
	case o.Key != "":
		return outcome.WithHint(outcome.Errorf(outcome.ErrUsage, "--pin and --key exclude each other"),
			"a user who was revoked comes back with a new key")
	}
	return nil
}

// validateMode refuses what cannot be done together: what needs a cluster, or a certificate,
// where there is none.
func (o *newUserOptions) validateMode() error {
	set := o.FlagSet
	isDryRun := o.input.DryRun != onboard.DryRunNone
	if o.Offline {
		if err := cli.RefuseGiven(set, "with --offline", "a file holds neither: the one who submits it gives them", "signer-name", "request-name"); err != nil {
			return err
		}
		if given := cli.GivenOf(set, "approve", "wait", "dry-run"); o.Approve || o.Wait || isDryRun {
			return outcome.WithHint(
				outcome.Errorf(outcome.ErrUsage, "--offline excludes %s", cli.Enumerated(given)),
				"without a cluster nothing can be approved or checked")
		}
	}
	switch {
	case isDryRun && o.Filename != "" && o.Approve && !o.Wait:
		// It says what would be given, and what is missing for it.
		return cli.RefuseGiven(set, "with --dry-run", "a dry run issues no certificate, and so writes no kubeconfig", o.fetch.Names...)
	case isDryRun && (o.Approve || o.Wait):
		return outcome.WithHint(
			outcome.Errorf(outcome.ErrUsage, "--dry-run excludes %s", cli.Enumerated(cli.GivenOf(set, "approve", "wait"))),
			"a dry run issues no certificate; to check the roles of a team: --filename FILE --approve --dry-run=server")
	case o.Approve && !o.Wait && set.Changed("wait"):
		return outcome.WithHint(
			outcome.Errorf(outcome.ErrUsage, "--approve waits for the certificate, and --wait=false contradicts it"),
			"to approve and continue: new-user, and then approve --wait=false")
	}
	return nil
}

// Connection implements cli.Steps.
func (o *newUserOptions) Connection() cli.Connection {
	if o.Offline {
		return cli.Connection{Why: "with --offline, which asks no server", Hint: "leave out --offline"}
	}
	return o.grants.Connection()
}

// Run submits the request and, with --approve or --wait, sees it through.
func (o *newUserOptions) Run(ctx context.Context) error {
	switch {
	case o.clusters.IsGiven():
		return runOnClusters(ctx, o)
	case o.Filename != "":
		return o.runTeam(ctx)
	case o.Offline:
		return o.runOffline(ctx)
	}
	program, err := o.programFor(o.input.DryRun)
	if err != nil {
		return err
	}
	if o.Approve || o.Wait {
		fetched, err := o.seeThrough(ctx, program)
		if err != nil {
			return err
		}
		return options.PrintFetched(o.Streams, o.Output.Format(), fetched)
	}
	object, created, err := program.NewUser(ctx, o.input)
	if err != nil {
		return err
	}
	if o.input.DryRun == onboard.DryRunNone {
		o.Narrator.Tell(onboard.NextSteps{Object: object, Fetch: o.SameCluster(options.FetchCommand(o.nameToFetch(object.Name), o.Directory))})
	}
	return o.Output.Print(o.Streams, done(created, o.input.DryRun), false, object)
}

// done is what is printed to have been done to a request.
func done(created bool, dryRun onboard.DryRun) string {
	if created {
		return "created" + dryRun.Note()
	}
	return "unchanged" + dryRun.Note()
}

// seeThrough sees the request through to the kubeconfig.
func (o *newUserOptions) seeThrough(ctx context.Context, program *onboard.Program) (*onboard.Fetched, error) {
	in := o.fetchInput()
	if !o.Approve {
		return program.NewUserFetched(ctx, o.input, in)
	}
	if o.Pin {
		if err := revoke.CheckPinnable(ctx, program, o.input.User.Name); err != nil {
			return nil, err
		}
		returning, err := revoke.Pinned(ctx, program, o.input.User, rand.Reader)
		if err != nil {
			return nil, err
		}
		o.input.User = returning.User
		in.Pin = func(ctx context.Context, certificate *pki.Certificate) error {
			_, err := returning.Pin(ctx, program, certificate, revoke.DefaultPatience)
			return err
		}
	}
	return program.NewUserApproved(ctx, o.input, o.grants.Input(), in)
}

// fetchInput is how the certificate is fetched, with --approve or --wait.
func (o *newUserOptions) fetchInput() onboard.FetchInput {
	in := o.fetch.Input(o.Environment, o.nameToFetch(o.RequestName), o.Directory)
	in.ResumeRequest = func(name string) string {
		return o.fetch.Input(o.Environment, o.nameToFetch(name), o.Directory).Resume
	}
	return in
}

// nameToFetch is what fetch finds the request by: the user's name, or the request's where
// that cannot be derived.
func (o *newUserOptions) nameToFetch(requestName string) string {
	if o.RequestName != "" || o.input.Signer != request.Signer && requestName != "" {
		return requestName
	}
	return o.input.User.Name
}

// programFor makes the program; a client's dry run needs no cluster.
func (o *newUserOptions) programFor(dryRun onboard.DryRun) (*onboard.Program, error) {
	if dryRun != onboard.DryRunClient {
		program, err := o.Connect()
		if errors.Is(err, cli.ErrNoKubeconfig) && !o.Approve && !o.Wait {
			err = outcome.ReplaceHint(err, "set KUBECONFIG, or use --kubeconfig FILE; to create a request without a cluster, and send it to an administrator: --offline")
		}
		return program, err
	}
	if err := o.CheckConnection(o.FlagSet); err != nil {
		return nil, err
	}
	return o.WithoutCluster(), nil
}

// offlineInput is what is created with --offline: nothing on a cluster.
func (o *newUserOptions) offlineInput() onboard.NewUserInput {
	in := o.input
	in.DryRun = onboard.DryRunClient
	return in
}

// runOffline makes key and request, and says how it continues. The data is the
// request's path, or the object in the form that was asked for.
func (o *newUserOptions) runOffline(ctx context.Context) error {
	in := o.offlineInput()
	object, _, err := o.WithoutCluster().NewUser(ctx, in)
	if err != nil {
		return err
	}
	path := in.Directory.RequestPath()
	fingerprint := request.ReviewOf(object).Fingerprint
	approve := identity.NewCommand(cli.Program+" approve").Option("-f", filepath.Base(path)).Option("--fingerprint", fingerprint)
	if in.Lifetime != request.DefaultLifetime {
		approve = approve.Option("--expiration", o.Expiration)
	}
	handoff := store.HandoffPath("", identity.FileName(in.User.Name))
	fetch := options.FetchCommand(in.User.Name, o.Directory).Option("--from", handoff)
	o.Narrator.Tell(onboard.NextStepsOffline{Path: path, Fingerprint: fingerprint, Approve: approve.Option("--out", handoff), Fetch: fetch})
	if o.Output.IsForPeople() {
		return o.PrintLine("%s", path)
	}
	return o.Output.Print(o.Streams, "made", false, object)
}
