// Command kubectl-csr_onboard is the kubectl plugin "kubectl csr-onboard".
package main

import (
	"context"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	// So that administrators log in to every cloud's clusters.
	_ "k8s.io/client-go/plugin/pkg/client/auth"
	"k8s.io/klog/v2"

	// Answers kubectl from the credential cache before all of this is set up.
	_ "github.com/csr-onboard/kubectl-csr-onboard/cmd/kubectl-csr_onboard/early"
	_ "github.com/csr-onboard/kubectl-csr-onboard/cmd/kubectl-csr_onboard/latecollection"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/buildinfo"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cmd"
)

// Set by the linker in a release, see the Makefile.
var version, commit, date string

func main() {
	os.Exit(run())
}

func run() int {
	// client-go logs what it returns as errors as well, and writes what servers say as it
	// comes, escapes and all.
	klog.SetLogger(logr.Discard())
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// A second Ctrl-C ends the program the hard way.
	context.AfterFunc(ctx, stop)
	recorded, _ := debug.ReadBuildInfo()
	return cmd.Execute(ctx, os.Args[1:],
		genericiooptions.IOStreams{In: os.Stdin, Out: os.Stdout, ErrOut: os.Stderr},
		buildinfo.Of(buildinfo.Build{Version: version, Commit: commit, Date: date}, recorded), time.Now)
}
