package identity

import (
	"slices"
	"strings"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
)

// ClusterFlags are the flags by which a command was told which cluster to ask, and as whom. They go into
// each command of csr-onboard that a person is told to run next, so that it asks the same cluster. No
// credential is among them.
type ClusterFlags struct {
	// All are the flags for commands that ask a cluster.
	All Command
	// WithFiles are those for commands whose files lie where those of several clusters are.
	WithFiles Command
	// IsOneOfSeveral reports whether the command runs on several clusters, and this is one of them.
	IsOneOfSeveral bool
	// Kubeconfig is the flag for commands that go by what the contexts of a kubeconfig say.
	Kubeconfig Command
}

const program = "kubectl csr-onboard"

// accepts says which of the flags a command accepts. Commands that are not in it accept none.
var accepts = map[string]func(ClusterFlags) Command{
	"new-user": ClusterFlags.withFiles, "fetch": ClusterFlags.withFiles,
	"approve": ClusterFlags.all, "deny": ClusterFlags.all, "show": ClusterFlags.all, "list": ClusterFlags.all,
	"grant": ClusterFlags.all, "offboard": ClusterFlags.all,
	"revoke": ClusterFlags.all, "unrevoke": ClusterFlags.all, "revocations": ClusterFlags.all,
	"ledger": ClusterFlags.all, "policy": ClusterFlags.all, "doctor": ClusterFlags.all,
	"renew": ClusterFlags.kubeconfig, "status": ClusterFlags.kubeconfig,
}

func (f ClusterFlags) all() Command        { return f.All }
func (f ClusterFlags) withFiles() Command  { return f.WithFiles }
func (f ClusterFlags) kubeconfig() Command { return f.Kubeconfig }

var (
	// choosing are the flags of a command that has been told already which cluster to ask.
	choosing = []string{
		"--context", "--contexts", "--contexts-from", "--kubeconfig", "--cluster", "--server", "--user", "--as", "--as-uid", "--as-group",
		"--tls-server-name", "--certificate-authority",
	}
	// withoutCluster are flags that have a command ask no cluster, or take it from a file.
	withoutCluster = []string{"--offline", "--from", "--head", "--help"}
)

// Complete adds the flags to each command of csr-onboard in a text for a person, directly behind its name.
// What stands in double quotes is a name, and stays. Flags that choose another cluster are not named to
// a command on several, which refuses them.
func (f ClusterFlags) Complete(text string) string {
	if f.IsOneOfSeveral {
		text = strings.ReplaceAll(text, "; "+outcome.OtherCluster, "")
	}
	var completed strings.Builder
	isQuoted := false
	for {
		before, rest, found := strings.Cut(text, program+" ")
		completed.WriteString(before)
		if !found {
			return completed.String()
		}
		completed.WriteString(program)
		isQuoted = isQuoted != (strings.Count(before, `"`)%2 == 1)
		if !isQuoted {
			if flags := f.missing(commandAt(rest)); flags != "" {
				completed.WriteString(" " + flags)
			}
		}
		completed.WriteString(" ")
		text = rest
	}
}

// missing are the flags that a command accepts, unless it has been told which cluster to ask.
func (f ClusterFlags) missing(words []string) string {
	if len(words) == 0 || accepts[words[0]] == nil {
		return ""
	}
	for _, word := range words {
		if flag, _, _ := strings.Cut(word, "="); slices.Contains(choosing, flag) || slices.Contains(withoutCluster, flag) {
			return ""
		}
	}
	if slices.Contains(words, "--pin") {
		// It is for one cluster at a time.
		return f.All.String()
	}
	return accepts[words[0]](f).String()
}

// commandAt are the words that a text begins with, up to where its command ends: behind a punctuation mark,
// at the next command, or with the line. Of what is in single quotes, it has the first word alone.
func commandAt(text string) (words []string) {
	text, _, _ = strings.Cut(text, "\n")
	text, _, _ = strings.Cut(text, program+" ")
	isInQuotes := false
	for word := range strings.SplitSeq(text, " ") {
		end := strings.TrimRight(word, ";,:)")
		if !isInQuotes {
			words = append(words, end)
		}
		isInQuotes = isInQuotes != (strings.Count(word, "'")%2 == 1)
		if end != word && !isInQuotes {
			return words
		}
	}
	return words
}
