// Package early answers kubectl from the credential cache before the rest of the
// program is set up.
//
// kubectl runs its credential plugin before every command, and what client-go and
// its API types do when they are initialised takes several times as long as the
// answer itself. Go initialises packages in the order of their import paths, each as
// soon as what it imports is initialised (Go specification, Program
// initialization). So this package, which imports next to nothing, comes before
// those: on Linux it does without package os, too. It looks for the one command line
// that kubeconfigs have, gives the answer if it is whole, private and good for this
// moment, and ends the process. In every other case it does nothing, and the
// credential command does all that there is to do.
package early

import "github.com/csr-onboard/kubectl-csr-onboard/pkg/answer"

func init() {
	if arguments := commandLine(); len(arguments) == 4 && arguments[1] == answer.Command && arguments[2] == answer.CacheFlag {
		give(arguments[3])
	}
}

// give writes the answer of a cache to standard output and ends the process, or
// does nothing.
func give(folder string) {
	version := answer.WantedVersion(variable(answer.InfoVariable))
	if version == "" || folder == "" || folder[len(folder)-1] == '/' || !isPrivate(folder) {
		return
	}
	if credential := answer.Decode(readPrivate(folder+"/"+answer.File), version, now()); credential != nil {
		writeAndExit(credential)
	}
}
