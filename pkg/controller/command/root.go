// Package command is the command line of csr-onboard-controller. It and the packages of pkg/cmd
// are the only importers of cobra.
package command

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"regexp"
	"runtime"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cluster"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cluster/enforcement"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/controller/enforce"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/render"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/render/screen"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/store"
)

const program = "csr-onboard-controller"

// Environment is what the program takes from outside.
type Environment struct {
	// Out and Err are standard output and error. Required.
	Out, Err io.Writer
	// Version is the release, such as "v0.1.0". Required.
	Version string
	// Now is the clock. Required.
	Now func() time.Time
}

// Execute runs the program with the arguments behind its name, and returns its exit code.
func Execute(ctx context.Context, arguments []string, env Environment) int {
	root := newRoot(env)
	root.SetArgs(arguments)
	err := root.ExecuteContext(ctx)
	if err != nil {
		render.Failure(env.Err, err)
	}
	return outcome.ExitCode(err)
}

// Tree is the program's command tree, for what documents it.
func Tree(version string) *cobra.Command {
	return newRoot(Environment{Out: io.Discard, Err: io.Discard, Version: version, Now: func() time.Time { return time.Time{} }})
}

func newRoot(env Environment) *cobra.Command {
	root := &cobra.Command{
		Use:   program,
		Short: "Run the parts of csr-onboard that work on a cluster",
		Long: `Run the parts of csr-onboard that work on a cluster. enforce makes the API server of a control-plane
node refuse revoked users and certificates. run runs controllers for the whole cluster: the ledger,
which records every client certificate, and the approver, which decides about requests by approval
policies. policy shows what approval policies decide.`,
		Version:           env.Version,
		SilenceErrors:     true,
		SilenceUsage:      true,
		CompletionOptions: cobra.CompletionOptions{DisableDefaultCmd: true},
		Args:              noArguments,
		RunE:              func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetOut(env.Out)
	root.SetErr(env.Err)
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return outcome.WithHint(outcome.Errorf(outcome.ErrUsage, "%w", err), "see: %s --help", cmd.CommandPath())
	})
	root.AddCommand(newEnforce(env), newRun(env), newPolicy(env))
	return root
}

// noArguments refuses arguments as wrong usage.
func noArguments(cmd *cobra.Command, arguments []string) error {
	if len(arguments) == 0 {
		return nil
	}
	err := outcome.Errorf(outcome.ErrUsage, "%s accepts no arguments, got %q", cmd.Name(), arguments[0])
	if !cmd.HasParent() {
		err = outcome.Errorf(outcome.ErrUsage, "unknown command %q", arguments[0])
	}
	if cmd.Flags().Changed("denier") {
		return outcome.WithHint(err, "join an address to its flag by an equals sign: --denier=ADDRESS")
	}
	return outcome.WithHint(err, "see: %s --help", cmd.CommandPath())
}

// enforceOptions is what enforce takes.
type enforceOptions struct {
	Environment

	// Directory, Kubeconfig and Node are required.
	Directory, Kubeconfig, Node string
	// Once ends after one pass. Optional.
	Once bool
	// Denier is the address of the denier. Optional: none.
	Denier string
}

func newEnforce(env Environment) *cobra.Command {
	o := &enforceOptions{Environment: env}
	cmd := &cobra.Command{
		Use:   "enforce --directory DIR --kubeconfig FILE --node NAME",
		Short: "Make the API server of a control-plane node refuse revoked users and certificates",
		Long: `Make the API server of a control-plane node refuse the users and certificates on the list of kubectl
csr-onboard revoke.

The API server reads DIR/authorization.yaml (--authorization-config) and reloads it when it changes.
enforce watches the list, writes that file, asks the API server whether it refuses everybody on the
list, and reports that in a Lease in the namespace kube-system. The kubeconfig must lead to the API
server of the same node, not to a load balancer.

The API server refuses by itself, with an error (status 500) that says that access was revoked. With
--denier, it asks the enforcer, which answers at an address that this machine alone can reach: then
revoked users get a 403 with the reason that the administrator gave. While the enforcer does not run,
they are refused all the same, with a 500. Nobody else is affected.

Run one enforcer on each control-plane node. Set up the directory with: enforce init. Requires
Kubernetes 1.32 or later.

Exit codes: 0 done; 1 failed, or with --once not everything is in force; 2 wrong usage; 6 another
enforcer works in the directory.`,
		Example: `  csr-onboard-controller enforce --directory /etc/kubernetes/csr-onboard \
    --kubeconfig /etc/kubernetes/csr-onboard-enforcer.kubeconfig --node "$(hostname)"`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.run(cmd.Context()) },
	}
	flags := cmd.Flags()
	flags.StringVar(&o.Directory, "directory", "", "the directory of the authorization file")
	flags.StringVar(&o.Kubeconfig, "kubeconfig", "", "the kubeconfig to reach the API server of this node with")
	flags.StringVar(&o.Node, "node", "", "the name of this node")
	flags.BoolVar(&o.Once, "once", false, "put the list as it is into force, report it, and exit")
	flags.StringVar(&o.Denier, "denier", "", "also answer the API server at this address of this machine: revoked users get a 403 with the reason")
	flags.Lookup("denier").NoOptDefVal = enforce.DefaultDenier
	cmd.AddCommand(newInit(env))
	return cmd
}

