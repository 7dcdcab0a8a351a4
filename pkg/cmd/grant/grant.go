package grant

import (
	"context"
	"strings"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/cli-runtime/pkg/genericclioptions"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/access"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cmd/cli"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cmd/options"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/granting"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
)

// grantOptions is what grant takes.
type grantOptions struct {
	*cli.Environment

	// roles is what is granted.
	roles options.Grants

	// DryRun says how much is done. Required; has a default.
	DryRun options.DryRun
	// Allow names findings to accept. Optional.
	Allow []string

	output *genericclioptions.PrintFlags
	// Group is a group to grant the roles to, in place of a user. Optional.
	Group string

	user   identity.User
	dryRun onboard.DryRun
}

// New makes the command grant.
func New(env *cli.Environment) *cobra.Command {
	o := &grantOptions{Environment: env, output: options.NewBindingOutput("")}
	cmd := &cobra.Command{
		Use:   "grant (NAME | --group GROUP)",
		Short: "Give a role, or permission to renew, to a user or a group",
		Long: `Give roles to a user or a group: with a RoleBinding in the namespace of -n, or with a
ClusterRoleBinding without -n. Whether the role and the namespace exist, and whether you can bind
the role, is checked before anything is created. If you run it again, it changes nothing.

Kubernetes has no user objects, so grant cannot know if a user exists. It warns if no certificate
signing request and no role binding on the cluster names the user.

--to-group finds the user's first group in an approved request, which the cluster keeps for one
hour only. --group names a group directly.

The names of the bindings are derived from what they give. They have the label
` + access.ManagedByLabel + `=` + access.ManagedByValue + `, and an annotation contains the user's exact
name.

A role is not given to a user who is blocked or was offboarded, or if the holder of another valid
certificate of the user would get the role as well. --allow accepts that, by the name of the
finding. See https://github.com/csr-onboard/kubectl-csr-onboard/blob/main/docs/guides/leaving.md.

--renewable gives the ClusterRole ` + access.Renewable.Name + `, which is created if it does not
exist. It permits to create, get and watch certificate signing requests, which renew and the
credential plugin require, and which users cannot do by default.

` + cli.ExitCodes,
		Example: `  # Permit jane to view one namespace
  kubectl csr-onboard grant jane --clusterrole view -n default

  # Permit jane to renew the certificate before it expires
  kubectl csr-onboard grant jane --renewable

  # Print the binding, for another tool to create
  kubectl csr-onboard grant jane --clusterrole view -n default --dry-run=client -o yaml

  # Permit jane's first group to view all namespaces
  kubectl csr-onboard grant jane --clusterrole view --to-group

  # Permit a group to view all namespaces
  kubectl csr-onboard grant --group dev --clusterrole view`,
		Args:              o.nameOrGroup,
		RunE:              env.InSteps(o),
		ValidArgsFunction: cli.CompleteOneFromCluster(env, cli.KnownUsers),
	}
	o.roles.Add(cmd, env)
	cmd.Flags().StringVar(&o.Group, "group", "", "give it to this group, instead of a user")
	_ = cmd.RegisterFlagCompletionFunc("group", cli.CompleteFromCluster(env, cli.KnownGroups))
	o.DryRun.Add(cmd, "none, client (print what would be created) or server (the cluster checks it)")
	cmd.Flags().StringArrayVar(&o.Allow, "allow", nil, "accept a finding that would refuse to give the user a role ("+strings.Join(request.ReturnFindings, ", ")+"); can be repeated")
	cli.RegisterCompletion(cmd, "allow", request.ReturnFindings)
	options.AddPrintFlags(cmd, o.output)
	return cmd
}

