package cli

import (
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
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
