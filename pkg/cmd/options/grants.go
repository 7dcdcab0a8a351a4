package options

import (
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"k8s.io/apimachinery/pkg/api/validate/content"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/access"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cmd/cli"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
)

// Grants are the flags about what users are to be permitted.
type Grants struct {
	// ClusterRoles and Roles are the names of roles. Optional.
	ClusterRoles, Roles []string
	// Renewable lets the user renew their certificate. Optional.
	Renewable bool
	// ToGroup gives them to the user's first group. Optional.
	ToGroup bool

	// namespace is kubectl's own --namespace.
	namespace *string
	set       *pflag.FlagSet
}

// Add adds the flags.
func (f *Grants) Add(cmd *cobra.Command, env *cli.Environment) {
	flags := cmd.Flags()
	f.namespace, f.set = env.Flags.Namespace, flags
	cli.RBACSection.In(flags, f.addTo)
	_ = cmd.RegisterFlagCompletionFunc("clusterrole", cli.CompleteFromCluster(env, cli.ClusterRoles))
	_ = cmd.RegisterFlagCompletionFunc("role", cli.CompleteFromCluster(env, cli.RolesIn(env.Flags.Namespace)))
}

func (f *Grants) addTo(flags *pflag.FlagSet) {
	flags.StringArrayVar(&f.ClusterRoles, "clusterrole", nil, "give the user this ClusterRole, in the namespace of -n, or in all namespaces without -n; can be repeated")
	flags.StringArrayVar(&f.Roles, "role", nil, "give the user this Role in the namespace of -n; can be repeated")
	flags.BoolVar(&f.Renewable, "renewable", false, "permit the user to renew the certificate: to create, get and watch certificate signing requests, and nothing else")
	flags.BoolVar(&f.ToGroup, "to-group", false, "give it to the user's first group instead of the user")
}

// Given is the first of these flags that was given, or "".
func (f *Grants) Given() string {
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

// Connection keeps --namespace where a role is named, which is all that it is about.
func (f *Grants) Connection() cli.Connection {
	c := cli.Connecting()
	if len(f.ClusterRoles)+len(f.Roles) > 0 {
		c.Kept = []string{cli.NamespaceFlag}
	}
	c.NamespaceWhy, c.NamespaceHint = "without --clusterrole or --role", "add the role to grant in that namespace, or leave out -n"
	return c
}

// MeansSeveral reports whether these flags mean several objects for one user: each role is a
// binding, and the role of --renewable is an object as well.
func (f *Grants) MeansSeveral() bool { return len(f.ClusterRoles)+len(f.Roles) != 1 || f.Renewable }

// Gives reports whether anything is to be given.
func (f *Grants) Gives() bool { return len(f.ClusterRoles)+len(f.Roles) > 0 || f.Renewable }

// Validate refuses roles and namespaces that cannot exist, with ErrUsage.
func (f *Grants) Validate() error {
	namespace := *f.namespace
	switch {
	case f.ToGroup && !f.Gives():
		return outcome.WithHint(
			outcome.Errorf(outcome.ErrUsage, "--to-group gives nothing without a role"),
			"add --clusterrole, --role or --renewable")
	case len(f.Roles) > 0 && namespace == "":
		return outcome.WithHint(
			outcome.Errorf(outcome.ErrUsage, "--role names a Role in a namespace, and no namespace is named"),
			"add -n NAMESPACE, or use --clusterrole")
	case namespace == "" && f.set.Changed(cli.NamespaceFlag):
		// An unset variable in a script must not mean everywhere.
		return outcome.WithHint(
			outcome.Errorf(outcome.ErrUsage, "the --namespace is empty"),
			"name a namespace; to grant a ClusterRole everywhere, leave out -n")
	case namespace != "" && len(validation.IsDNS1123Label(namespace)) > 0:
		return outcome.WithHint(
			outcome.Errorf(outcome.ErrUsage, "--namespace %q is not a valid namespace", namespace),
			access.NamespaceRule)
	}
	for flag, names := range map[string][]string{"clusterrole": f.ClusterRoles, "role": f.Roles} {
		for _, name := range names {
			if problems := content.IsPathSegmentName(name); name == "" || len(problems) > 0 || identity.Printable(name) != name {
				return outcome.WithHint(
					outcome.Errorf(outcome.ErrUsage, "--%s %q is not a valid role name", flag, name),
					"for example: --%s view", flag)
			}
		}
	}
	return nil
}

// Input is what these flags give.
func (f *Grants) Input() onboard.GrantInput {
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
