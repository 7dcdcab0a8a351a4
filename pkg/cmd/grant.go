package cmd

import (
	"context"
	"strings"

	"github.com/spf13/cobra"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/validate/content"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/access"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/render"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
)

// grantFlags are the flags about what users are to be permitted.
type grantFlags struct {
	// ClusterRoles and Roles are the names of roles. Optional.
	ClusterRoles, Roles []string
	// Renewable lets the user renew her certificate. Optional.
	Renewable bool
	// ToGroup gives them to the user's first group. Optional.
	ToGroup bool

	// namespace is kubectl's own --namespace.
	namespace *string
}

func (f *grantFlags) add(cmd *cobra.Command, env *environment) {
	flags := cmd.Flags()
	f.namespace = env.flags.Namespace
	flags.StringArrayVar(&f.ClusterRoles, "clusterrole", nil, "give the user this ClusterRole: in the namespace of -n, or everywhere without it; repeat it for several")
	flags.StringArrayVar(&f.Roles, "role", nil, "give the user this Role of the namespace of -n; repeat it for several")
	flags.BoolVar(&f.Renewable, "renewable", false, "let the user renew her certificate: create, get and watch certificate signing requests, and nothing else")
	flags.BoolVar(&f.ToGroup, "to-group", false, "give it to the user's first group in her place")
	_ = cmd.RegisterFlagCompletionFunc("clusterrole", env.completeFromCluster(clusterRoles))
	_ = cmd.RegisterFlagCompletionFunc("role", env.completeFromCluster(rolesIn(env.flags.Namespace)))
}

// given is the first of these flags that was given, or "".
func (f *grantFlags) given() string {
	switch {
	case len(f.ClusterRoles) > 0:
		return "clusterrole"
	case len(f.Roles) > 0:
		return "role"
	case f.Renewable:
		return "renewable"
	case f.ToGroup:
		return "to-group"
	}
	return ""
}

// gives says whether anything is to be given.
func (f *grantFlags) gives() bool { return len(f.ClusterRoles)+len(f.Roles) > 0 || f.Renewable }

func (f *grantFlags) validate() error {
	namespace := *f.namespace
	switch {
	case f.ToGroup && !f.gives():
		return outcome.WithHint(
			outcome.Errorf(outcome.ErrUsage, "--to-group gives nothing without a role"),
			"add --clusterrole, --role or --renewable")
	case len(f.Roles) > 0 && namespace == "":
		return outcome.WithHint(
			outcome.Errorf(outcome.ErrUsage, "a Role is in a namespace, and none is named"),
			"add -n NAMESPACE, or use --clusterrole")
	case namespace != "" && len(validation.IsDNS1123Label(namespace)) > 0:
		return outcome.WithHint(
			outcome.Errorf(outcome.ErrUsage, "--namespace %q is no namespace's name", namespace),
			"%s", validation.IsDNS1123Label(namespace)[0])
	}
	for flag, names := range map[string][]string{"clusterrole": f.ClusterRoles, "role": f.Roles} {
		for _, name := range names {
			if problems := content.IsPathSegmentName(name); name == "" || len(problems) > 0 || identity.Printable(name) != name {
				return outcome.WithHint(
					outcome.Errorf(outcome.ErrUsage, "--%s %q is no role's name", flag, name),
					"for example: --%s view", flag)
			}
		}
	}
	return nil
}

func (f *grantFlags) input() onboard.GrantInput {
	in := onboard.GrantInput{ToGroup: f.ToGroup}
	for _, name := range f.ClusterRoles {
		in.Grants = append(in.Grants, access.Grant{Role: access.Role{IsCluster: true, Name: name}, Namespace: *f.namespace})
	}
	for _, name := range f.Roles {
		in.Grants = append(in.Grants, access.Grant{Role: access.Role{Name: name}, Namespace: *f.namespace})
	}
	if f.Renewable {
		in.Grants = append(in.Grants, access.RenewableGrant)
	}
	return in
}

// grantOptions is what grant takes.
type grantOptions struct {
	*environment
	grantFlags

	// DryRun says how much is done. Required; has a default.
	DryRun dryRunFlag
	// Allow names findings to accept. Optional.
	Allow []string

	output *genericclioptions.PrintFlags
	user   identity.User
	dryRun onboard.DryRun
}

