package cli

import (
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
)

// SameCluster adds to a command what has it ask the same cluster as the same person as
// this one: the flags that choose cluster and person, and no credentials.
func (e *Environment) SameCluster(command identity.Command) identity.Command {
	add := func(flag, value string) {
		if value != "" {
			command = command.Option("--"+flag, value)
		}
	}
	context := e.Flags.Context
	if e.Cluster != "" {
		// Its files lie where those of several clusters are.
		command, context = OnContexts(command, e.Cluster), nil
	}
	for _, flag := range []struct {
		name  string
		value *string
	}{
		{"kubeconfig", e.Flags.KubeConfig}, {"context", context}, {"cluster", e.Flags.ClusterName},
		{"user", e.Flags.AuthInfoName}, {"server", e.Flags.APIServer}, {"tls-server-name", e.Flags.TLSServerName},
		{"certificate-authority", e.Flags.CAFile}, {"as", e.Flags.Impersonate}, {"as-uid", e.Flags.ImpersonateUID},
	} {
		if flag.value != nil {
			add(flag.name, *flag.value)
		}
	}
	if e.Flags.ImpersonateGroup != nil {
		for _, group := range *e.Flags.ImpersonateGroup {
			add("as-group", group)
		}
	}
	return command
}

// ClusterFlagsOf are the flags of a run that choose cluster and person, for the commands that a person is
// told to run next.
func ClusterFlagsOf(e *Environment) identity.ClusterFlags {
	alone := *e
	alone.Cluster = ""
	flags := identity.ClusterFlags{IsOneOfSeveral: e.Cluster != "", All: alone.SameCluster(identity.Command{}), WithFiles: e.SameCluster(identity.Command{})}
	if file := e.Flags.KubeConfig; file != nil && *file != "" {
		flags.Kubeconfig = flags.Kubeconfig.Option("--kubeconfig", *file)
	}
	return flags
}

// CompleteHint adds the flags of a run to the commands in an error's hint.
func CompleteHint(e *Environment, err error) error {
	hint := outcome.Hint(err)
	if completed := ClusterFlagsOf(e).Complete(hint); completed != hint {
		return outcome.ReplaceHint(err, "%s", completed)
	}
	return err
}