func (o *enforceOptions) run(ctx context.Context) error {
	for flag, value := range map[string]string{"--directory": o.Directory, "--kubeconfig": o.Kubeconfig, "--node": o.Node} {
		if value == "" {
			return outcome.WithHint(outcome.Errorf(outcome.ErrUsage, "%s is required", flag), "see: %s enforce --help", program)
		}
	}
	if problems := validation.IsDNS1123Subdomain(o.Node); len(problems) > 0 || len(o.Node) > 200 {
		return outcome.Errorf(outcome.ErrUsage, "--node %q is not a valid node name", o.Node)
	}
	if o.Denier != "" {
		if err := enforce.CheckDenierAddress(o.Denier); err != nil {
			return err
		}
		if o.Once {
			return outcome.WithHint(outcome.Errorf(outcome.ErrUsage, "--denier and --once exclude each other"), "a denier answers as long as the enforcer runs")
		}
	}
	directory, err := store.EnforcementIn(o.Directory)
	if err != nil {
		return err
	}
	if _, err := o.connect(); err != nil {
		return err
	}
	in := enforce.Input{
		Directory: directory, Node: o.Node, Version: o.Version, Denier: o.Denier, Connect: o.connect, Now: o.Now,
		Log: slog.New(slog.NewTextHandler(screen.Escaping(o.Err), nil)),
	}
	if o.Once {
		return enforce.Once(ctx, in)
	}
	return enforce.Run(ctx, in)
}

// connect makes a client of the kubeconfig as it is now.
func (o *enforceOptions) connect() (*enforcement.Client, error) {
	client, err := connect(o.Environment, o.Kubeconfig)
	if err != nil {
		return nil, err
	}
	return client.Enforcement(), nil
}

// connect makes a client of a kubeconfig as it is now.
func connect(env Environment, path string) (*cluster.Client, error) {
	config, err := clientcmd.BuildConfigFromFlags("", path)
	if err != nil {
		// The error may quote the file.
		return nil, outcome.WithHint(outcome.Errorf(outcome.ErrUsage, "--kubeconfig %q cannot be used", path), "check it with: kubectl config view")
	}
	target, credentials, err := cluster.FromKubeconfig(config, "kubernetes")
	if err != nil {
		return nil, err
	}
	return clientTo(env, target, credentials)
}

// clientTo makes a client of csr-onboard.
func clientTo(env Environment, target cluster.Target, credentials cluster.Credentials) (*cluster.Client, error) {
	target.UserAgent = fmt.Sprintf("%s/%s (%s/%s)", program, env.Version, runtime.GOOS, runtime.GOARCH)
	target.Now = env.Now
	return cluster.New(target, credentials)
}

// plainPath is a path that is the same in YAML, in systemd's units and on a command line.
var plainPath = regexp.MustCompile(`^[A-Za-z0-9/._-]+$`)

// initOptions is what enforce init takes.
type initOptions struct {
	Environment

	Directory, Modes, Configuration, Manifest string
}

