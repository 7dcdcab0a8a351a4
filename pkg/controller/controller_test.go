package controller

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cluster/clustertest"
)

// TestRegister_AControllerThatLeadsAgainCountsOn: its metrics are registered already.
func TestRegister_AControllerThatLeadsAgainCountsOn(t *testing.T) {
	metrics := prometheus.NewRegistry()
	counter := func() prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: "decisions_total", Help: "Decisions."})
	}
	first := Register(metrics, counter())
	first.Add(3)
	second := Register(metrics, counter())
	second.Inc()
	families, err := metrics.Gather()
	if err != nil || first != second || len(families) != 1 || families[0].Metric[0].Counter.GetValue() != 4 {
		t.Errorf("%v, %v", families, err)
	}
	// One of another kind under the same name cannot stand for it.
	gauge := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "decisions_total", Help: "Decisions."}, nil)
	if Register(metrics, gauge) != gauge {
		t.Error("another one is returned")
	}
}

func TestRun_AControllerThatCannotBeElectedIsAnErrorWithItsName(t *testing.T) {
	led := false
	err := Run(t.Context(), Input{
		Cluster: clustertest.New(t).Admin(t), Log: slog.New(slog.DiscardHandler), Version: "v1.2.3", Now: time.Now,
		Controllers: []Controller{{Name: "ledger", Lead: func(context.Context, Tools) error { led = true; return nil }}},
	})
	if err == nil || !strings.HasPrefix(err.Error(), "ledger: ") || !strings.Contains(err.Error(), "identity") || led {
		t.Errorf("%v, led: %t", err, led)
	}
}
