package cmd

import (
	"context"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/validate/content"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
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
	set       *pflag.FlagSet
}

func (f *grantFlags) add(cmd *cobra.Command, env *environment) {
	flags := cmd.Flags()
	f.namespace, f.set = env.flags.Namespace, flags
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

// connection keeps --namespace where a role is named, which is all that it is about.
func (f *grantFlags) connection() connection {
	c := connecting()
	if len(f.ClusterRoles)+len(f.Roles) > 0 {
		c.kept = []string{namespaceFlag}
	}
	c.namespaceWhy, c.namespaceHint = "without --clusterrole or --role", "add the role to grant in that namespace, or leave out -n"
	return c
}

// meansSeveral reports whether these flags mean several objects for one user: each role is a
// binding, and the role of --renewable is an object as well.
func (f *grantFlags) meansSeveral() bool { return len(f.ClusterRoles)+len(f.Roles) != 1 || f.Renewable }

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
			outcome.Errorf(outcome.ErrUsage, "--role names a Role in a namespace, and no namespace is named"),
			"add -n NAMESPACE, or use --clusterrole")
	case namespace == "" && f.set.Changed(namespaceFlag):
		// An unset variable in a script must not mean everywhere.
		return outcome.WithHint(
			outcome.Errorf(outcome.ErrUsage, "the --namespace is empty"),
			"name a namespace; to grant a ClusterRole everywhere, leave out -n")
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
	// Group is a group to grant the roles to, in place of a user. Optional.
	Group string

	user   identity.User
	dryRun onboard.DryRun
}

func newGrant(env *environment) *cobra.Command {
	o := &grantOptions{environment: env, output: newBindingOutput("applied")}
	cmd := &cobra.Command{
		Use:   "grant (NAME | --group GROUP)",
		Short: "Grant a role, or permission to renew, to a user or a group",
		Long: `Grant roles to a user or a group: a RoleBinding in the namespace of -n, or a
ClusterRoleBinding without it. Whether the role and the namespace exist, and whether you
can bind the role, is checked before anything is created. Run again, it changes nothing.

Kubernetes has no user objects, so nothing can tell whether a user exists. grant warns if
no certificate signing request and no role binding on the cluster names the user.

--to-group finds the user's first group in an approved request, which the cluster keeps
for an hour only. --group names a group itself.

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
  kubectl csr-onboard grant jane --clusterrole view --to-group

  # Let everybody in a group look everywhere
  kubectl csr-onboard grant --group dev --clusterrole view`,
		Args:              o.nameOrGroup,
		RunE:              env.inSteps(o),
		ValidArgsFunction: env.completeOneFromCluster(knownUsers),
	}
	o.add(cmd, env)
	cmd.Flags().StringVar(&o.Group, "group", "", "grant it to this group, in place of a user")
	_ = cmd.RegisterFlagCompletionFunc("group", env.completeFromCluster(knownGroups))
	o.DryRun.add(cmd, "none, client (print what would be made) or server (have the cluster check it)")
	cmd.Flags().StringArrayVar(&o.Allow, "allow", nil, "accept a finding that would refuse to give the user a role ("+strings.Join(request.ReturnFindings, ", ")+"); repeat it for several")
	registerCompletion(cmd, "allow", request.ReturnFindings)
	addPrintFlags(cmd, o.output)
	return cmd
}

func newBindingOutput(done string) *genericclioptions.PrintFlags {
	scheme := runtime.NewScheme()
	// They fail only for types that are registered twice.
	_ = rbacv1.AddToScheme(scheme)
	_ = corev1.AddToScheme(scheme)
	return genericclioptions.NewPrintFlags(done).WithTypeSetter(scheme)
}

// Complete reads who is meant.
func (o *grantOptions) Complete(arguments []string) error {
	var err error
	if o.set.Changed("group") {
		// A group's name has the rules that it has in a request.
		_, err = identity.Parse(anyone, []string{o.Group})
	} else {
		err = refuseFileName(arguments[0], nil)
		if err == nil {
			o.user, err = identity.Parse(arguments[0], nil)
		}
	}
	if err != nil {
		return err
	}
	o.dryRun, err = o.DryRun.parse()
	return err
}