// Complete reads who is meant.
func (o *grantOptions) Complete(arguments []string) error {
	var err error
	if o.FlagSet.Changed("group") {
		// A group's name has the rules that it has in a request.
		if _, err = identity.Parse(anyone, []string{o.Group}); err == nil {
			err = options.RefusePinGroups(o.Group)
		}
	} else {
		err = cli.RefuseFileName(arguments[0], nil)
		if err == nil {
			err = options.RefuseRequestName(arguments[0])
		}
		if err == nil {
			o.user, err = identity.Parse(arguments[0], nil)
		}
	}
	if err != nil {
		return err
	}
	o.dryRun, err = o.DryRun.Parse()
	return err
}

// anyone is the name of a user of whom only the groups count.
const anyone = "anyone"

// nameOrGroup takes one NAME, or --group and none.
func (o *grantOptions) nameOrGroup(cmd *cobra.Command, arguments []string) error {
	if !cmd.Flags().Changed("group") {
		return cli.OneName(cmd, arguments)
	}
	if len(arguments) > 0 {
		return outcome.WithHint(
			outcome.Errorf(outcome.ErrUsage, "a NAME and --group exclude each other, and there is %q", arguments[0]),
			"for the user's first group: --to-group, without --group")
	}
	return nil
}

// Connection implements cli.Steps.
func (o *grantOptions) Connection() cli.Connection { return o.roles.Connection() }

// Validate refuses a grant of nothing and roles that there cannot be.
func (o *grantOptions) Validate() error {
	if o.FlagSet.Changed("group") && o.roles.ToGroup {
		return outcome.WithHint(outcome.Errorf(outcome.ErrUsage, "--group and --to-group exclude each other"), "leave one of them out")
	}
	if !o.roles.Gives() && !o.roles.ToGroup {
		return outcome.WithHint(
			outcome.Errorf(outcome.ErrUsage, "no role is named"),
			"for example: %s grant jane --clusterrole view -n default", cli.Program)
	}
	if o.FlagSet.Changed("group") {
		if err := cli.RefuseGiven(o.FlagSet, "with --group: its findings are about a user", "leave it out", "allow"); err != nil {
			return err
		}
	}
	if o.dryRun == onboard.DryRunClient {
		if err := cli.RefuseGiven(o.FlagSet, "with --dry-run=client, which looks for no findings", "to look for them: --dry-run=server", "allow"); err != nil {
			return err
		}
	}
	if err := cli.CheckPrintFlags(o.FlagSet, strings.ToLower(*o.output.OutputFormat)); err != nil {
		return err
	}
	if _, err := o.output.ToPrinter(); err != nil {
		return outcome.WithHint(outcome.Errorf(outcome.ErrUsage, "-o %q: %w", *o.output.OutputFormat, err), "for example: -o yaml, -o json, -o name")
	}
	if err := o.roles.Validate(); err != nil {
		return err
	}
	return request.CheckAmong(o.Allow, request.ReturnFindings)
}

// Run gives.
func (o *grantOptions) Run(ctx context.Context) error {
	o.Narrator.In(o.dryRun)
	work := o.WithoutCluster()
	if o.dryRun != onboard.DryRunClient || o.roles.ToGroup {
		var err error
		if work, err = o.Connect(); err != nil {
			return err
		}
	} else if err := o.CheckConnection(o.FlagSet); err != nil {
		return err
	}
	applied, err := granting.Run(ctx, work, o.user, o.input(), o.dryRun)
	if err != nil {
		return err
	}
	return o.print(applied)
}

// print writes the objects, or a line about each.
func (o *grantOptions) print(applied []granting.Applied) error {
	objects := make([]runtime.Object, len(applied))
	results := make([]string, len(applied))
	for i, one := range applied {
		objects[i], results[i] = one.Object, string(one.Result)+o.dryRun.Note()
	}
	return options.PrintObjects(o.Streams, o.output, o.roles.MeansSeveral(), objects, results)
}

// input is what is granted.
func (o *grantOptions) input() onboard.GrantInput {
	in := o.roles.Input()
	in.Group, in.Allow = o.Group, o.Allow
	return in
}
