package controller

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cluster"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/ledger"
)

// LeaseName is the name of the Lease of a controller.
func LeaseName(controller string) string { return "csr-onboard-" + controller }

// How long a leader that was killed is waited for, and how often replicas look.
const (
	leaseDuration = 6 * time.Second
	renewDeadline = 4 * time.Second
	retryPeriod   = time.Second
)

// Controller is something that one replica at a time does for the cluster.
type Controller struct {
	// Name is such as "ledger". Required.
	Name string
	// Lead works until the context ends, which is when another replica may lead. An error ends
	// the program, so that it is started again. Required.
	Lead func(ctx context.Context, tools Tools) error
}

// Tools are what a controller works with.
type Tools struct {
	// Cluster is the client.
	Cluster *cluster.Client
	// Log takes what happens: names of people at slog.LevelDebug only.
	Log *slog.Logger
	// Metrics registers the metrics of the controller. A controller may lead several times: see
	// Register.
	Metrics prometheus.Registerer
	// Version is that of the program.
	Version string
	// Now is the clock.
	Now func() time.Time
	// Working has to be called when the controller has read what it needs and works.
	Working func()
}

// Register registers metrics, or returns those of the same description that a lead before has
// registered.
func Register[C prometheus.Collector](metrics prometheus.Registerer, made C) C {
	err := metrics.Register(made)
	var exists prometheus.AlreadyRegisteredError
	if errors.As(err, &exists) {
		if before, isSame := exists.ExistingCollector.(C); isSame {
			return before
		}
	}
	return made
}

// Input is what Run takes.
type Input struct {
	// Controllers are run side by side. At least one is required.
	Controllers []Controller
	// Cluster is the client. Required.
	Cluster *cluster.Client
	// Identity names this replica. Required.
	Identity string
	// Listener is where metrics and health are served; nil for nowhere. Run closes it.
	Listener net.Listener
	// Log takes what happens. Required.
	Log *slog.Logger
	// Version is that of the program. Required.
	Version string
	// Now is the clock. Required.
	Now func() time.Time
}

// Run runs controllers until the context ends. An error says which controller failed, and why.
func Run(ctx context.Context, in Input) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	metrics, ready := prometheus.NewRegistry(), newReadiness(in.Controllers)
	shutDown := serve(in.Listener, metrics, ready)
	defer shutDown()
	if in.Listener != nil {
		in.Log.Info("serving metrics and health", "address", in.Listener.Addr().String())
	}
	leading := Register(metrics, prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "csr_onboard_leading", Help: "1 where this replica leads a controller.",
	}, []string{"controller"}))
	var running sync.WaitGroup
	for _, one := range in.Controllers {
		gauge := leading.WithLabelValues(one.Name)
		tools := Tools{
			Cluster: in.Cluster, Log: in.Log.With("controller", one.Name), Metrics: metrics, Version: in.Version, Now: in.Now,
			Working: func() { ready.set(one.Name) },
		}
		running.Go(func() {
			if err := campaign(ctx, in, one, tools, gauge); err != nil {
				stop(fmt.Errorf("%s: %w", one.Name, err))
			}
		})
	}
	running.Wait()
	if err := context.Cause(ctx); err != nil && !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return nil
}

// campaign leads whenever no other replica does, until the context ends or leading fails.
func campaign(ctx context.Context, in Input, one Controller, tools Tools, leading prometheus.Gauge) error {
	lock := &loggedLock{log: tools.Log, Interface: &resourcelock.LeaseLock{
		LeaseMeta:  metav1.ObjectMeta{Namespace: ledger.Namespace, Name: LeaseName(one.Name)},
		Client:     in.Cluster.Controlling().Leases(),
		LockConfig: resourcelock.ResourceLockConfig{Identity: in.Identity},
	}}
	for ctx.Err() == nil {
		term, end := context.WithCancel(ctx)
		var hasBegun atomic.Bool
		ended := make(chan error, 1)
		elector, err := leaderelection.NewLeaderElector(leaderelection.LeaderElectionConfig{
			Lock: lock, LeaseDuration: leaseDuration, RenewDeadline: renewDeadline, RetryPeriod: retryPeriod, Name: one.Name,
			Callbacks: leaderelection.LeaderCallbacks{
				OnStartedLeading: func(lead context.Context) {
					hasBegun.Store(true)
					tools.Log.Info("leading")
					leading.Set(1)
					err := one.Lead(lead, tools)
					if lead.Err() != nil {
						// It was stopped, and says so.
						err = nil
					}
					leading.Set(0)
					ended <- err
					end()
				},
				OnStoppedLeading: func() {},
				OnNewLeader: func(leader string) {
					if leader != in.Identity {
						// To wait is what this replica is for.
						tools.Working()
					}
				},
			},
		})
		if err != nil {
			end()
			return err
		}
		elector.Run(term)
		// Where nobody has ended the term, it was led, and the Lease was lost.
		isLed := term.Err() == nil || hasBegun.Load()
		end()
		if !isLed {
			continue
		}
		if err := <-ended; err != nil {
			return err
		}
		tools.Log.Info("not leading any more")
	}
	return nil
}
