package policy

import (
	"context"
	"slices"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cmd/cli"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cmd/options"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/process"
)

// evaluator is the program that evaluates policies.
const evaluator = "csr-onboard-controller"

// policyOptions is what the commands take.
type policyOptions struct {
	*cli.Environment

	// verb is "check" or "explain", and Arguments are those behind it.
	verb      string
	Arguments []string
	// Files hold the policies to evaluate. Optional: those of the cluster.
	Files []string
	// Output is the form of what is written. Optional.
	Output string
	// Approver is the user as whom the controller decides. Optional.
	Approver string
	// FromLedger has the requests of the ledger evaluated, and Since says for how long back. Optional:
	// the requests of the cluster.
	FromLedger bool
	Since      string
}

// New makes the command policy.
func New(env *cli.Environment) *cobra.Command {
	parent := &cobra.Command{
		Use:   "policy",
		Short: "Evaluate approval policies for requests, and decide nothing",
		Long: `Evaluate approval policies (ApprovalPolicy objects) for the requests of a cluster, as the controller
approver does, and decide nothing.

The commands run csr-onboard-controller, which is found next to the plugin or on PATH: the same
program that decides on the cluster evaluates the policies.`,
		Args: cli.NoArguments,
		RunE: env.WithoutConnection(func(cmd *cobra.Command, _ []string) error { return cmd.Help() }),
	}
	parent.AddCommand(newCheck(env), newExplain(env))
	return parent
}

func newCheck(env *cli.Environment) *cobra.Command {
	o := &policyOptions{Environment: env, verb: "check"}
	cmd := &cobra.Command{
		Use:   "check [-f FILE]",
		Short: "Show what policies would decide about the requests of the cluster",
		Long: `Show what policies would decide about each request of the cluster: approve it, deny it, or leave it
to people, and why. --filename evaluates policies that are not on the cluster yet, in place of those
that are. Requests that are decided are evaluated as they were when they were created.

The API server is asked whether a requester can use a policy of that name (RBAC verb use).

The cluster keeps a request for an hour after its certificate was issued. --from-ledger evaluates the
requests that the ledger has recorded since --since instead, as far as a record holds a request, and says
what it does not hold: requests for which no certificate was issued, what is in the bytes of a request,
and role bindings, permissions and revocations as they were at the time.

The exit code is 1 if a policy cannot be evaluated, or could not for a request, and 2 if a file has a
mistake, which is shown with its line and column.

` + cli.ExitCodes,
		Example: `  # What do the policies of the cluster say?
  kubectl csr-onboard policy check

  # What would these say? For CI
  kubectl csr-onboard policy check -f policies.yaml -o json

  # What would they have said in the last 90 days?
  kubectl csr-onboard policy check -f policies.yaml --from-ledger --since 90d`,
		Args:              cli.NoArguments,
		RunE:              env.InSteps(o),
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	o.addFlags(cmd)
	cmd.Flags().BoolVar(&o.FromLedger, "from-ledger", false, "evaluate the requests that the ledger has recorded in place of those of the cluster")
	cmd.Flags().StringVar(&o.Since, "since", "", "with --from-ledger, how long ago a request was submitted at most, such as 90d; 30d by default")
	return cmd
}

func newExplain(env *cli.Environment) *cobra.Command {
	o := &policyOptions{Environment: env, verb: "explain"}
	cmd := &cobra.Command{
		Use:   "explain NAME REQUEST [-f FILE]",
		Short: "Show each floor, bound and condition of a policy with its value for a request",
		Long: `Show each floor, bound and condition of a policy with its value for a request, and what all
policies together decide. NAME is the name of a policy, and REQUEST that of a request.

` + cli.ExitCodes,
		Example: `  # Why is this request left to people?
  kubectl csr-onboard policy explain developers jane-w5nf6aojnu`,
		Args:              cobra.ArbitraryArgs,
		RunE:              env.InSteps(o),
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	o.addFlags(cmd)
	return cmd
}

func (o *policyOptions) addFlags(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringArrayVarP(&o.Files, "filename", "f", nil, "a file with the policies to evaluate in place of those of the cluster, or - for standard input")
	flags.StringVar(&o.Approver, "approver", "", "the user as whom the controller decides; the service account of deploy/ by default")
	options.AddFormatFlag(cmd, &o.Output, "text")
}

// Complete takes the arguments.
func (o *policyOptions) Complete(arguments []string) error {
	o.Arguments = slices.Clone(arguments)
	if len(arguments) == 2 {
		o.Arguments[1] = options.ParseName(arguments[1]).Text
	}
	return nil
}

// Connection implements cli.Steps.
func (o *policyOptions) Connection() cli.Connection { return cli.Connecting() }

// Validate refuses a wrong number of arguments, and forms that do not exist.
func (o *policyOptions) Validate() error {
	if o.verb == "explain" && len(o.Arguments) != 2 {
		return outcome.WithHint(outcome.Errorf(outcome.ErrUsage, "policy explain requires the name of a policy and the name of a request"),
			"see which there are: kubectl get approvalpolicies; kubectl csr-onboard list")
	}
	if o.FlagSet.Changed("since") && !o.FromLedger {
		return outcome.WithHint(outcome.Errorf(outcome.ErrUsage, "--since does nothing without --from-ledger"), "add --from-ledger, or leave it out")
	}
	if slices.Contains(o.Files, "") {
		return outcome.WithHint(outcome.Errorf(outcome.ErrUsage, "--filename is empty"), "give it a value, or leave it out")
	}
	return options.ValidateFormat(o.FlagSet, o.Output, "what policies decide", "text")
}

// Run has the evaluator evaluate, with the same flags.
func (o *policyOptions) Run(ctx context.Context) error {
	path, err := process.Companion(evaluator)
	if err != nil {
		return outcome.WithHint(outcome.Errorf(outcome.ErrUsage, "%s not found, which evaluates policies", evaluator),
			"put it next to the plugin or on PATH; it is in the same release")
	}
	code, err := process.Run(ctx, path, o.evaluatorArguments(), o.Streams.In, o.Streams.Out, o.Streams.ErrOut)
	switch {
	case ctx.Err() != nil:
		return outcome.Errorf(outcome.ErrInterrupted, "interrupted")
	case err != nil:
		return err
	case code != 0:
		return &outcome.ExitedError{Code: code}
	}
	return nil
}

// evaluatorArguments are the flags and arguments that were given, in the form in which no value can
// be taken for a flag.
func (o *policyOptions) evaluatorArguments() []string {
	arguments := []string{"policy", o.verb}
	known := append(o.ConnectionFlags(), "filename", "output", "approver", "from-ledger", "since")
	o.FlagSet.Visit(func(flag *pflag.Flag) {
		if !slices.Contains(known, flag.Name) {
			return
		}
		values := []string{flag.Value.String()}
		if list, isList := flag.Value.(pflag.SliceValue); isList {
			values = list.GetSlice()
		}
		for _, value := range values {
			arguments = append(arguments, "--"+flag.Name+"="+value)
		}
	})
	return append(append(arguments, "--"), o.Arguments...)
}
