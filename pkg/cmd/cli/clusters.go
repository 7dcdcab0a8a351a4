package cli

import (
	"bytes"
	"encoding/csv"
	"strings"

	"k8s.io/cli-runtime/pkg/genericclioptions"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/render"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/render/screen"
)

// ContextsFlag is the flag that names several contexts.
const ContextsFlag = "contexts"

// ChoosingFlags are those of kubectl's own flags that choose cluster and user, which the contexts of
// several clusters choose instead.
var ChoosingFlags = []string{
	"context", "cluster", "server", "user", "token", "client-certificate", "client-key", "certificate-authority",
	"tls-server-name", "insecure-skip-tls-verify", "proxy-url",
}

// ForContext is the environment of a command on one of several clusters: that of a context of the
// kubeconfig. What is told there begins with the context's name.
func ForContext(e *Environment, name string) *Environment {
	flags := genericclioptions.NewConfigFlags(false)
	flags.CacheDir = nil
	flags.KubeConfig, flags.Namespace, flags.Timeout = e.Flags.KubeConfig, e.Flags.Namespace, e.Flags.Timeout
	flags.Impersonate, flags.ImpersonateUID = e.Flags.Impersonate, e.Flags.ImpersonateUID
	flags.ImpersonateGroup, flags.ImpersonateUserExtra = e.Flags.ImpersonateGroup, e.Flags.ImpersonateUserExtra
	flags.DisableCompression = e.Flags.DisableCompression
	flags.Context = &name
	on := *e
	on.Flags, on.Cluster, on.kubeconfig = flags, name, nil
	on.Streams.ErrOut = screen.Prefixing(e.Streams.ErrOut, render.ClusterPrefix(name))
	on.Narrator = e.Narrator.ForCluster(name).Completing(ClusterFlagsOf(&on))
	return &on
}

// OnContexts adds to a command the flag that names several contexts.
func OnContexts(command identity.Command, names ...string) identity.Command {
	// The flag's value is a line of CSV.
	var line bytes.Buffer
	fields := csv.NewWriter(&line)
	// Nothing is written to but memory.
	_ = fields.Write(names)
	fields.Flush()
	return command.Option("--"+ContextsFlag, strings.TrimSuffix(line.String(), "\n"))
}
