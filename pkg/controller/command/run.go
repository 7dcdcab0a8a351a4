package command

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/controller"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/controller/approve"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/controller/record"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/render/screen"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
)

const (
	// defaultMetricsAddress is where metrics and health are served.
	defaultMetricsAddress = ":9643"
	// noAddress serves them nowhere.
	noAddress = "0"
	// defaultRetention is how long after its expiry a certificate stays on the ledger.
	defaultRetention = 30 * 24 * time.Hour
)

// runOptions is what run takes.
type runOptions struct {
	Environment

	// Controllers and Kubeconfig are required.
	Controllers []string
	Kubeconfig  string
	// MetricsAddress is where metrics and health are served. Required.
	MetricsAddress string
	// Debug logs names of people as well. Optional.
	Debug bool
	// Retention is the --retention of the ledger. Required.
	Retention string
}

// known are the controllers by their names.
func (o *runOptions) known() (map[string]controller.Controller, error) {
	retention, err := request.ParseSpan(o.Retention)
	if err != nil {
		return nil, outcome.Errorf(outcome.ErrUsage, "--retention: %w", err)
	}
	return map[string]controller.Controller{
		record.Name:  record.Controller(record.Settings{Retention: retention}),
		approve.Name: approve.Controller(),
	}, nil
}

// controllerNames are the names of the controllers, sorted.
func controllerNames() []string { return []string{approve.Name, record.Name} }

func newRun(env Environment) *cobra.Command {
	o := &runOptions{Environment: env}
	cmd := &cobra.Command{
		Use:   "run --controllers=NAME,… --kubeconfig FILE",
		Short: "Run controllers that work for the whole cluster",
		Long: `Run controllers that work for the whole cluster. Several replicas can run: one leads each
controller, elected by a Lease in the namespace csr-onboard-system, and the others wait.

  ledger    records every client certificate that the cluster issues, as a ClientCertificate
  approver  approves and denies requests by the approval policies of the cluster, and leaves the
            others to people

The manifests are in deploy. Metrics are at /metrics, health at /healthz and /readyz of
--metrics-address. The log has UIDs and hashes; names of people are logged with --debug only.

Exit codes: 0 done; 1 failed; 2 wrong usage.`,
		Example: `  csr-onboard-controller run --controllers=ledger --kubeconfig /etc/csr-onboard/kubeconfig`,
		Args:    noArguments,
		RunE:    func(cmd *cobra.Command, _ []string) error { return o.run(cmd.Context()) },
	}
	flags := cmd.Flags()
	flags.StringSliceVar(&o.Controllers, "controllers", nil, "the controllers to run: "+strings.Join(controllerNames(), ", "))
	flags.StringVar(&o.Kubeconfig, "kubeconfig", "", "the kubeconfig to reach the API server with")
	flags.StringVar(&o.MetricsAddress, "metrics-address", defaultMetricsAddress, "where to serve metrics and health; "+noAddress+" for nowhere")
	flags.StringVar(&o.Retention, "retention", request.FormatLifetime(defaultRetention), "how long after its expiry a certificate stays on the ledger, such as 30d")
	flags.BoolVar(&o.Debug, "debug", false, "log names of people and errors that hold them, too")
	return cmd
}

func (o *runOptions) run(ctx context.Context) error {
	chosen, err := o.choose()
	if err != nil {
		return err
	}
	if o.Kubeconfig == "" {
		return outcome.WithHint(outcome.Errorf(outcome.ErrUsage, "--kubeconfig is required"), "see: %s run --help", program)
	}
	client, err := connect(o.Environment, o.Kubeconfig)
	if err != nil {
		return err
	}
	listener, err := o.listen(ctx)
	if err != nil {
		return err
	}
	level := slog.LevelInfo
	if o.Debug {
		level = slog.LevelDebug
	}
	return controller.Run(ctx, controller.Input{
		Controllers: chosen, Cluster: client, Identity: replica(), Listener: listener, Version: o.Version, Now: o.Now,
		Log: slog.New(slog.NewTextHandler(screen.Escaping(o.Err), &slog.HandlerOptions{Level: level})),
	})
}

// choose are the controllers that --controllers names.
func (o *runOptions) choose() (chosen []controller.Controller, _ error) {
	known, err := o.known()
	if err != nil {
		return nil, err
	}
	if len(o.Controllers) == 0 {
		return nil, outcome.WithHint(outcome.Errorf(outcome.ErrUsage, "--controllers is required"), "choose of: %s", strings.Join(controllerNames(), ", "))
	}
	for i, name := range o.Controllers {
		one, isKnown := known[name]
		switch {
		case !isKnown:
			return nil, outcome.WithHint(outcome.Errorf(outcome.ErrUsage, "--controllers: unknown controller %q", name), "choose of: %s", strings.Join(controllerNames(), ", "))
		case slices.Contains(o.Controllers[:i], name):
			return nil, outcome.Errorf(outcome.ErrUsage, "--controllers: %q is named twice", name)
		}
		chosen = append(chosen, one)
	}
	return chosen, nil
}

// listen opens where metrics and health are served; nil for nowhere.
func (o *runOptions) listen(ctx context.Context) (net.Listener, error) {
	if o.MetricsAddress == noAddress {
		return nil, nil
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", o.MetricsAddress)
	if err != nil {
		return nil, outcome.WithHint(fmt.Errorf("cannot serve metrics at %q: %w", o.MetricsAddress, err), "choose another address with --metrics-address")
	}
	return listener, nil
}

// replica names this process among the replicas.
func replica() string {
	name := make([]byte, 8)
	// It never fails (crypto/rand).
	_, _ = rand.Read(name)
	return program + "-" + hex.EncodeToString(name)
}
