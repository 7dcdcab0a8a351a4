package record

import (
	"context"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cluster/controlling"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/controller"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/ledger"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
)

// metrics are those of the recorder. None holds a name.
type metrics struct {
	held                prometheus.Gauge
	certificates        *prometheus.GaugeVec
	written, unverified prometheus.Counter
	failures            prometheus.Counter
	lag                 prometheus.Histogram
}

func newMetrics(in prometheus.Registerer) *metrics {
	counter := func(name, help string) prometheus.Counter {
		return controller.Register(in, prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help}))
	}
	return &metrics{
		held: controller.Register(in, prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "csr_onboard_ledger_held_requests", Help: "Requests that were deleted and are kept until their certificate is recorded.",
		})),
		certificates: controller.Register(in, prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "csr_onboard_ledger_certificates", Help: "Certificates on the ledger by state, as of the last survey.",
		}, []string{"state"})),
		written:    counter("csr_onboard_ledger_recorded_total", "Certificates that were recorded."),
		unverified: counter("csr_onboard_ledger_unverified_total", "Certificates that were recorded and are not what their request asked for, or not of a known authority."),
		failures:   counter("csr_onboard_ledger_failures_total", "Requests that could not be processed and are tried again."),
		lag: controller.Register(in, prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "csr_onboard_ledger_lag_seconds", Help: "Time from the second in which a certificate was stored until it was recorded.",
			Buckets: []float64{.25, .5, 1, 1.5, 2, 3, 5, 10, 30, 60, 300, 3600},
		})),
	}
}

// recorded counts a record.
func (m *metrics) recorded(record *ledger.ClientCertificate, object *request.Request, now time.Time) {
	m.written.Inc()
	if !record.Spec.Verified {
		m.unverified.Inc()
	}
	if stored := storedAt(object); !stored.IsZero() {
		m.lag.Observe(max(0, now.Sub(stored).Seconds()))
	}
}

// storedAt is when the status of a request was last written, to the second, which is when its
// certificate was.
func storedAt(object *request.Request) (latest time.Time) {
	for _, entry := range object.ManagedFields {
		if entry.Subresource == "status" && entry.Time != nil && entry.Time.After(latest) {
			latest = entry.Time.Time
		}
	}
	return latest
}

// warn writes an event about a certificate that is not what it should be. Where that fails, the
// record says it still, and so do log and metrics.
func (r *recorder) warn(ctx context.Context, object *request.Request, record *ledger.ClientCertificate) {
	err := r.events.Emit(ctx, controlling.Event{
		About: corev1.ObjectReference{
			APIVersion: certificatesv1.SchemeGroupVersion.String(), Kind: "CertificateSigningRequest", Name: object.Name, UID: object.UID,
		},
		Reason:    "UnverifiedCertificate",
		Message:   "the certificate " + record.Name + " in the status was recorded as unverified: " + strings.Join(record.Spec.Problems, ", "),
		IsWarning: true,
	})
	if err != nil && ctx.Err() == nil {
		r.Log.Warn("an event cannot be written", "error", err.Error())
	}
}
