// Command csr-onboard-controller runs what kubectl csr-onboard needs on a cluster: on control-plane
// nodes, which have API servers refuse who was revoked, and for the whole cluster, the ledger.
package main

import (
	"context"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	"time"
	_ "time/tzdata" // Conditions of policies name time zones, and images may have none.

	"github.com/go-logr/logr"
	"k8s.io/klog/v2"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/buildinfo"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/controller/command"
)

// version is set by the linker in a release, see the Makefile.
var version string

func main() { os.Exit(run()) }

func run() int {
	// client-go logs what it returns as errors as well, and writes what servers say as it
	// comes, escapes and all.
	klog.SetLogger(logr.Discard())
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	recorded, _ := debug.ReadBuildInfo()
	build := buildinfo.Of(buildinfo.Build{Version: version}, recorded)
	return command.Execute(ctx, os.Args[1:], command.Environment{Out: os.Stdout, Err: os.Stderr, Version: build.Version, Now: time.Now})
}