func newInit(env Environment) *cobra.Command {
	o := &initOptions{Environment: env}
	cmd := &cobra.Command{
		Use:   "init --directory DIR (--authorization-mode MODES | --authorization-config FILE | --manifest FILE)",
		Short: "Set up the directory of the authorization file, and print what else to do",
		Long: `Set up the directory of the authorization file, for its owner alone, with a first file that refuses
nobody and otherwise authorizes as the API server does now. How that is, is read from the API
server's manifest, or given by a flag. Then print how to start the API server with the file.

No file of the API server is changed. Run as root on each control-plane node.`,
		Example: `  # A node that kubeadm set up
  csr-onboard-controller enforce init --directory /etc/kubernetes/csr-onboard \
    --manifest /etc/kubernetes/manifests/kube-apiserver.yaml

  # Any other
  csr-onboard-controller enforce init --directory /var/lib/csr-onboard --authorization-mode Node,RBAC`,
		Args: noArguments,
		RunE: func(*cobra.Command, []string) error { return o.run() },
	}
	flags := cmd.Flags()
	flags.StringVar(&o.Directory, "directory", "", "the directory to set up")
	flags.StringVar(&o.Modes, "authorization-mode", "", "the API server's --authorization-mode, such as Node,RBAC")
	flags.StringVar(&o.Configuration, "authorization-config", "", "the file of the API server's --authorization-config")
	flags.StringVar(&o.Manifest, "manifest", "", "the manifest of the API server's static pod, to read one or the other from")
	return cmd
}

func (o *initOptions) run() error {
	given := 0
	for _, value := range []string{o.Modes, o.Configuration, o.Manifest} {
		if value != "" {
			given++
		}
	}
	switch {
	case o.Directory == "":
		return outcome.WithHint(outcome.Errorf(outcome.ErrUsage, "--directory is required"), "for example: --directory /etc/kubernetes/csr-onboard")
	case !plainPath.MatchString(o.Directory):
		return outcome.WithHint(outcome.Errorf(outcome.ErrUsage, "--directory %q has characters that not every configuration of an API server can hold", o.Directory),
			"use letters, digits, and any of /._-")
	case given != 1:
		return outcome.WithHint(outcome.Errorf(outcome.ErrUsage, "exactly one of --authorization-mode, --authorization-config and --manifest is required"),
			"see how the API server is started, for example: --authorization-mode Node,RBAC")
	}
	directory, err := store.EnforcementIn(o.Directory)
	if err != nil {
		return err
	}
	prepared, err := enforce.Prepare(enforce.Setup{Directory: directory, Modes: o.Modes, Configuration: o.Configuration, Manifest: o.Manifest})
	if err != nil {
		return err
	}
	said := "set up"
	if prepared.WasThere {
		said = "already set up"
	}
	_, err = fmt.Fprintf(o.Out, "%s %s; authorizers: revocation, %s\n\n%s", identity.Quote(o.Directory), said, prepared.Base, steps(directory))
	return err
}

// steps are what remains to be done on the node. The paths are those of the operator.
func steps(directory store.Enforcement) string {
	return strings.NewReplacer("FILE", directory.AuthorizationPath(), "DIR", directory.Path()).Replace(instructions)
}

const instructions = `Next steps. The API server must be Kubernetes 1.32 or later, and sees the directory at the same
path. Do one control-plane node after the other, and wait until its API server is ready again.

1. Start the API server with the file, and without --authorization-mode.

   kubeadm: add this to apiServer in the ClusterConfiguration (kubeadm.k8s.io/v1beta4), then
   recreate the manifest with: kubeadm init phase control-plane apiserver --config CONFIG

     apiServer:
       extraArgs:
       - name: authorization-config
         value: FILE
       extraVolumes:
       - name: csr-onboard
         hostPath: DIR
         mountPath: DIR
         readOnly: true
         pathType: Directory

   Mount the directory, not the file: an API server does not see a mounted file change.
   Upload the same configuration, so that upgrades and new nodes have it:
   kubeadm init phase upload-config kubeadm --config CONFIG

   k3s, in /etc/rancher/k3s/config.yaml, and RKE2, in /etc/rancher/rke2/config.yaml:

     kube-apiserver-arg:
     - authorization-config=FILE

   RKE2 runs the API server in a pod, which needs the directory as well:

     kube-apiserver-extra-mount:
     - DIR:DIR

   A systemd unit: replace --authorization-mode=… by
     --authorization-config=FILE

2. Run the enforcer on this node: as the DaemonSet in deploy/, or as a systemd unit with
   csr-onboard-controller enforce --directory DIR --kubeconfig KUBECONFIG --node NODE

3. When every node is done, see whether they agree: kubectl csr-onboard revocations

If the API server does not start: put --authorization-mode back in the place of
--authorization-config. Nothing else was changed.
`
