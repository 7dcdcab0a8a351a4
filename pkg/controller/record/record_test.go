package record

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	certificatesv1 "k8s.io/api/certificates/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cluster/clustertest"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cluster/requests"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/controller"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/ledger"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
)

// TestRecord_WhatWasDeletedBetweenTwoWatchesIsNotHeldAnyMore has a watch that ends, and a request that is
// released and gone before the next one begins.
func TestRecord_WhatWasDeletedBetweenTwoWatchesIsNotHeldAnyMore(t *testing.T) {
	const resource = "certificatesigningrequests"
	server := clustertest.New(t)
	at := metav1.NewTime(time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC))
	for _, name := range []string{"gone", "stays"} {
		server.Put(t, &certificatesv1.CertificateSigningRequest{
			ObjectMeta: metav1.ObjectMeta{Name: name, UID: types.UID(name), DeletionTimestamp: &at, Finalizers: []string{ledger.Finalizer}},
			Spec:       certificatesv1.CertificateSigningRequestSpec{SignerName: request.Signer},
		})
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	registry := prometheus.NewRegistry()
	r := &recorder{
		Tools: controller.Tools{Working: func() {}}, metrics: newMetrics(registry),
		queue:  workqueue.NewTypedRateLimitingQueue(workqueue.DefaultTypedControllerRateLimiter[types.UID]()),
		latest: map[types.UID]requests.Change{}, recorded: map[types.UID]bool{}, held: map[types.UID]bool{},
	}
	defer r.queue.ShutDown()
	var held []float64
	server.Answer = func(w http.ResponseWriter, call *http.Request) bool {
		if !strings.HasSuffix(call.URL.Path, resource) || !call.URL.Query().Has("watch") {
			return false
		}
		gathered, err := registry.Gather()
		if err != nil {
			t.Error(err)
		}
		for _, family := range gathered {
			if family.GetName() == "csr_onboard_ledger_held_requests" {
				held = append(held, family.Metric[0].Gauge.GetValue())
			}
		}
		if len(held) == 2 {
			stop()
			return true
		}
		server.Remove(resource, "", "gone")
		w.WriteHeader(http.StatusOK)
		return true
	}
	r.requests = server.Admin(t).Requests()
	if err := r.follow(ctx); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if !slices.Equal(held, []float64{2, 1}) || !r.latest["gone"].Deleted || r.latest["stays"].Deleted {
		t.Errorf("%v were held: %+v", held, r.latest)
	}
	r.finish(ctx, "gone", r.latest["gone"], nil)
	if len(r.latest) != 1 {
		t.Errorf("%+v", r.latest)
	}
}