// anyone is the name of a user of whom only the groups count.
const anyone = "anyone"

// nameOrGroup takes one NAME, or --group and none.
func (o *grantOptions) nameOrGroup(cmd *cobra.Command, arguments []string) error {
	if !o.set.Changed("group") {
		return oneName(cmd, arguments)
	}
	if len(arguments) > 0 {
		return outcome.WithHint(
			outcome.Errorf(outcome.ErrUsage, "a NAME and --group exclude each other, and there is %q", arguments[0]),
			"for the user's first group: --to-group, without --group")
	}
	return nil
}

// Validate refuses a grant of nothing and roles that there can't be.
func (o *grantOptions) Validate() error {
	if o.set.Changed("group") && o.ToGroup {
		return outcome.WithHint(outcome.Errorf(outcome.ErrUsage, "--group and --to-group exclude each other"), "leave one of them out")
	}
	if !o.gives() && !o.ToGroup {
		return outcome.WithHint(
			outcome.Errorf(outcome.ErrUsage, "no role is named"),
			"for example: %s grant jane --clusterrole view -n default", program)
	}
	if o.set.Changed("group") {
		if err := refuseGiven(o.set, "with --group: its findings are about a user", "leave it out", "allow"); err != nil {
			return err
		}
	}
	if o.dryRun == onboard.DryRunClient {
		if err := refuseGiven(o.set, "with --dry-run=client, which looks for no findings", "to look for them: --dry-run=server", "allow"); err != nil {
			return err
		}
	}
	if err := checkPrintFlags(o.set, strings.ToLower(*o.output.OutputFormat)); err != nil {
		return err
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
	narrator := render.NewNarrator(o.streams.ErrOut).In(o.dryRun)
	defer narrator.Close()
	work := o.offline(narrator)
	if o.dryRun != onboard.DryRunClient || o.ToGroup {
		var err error
		if work, err = o.connect(narrator); err != nil {
			return err
		}
	} else if err := o.checkConnection(o.set); err != nil {
		return err
	}
	in := o.input()
	in.Group, in.Allow = o.Group, o.Allow
	wanted, err := work.Grant(ctx, o.user, in, o.dryRun)
	if err != nil {
		return err
	}
	if err := o.output.Complete("%s" + o.dryRun.Note()); err != nil {
		return err
	}
	return printBindings(o.streams, o.output, o.meansSeveral(), wanted)
}

// printBindings writes the objects that give what is wanted, as a list where several can be
// meant. Lines, for people or of -o name, are one for each object.
func printBindings(streams genericiooptions.IOStreams, output *genericclioptions.PrintFlags, several bool, wanted []access.Wanted) error {
	printer, err := output.ToPrinter()
	if err != nil {
		return err
	}
	objects := bindingObjects(wanted)
	if several && !isNameForm(output) {
		return printer.PrintObj(listOf(objects), streams.Out)
	}
	for _, object := range objects {
		if err := printer.PrintObj(object, streams.Out); err != nil {
			return err
		}
	}
	return nil
}

// isNameForm reports whether the output is a line for each object.
func isNameForm(output *genericclioptions.PrintFlags) bool {
	format := strings.ToLower(*output.OutputFormat)
	return format == "name" || format == "" && *output.TemplatePrinterFlags.TemplateArgument == ""
}

// bindingObjects are the objects that give what is wanted, with the roles that are this
// program's own.
func bindingObjects(wanted []access.Wanted) []runtime.Object {
	var objects []runtime.Object
	hasRole := false
	for _, one := range wanted {
		if one.Grant.Role == access.Renewable && !hasRole {
			hasRole = true
			objects = append(objects, access.RenewableRole())
		}
		objects = append(objects, one.Binding())
	}
	return objects
}

// listOf is the list that kubectl prints several objects as.
func listOf(objects []runtime.Object) *corev1.List {
	list := &corev1.List{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "List"}, Items: []runtime.RawExtension{}}
	for _, object := range objects {
		list.Items = append(list.Items, runtime.RawExtension{Object: object})
	}
	return list
}
