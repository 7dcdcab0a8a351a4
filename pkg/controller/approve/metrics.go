package approve

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/controller"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/policy"
)

// metrics count what the approver does. None of them names a person.
type metrics struct {
	outcomes    *prometheus.CounterVec
	evaluations prometheus.Counter
	waiting     prometheus.Gauge
	latency     prometheus.Histogram
}

func newMetrics(registerer prometheus.Registerer) *metrics {
	return &metrics{
		outcomes: controller.Register(registerer, prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "csr_onboard_approver_outcomes_total", Help: "Outcomes of evaluations: Approved, Denied, LeftToPeople, Error.",
		}, []string{"outcome"})),
		evaluations: controller.Register(registerer, prometheus.NewCounter(prometheus.CounterOpts{
			Name: "csr_onboard_approver_evaluations_total", Help: "Evaluations of requests by all policies.",
		})),
		waiting: controller.Register(registerer, prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "csr_onboard_approver_waiting", Help: "Requests that wait to be evaluated.",
		})),
		latency: controller.Register(registerer, prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "csr_onboard_approver_decision_seconds", Help: "From the creation of a request to its decision by a policy.",
			Buckets: []float64{0.5, 1, 2, 5, 10, 30, 60, 300},
		})),
	}
}

func (m *metrics) count(outcome policy.Outcome) { m.outcomes.WithLabelValues(string(outcome)).Inc() }
