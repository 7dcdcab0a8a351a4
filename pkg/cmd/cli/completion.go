package cli

import (
	"context"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/completion"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/render"
)

// completionPatience is how long a person who has pressed Tab waits.
const completionPatience = 900 * time.Millisecond

// Candidates finds what may be meant at a place of the command line.
type Candidates func(ctx context.Context, program *onboard.Program) ([]completion.Candidate, error)

// CompleteFromCluster completes names with what the cluster knows. A cluster that cannot
// be reached, does not answer soon, or says no completes nothing, and nothing is said. So
// does one at which only another program could log in: pressing Tab runs none.
func CompleteFromCluster(e *Environment, find Candidates) cobra.CompletionFunc {
	return func(cmd *cobra.Command, given []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
		ctx, cancel := context.WithTimeout(cmd.Context(), completionPatience)
		defer cancel()
		program, err := e.connectAlone(render.NewNarrator(io.Discard, e.Now))
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		// What was found before an error is still worth offering.
		found, _ := find(ctx, program)
		return offered(found, given, typed), cobra.ShellCompDirectiveNoFileComp
	}
}

// CompleteOneFromCluster is CompleteFromCluster for commands that take one argument.
func CompleteOneFromCluster(e *Environment, find Candidates) cobra.CompletionFunc {
	return OnlyFirst(CompleteFromCluster(e, find))
}

// OnlyFirst completes nothing behind the first argument.
func OnlyFirst(complete cobra.CompletionFunc) cobra.CompletionFunc {
	return func(cmd *cobra.Command, given []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if len(given) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return complete(cmd, given, typed)
	}
}

// CompleteOwnUsers completes with the users whose requests are on this machine.
func CompleteOwnUsers(e *Environment, directory *string) cobra.CompletionFunc {
	return OnlyFirst(func(_ *cobra.Command, given []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
		return offered(completion.OwnUsers(*directory, e.Home()), given, typed), cobra.ShellCompDirectiveNoFileComp
	})
}

// CompleteFromKubeconfig completes with names of the kubeconfig.
func CompleteFromKubeconfig(e *Environment, names func(*Contexts) []string) cobra.CompletionFunc {
	return func(_ *cobra.Command, given []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
		contexts, err := e.Contexts(completionPatience)
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return offered(completion.Names(names(contexts)), given, typed), cobra.ShellCompDirectiveNoFileComp
	}
}

// EachOfList completes the last element of a list that is separated by commas; those before it are
// given already.
func EachOfList(complete cobra.CompletionFunc) cobra.CompletionFunc {
	return func(cmd *cobra.Command, _ []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
		end := strings.LastIndex(typed, ",") + 1
		completions, directive := complete(cmd, strings.Split(typed[:end], ","), typed[end:])
		for i, last := range completions {
			completions[i] = typed[:end] + last
		}
		return completions, directive
	}
}

// RegisterCompletion completes a flag from fixed words.
func RegisterCompletion(cmd *cobra.Command, flag string, words []string) {
	// It fails only for a flag that there is not, which the command's own tests
	// would show.
	_ = cmd.RegisterFlagCompletionFunc(flag, func(_ *cobra.Command, _ []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
		return offered(completion.Names(words), nil, typed), cobra.ShellCompDirectiveNoFileComp
	})
}

// ContextNames are the names of the contexts.
func ContextNames(c *Contexts) []string { return slices.Sorted(maps.Keys(c.Raw.Contexts)) }

// ClusterNames are the names of the clusters.
func ClusterNames(c *Contexts) []string { return slices.Sorted(maps.Keys(c.Raw.Clusters)) }

// UserNames are the names of the users.
func UserNames(c *Contexts) []string { return slices.Sorted(maps.Keys(c.Raw.AuthInfos)) }

// offered are the candidates that a shell may be given: those that continue from what was
// typed, were not given already, and mean nothing to a shell but themselves. Names come
// from the author of a request or a binding, and a shell puts them on the command line as
// they are.
func offered(found []completion.Candidate, given []string, typed string) []cobra.Completion {
	var completions []cobra.Completion
	for _, candidate := range found {
		for _, name := range []string{candidate.Name, candidate.Request} {
			if !isTypeable(name) {
				continue
			}
			if strings.HasPrefix(name, typed) && !slices.Contains(given, name) {
				completions = append(completions, cobra.CompletionWithDesc(name, candidate.About))
			}
			break
		}
	}
	slices.Sort(completions)
	return completions
}

// isTypeable reports whether a name can be typed without quotes, and is seen as what it is.
func isTypeable(name string) bool {
	return name != "" && identity.ShellWord(name) == name && !identity.IsOptionLike(name)
}

// Candidates for arguments and flags.

// PendingUsers are the users with a pending request.
func PendingUsers(ctx context.Context, program *onboard.Program) ([]completion.Candidate, error) {
	return completion.PendingUsers(ctx, program)
}

// KnownUsers are the users that requests and role bindings name.
func KnownUsers(ctx context.Context, program *onboard.Program) ([]completion.Candidate, error) {
	return completion.KnownUsers(ctx, program)
}

// KnownGroups are the groups that requests and role bindings name.
func KnownGroups(ctx context.Context, program *onboard.Program) ([]completion.Candidate, error) {
	return completion.KnownGroups(ctx, program)
}

// Namespaces are the cluster's namespaces.
func Namespaces(ctx context.Context, program *onboard.Program) ([]completion.Candidate, error) {
	names, err := program.Cluster.Bindings().Namespaces(ctx)
	return completion.Names(names), err
}

// ClusterRoles are the cluster's ClusterRoles.
func ClusterRoles(ctx context.Context, program *onboard.Program) ([]completion.Candidate, error) {
	names, err := program.Cluster.Bindings().ClusterRoles(ctx)
	return completion.Names(names), err
}

// RolesIn are the Roles of the namespace that was given.
func RolesIn(namespace *string) Candidates {
	return func(ctx context.Context, program *onboard.Program) ([]completion.Candidate, error) {
		if *namespace == "" {
			return nil, nil
		}
		names, err := program.Cluster.Bindings().Roles(ctx, *namespace)
		return completion.Names(names), err
	}
}