func newGrant(env *environment) *cobra.Command {
	o := &grantOptions{environment: env, output: newBindingOutput("applied")}
	cmd := &cobra.Command{
		Use:   "grant NAME",
		Short: "Give a role, or the right to renew, to a user who exists already",
		Long: `Give a user roles: a RoleBinding in the namespace of -n, or a ClusterRoleBinding
without it. That the role and the namespace exist, and that you may bind the role,
is found before anything is made. Run again, it changes nothing.

The bindings are this program's own: their names are derived from what they give,
they have the label ` + access.ManagedByLabel + `=` + access.ManagedByValue + `, and an
annotation has the user's exact name.

A role is not given to a user who is blocked or was offboarded, nor to a name of which
another certificate still logs in, since its holder would get the role as well; --allow
accepts that by the finding's name. See docs/guides/leaving.md.

--renewable gives the ClusterRole ` + access.Renewable.Name + `, which is made if it is not there:
it permits to create, get and watch certificate signing requests, which is what renew
and the credential plugin take, and which nobody may by default.

` + exitCodes,
		Example: `  # Let jane look at what is in one namespace
  kubectl csr-onboard grant jane --clusterrole view -n default

  # Let her renew her certificate before it ends
  kubectl csr-onboard grant jane --renewable

  # A role as a manifest, for another tool to apply
  kubectl csr-onboard grant jane --clusterrole view -n default --dry-run=client -o yaml

  # Let everybody in jane's first group look everywhere
  kubectl csr-onboard grant jane --clusterrole view --to-group`,
		Args:              oneName,
		RunE:              inSteps(o),
		ValidArgsFunction: env.completeOneFromCluster(knownUsers),
	}
	o.add(cmd, env)
	o.DryRun.add(cmd, "none, client (print what would be made) or server (have the cluster check it)")
	cmd.Flags().StringArrayVar(&o.Allow, "allow", nil, "accept a finding that would refuse to give the user a role ("+strings.Join(request.ReturnFindings, ", ")+"); repeat it for several")
	registerCompletion(cmd, "allow", request.ReturnFindings)
	addPrintFlags(cmd, o.output)
	return cmd
}

func newBindingOutput(done string) *genericclioptions.PrintFlags {
	scheme := runtime.NewScheme()
	// It fails only for types that are registered twice.
	_ = rbacv1.AddToScheme(scheme)
	return genericclioptions.NewPrintFlags(done).WithTypeSetter(scheme)
}

// Complete reads who is meant.
func (o *grantOptions) Complete(arguments []string) error {
	var err error
	if o.user, err = identity.Parse(arguments[0], nil); err != nil {
		return err
	}
	o.dryRun, err = o.DryRun.parse()
	return err
}

// Validate refuses a grant of nothing and roles that there can't be.
func (o *grantOptions) Validate() error {
	if !o.gives() && !o.ToGroup {
		return outcome.WithHint(
			outcome.Errorf(outcome.ErrUsage, "no role is named"),
			"for example: %s grant jane --clusterrole view -n default", program)
	}
	if _, err := o.output.ToPrinter(); err != nil {
		return outcome.WithHint(outcome.Errorf(outcome.ErrUsage, "-o %q: %w", *o.output.OutputFormat, err), "for example: -o yaml, -o json, -o name")
	}
	if err := o.validate(); err != nil {
		return err
	}
	return request.CheckAmong(o.Allow, request.ReturnFindings)
}

// Run gives.
func (o *grantOptions) Run(ctx context.Context) error {
	narrator := render.NewNarrator(o.streams.ErrOut)
	defer narrator.Close()
	work := o.offline(narrator)
	if o.dryRun != onboard.DryRunClient || o.ToGroup {
		var err error
		if work, err = o.connect(narrator); err != nil {
			return err
		}
	}
	in := o.input()
	in.Allow = o.Allow
	wanted, err := work.Grant(ctx, o.user, in, o.dryRun)
	if err != nil {
		return err
	}
	if o.dryRun != onboard.DryRunNone {
		if err := o.output.Complete("%s (" + string(o.dryRun) + " dry run)"); err != nil {
			return err
		}
	}
	return printBindings(o.streams, o.output, wanted)
}

// printBindings writes the objects that give what is wanted.
func printBindings(streams genericiooptions.IOStreams, output *genericclioptions.PrintFlags, wanted []access.Wanted) error {
	printer, err := output.ToPrinter()
	if err != nil {
		return err
	}
	for _, one := range wanted {
		if one.Grant.Role == access.Renewable {
			if err := printer.PrintObj(access.RenewableRole(), streams.Out); err != nil {
				return err
			}
		}
		if err := printer.PrintObj(one.Binding(), streams.Out); err != nil {
			return err
		}
	}
	return nil
}
