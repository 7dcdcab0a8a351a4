package record

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
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
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/pki"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
)

// backlog is a server with the requests of a certificate that was renewed twice. Lists have the last one first.
type backlog struct {
	*clustertest.Server
	*recorder

	// requests and names are those of the three certificates, and of their records.
	requests [3]*certificatesv1.CertificateSigningRequest
	names    [3]string
}

func newBacklog(t *testing.T) *backlog {
	t.Helper()
	b := &backlog{Server: clustertest.New(t)}
	with := ""
	for i, name := range []string{"c", "b", "a"} {
		b.requests[i] = clustertest.Issue(t, b.Server, name, "jane", with)
		with = ledger.NameOfIssued(request.Of(b.requests[i]))
		b.names[i] = with
	}
	client := b.Admin(t)
	stored, err := client.Resources().Records()
	if err != nil {
		t.Fatal(err)
	}
	b.recorder = &recorder{
		Tools:    controller.Tools{Cluster: client, Now: time.Now, Log: slog.New(slog.DiscardHandler), Working: func() {}},
		requests: client.Requests(), records: stored, metrics: newMetrics(prometheus.NewRegistry()),
		queue:  workqueue.NewTypedRateLimitingQueue(workqueue.NewTypedItemExponentialFailureRateLimiter[types.UID](time.Millisecond, time.Millisecond)),
		latest: map[types.UID]requests.Change{}, recorded: map[types.UID]bool{}, issued: map[string]types.UID{}, held: map[types.UID]bool{},
		circumstances: ledger.Circumstances{Source: ledger.FromCluster, Authorities: pki.ParseClientAuthorities(b.Endpoint.CertificateAuthority)},
	}
	t.Cleanup(b.queue.ShutDown)
	return b
}

// check compares the three records, of which each says what renews it, and since when its chain exists.
func (b *backlog) check(t *testing.T, about string) {
	t.Helper()
	var since metav1.Time
	for i, name := range b.names {
		var record ledger.ClientCertificate
		if !b.Find(t, name, &record) {
			t.Fatalf("%s: number %d is not recorded", about, i+1)
		}
		if i == 0 {
			since = record.Spec.NotBefore
		} else if renews := record.Spec.Renews; renews == nil || renews.Since == nil || !renews.Since.Equal(&since) {
			t.Errorf("%s: number %d renews %+v, and not since %s", about, i+1, renews, since)
		}
		if by := append(b.names[1:], "")[i]; record.Status.SupersededBy != by {
			t.Errorf("%s: number %d is superseded by %q, and not by %q", about, i+1, record.Status.SupersededBy, by)
		}
	}
}

func TestOrder_ABacklogIsRecordedInTheOrderInWhichItWasIssued(t *testing.T) {
	for about, count := range map[string]int{"one worker": 1, "all workers": workers} {
		b := newBacklog(t)
		if _, err := b.list(t.Context()); err != nil {
			t.Fatal(err)
		}
		var working sync.WaitGroup
		for range count {
			working.Go(func() { b.work(t.Context()) })
		}
		b.queue.ShutDownWithDrain()
		working.Wait()
		b.check(t, about)
	}
}

// TestOrder_ARenewalIsRecordedAfterWhatItRenews has the renewal processed first.
func TestOrder_ARenewalIsRecordedAfterWhatItRenews(t *testing.T) {
	b := newBacklog(t)
	var changes [3]requests.Change
	for i, object := range b.requests {
		changes[i] = requests.Change{Object: request.Of(object)}
		b.see(changes[i])
	}
	for i := range changes {
		if err := b.process(t.Context(), changes[len(changes)-1-i]); err != nil {
			t.Fatal(err)
		}
	}
	b.check(t, "the last one first")
	for _, change := range changes {
		change.Deleted = true
		b.see(change)
		b.finish(t.Context(), change.Object.UID, change, nil)
	}
	if len(b.latest)+len(b.recorded)+len(b.issued) != 0 {
		t.Errorf("kept of what is gone: %v, %v, %v", b.latest, b.recorded, b.issued)
	}
}

// TestOrder_ARecordThatCannotBeWrittenDoesNotHoldItsRenewalsForever has the API server refuse the first record at first.
func TestOrder_ARecordThatCannotBeWrittenDoesNotHoldItsRenewalsForever(t *testing.T) {
	b := newBacklog(t)
	isRefused := true
	b.Answer = func(w http.ResponseWriter, r *http.Request) bool {
		if !isRefused || r.Method != http.MethodPost || !strings.HasSuffix(r.URL.Path, ledger.Resource) {
			return false
		}
		text, err := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(text))
		isFirst := err == nil && bytes.Contains(text, []byte(`"name":"`+b.names[0]))
		if isFirst {
			clustertest.Fail(w, http.StatusUnprocessableEntity, metav1.StatusReasonInvalid)
		}
		return isFirst
	}
	for _, object := range b.requests {
		b.keep(requests.Change{Object: request.Of(object)})
	}
	second := b.latest[b.requests[1].UID]
	tries := 1
	for err := b.process(t.Context(), second); err != nil; tries++ {
		b.finish(t.Context(), second.Object.UID, second, err)
		if tries > patience+1 {
			t.Fatal(err)
		}
		err = b.process(t.Context(), second)
	}
	if names := b.Names(ledger.Resource); tries != patience+1 || len(names) != 1 || names[0] != b.names[1] {
		t.Errorf("recorded %q in %d tries", names, tries)
	}
	isRefused = false
	if err := b.process(t.Context(), b.latest[b.requests[0].UID]); err != nil {
		t.Fatal(err)
	}
	b.surveyed(t)
	var first ledger.ClientCertificate
	if !b.Find(t, b.names[0], &first) || first.Status.SupersededBy != b.names[1] {
		t.Errorf("%+v", first.Status)
	}
}

func (b *backlog) surveyed(t *testing.T) {
	t.Helper()
	if err := b.survey(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// TestOrder_RequestsThatAreSaidToRenewEachOtherAreRecorded is for those who can write the status of requests.
func TestOrder_RequestsThatAreSaidToRenewEachOtherAreRecorded(t *testing.T) {
	b := newBacklog(t)
	b.requests[0].Spec.Extra = map[string]certificatesv1.ExtraValue{"authentication.kubernetes.io/credential-id": {"X509SHA256=" + b.names[2]}}
	for _, object := range b.requests {
		b.keep(requests.Change{Object: request.Of(object)})
	}
	ctx, stop := context.WithTimeout(t.Context(), 10*time.Second)
	defer stop()
	if err := b.process(ctx, b.latest[b.requests[1].UID]); err != nil || len(b.Names(ledger.Resource)) != 3 {
		t.Errorf("%v: %q", err, b.Names(ledger.Resource))
	}
}

// TestSurvey_WhatWasRecordedAfterItsRenewalIsSuperseded is for imports and for what several programs record.
func TestSurvey_WhatWasRecordedAfterItsRenewalIsSuperseded(t *testing.T) {
	b := newBacklog(t)
	for i := range b.requests {
		for _, record := range ledger.OfRequest(request.Of(b.requests[i]), b.circumstances) {
			b.Put(t, record)
		}
	}
	conflicts := 1
	b.Answer = func(w http.ResponseWriter, r *http.Request) bool {
		if conflicts == 0 || !strings.HasSuffix(r.URL.Path, "/status") {
			return false
		}
		conflicts--
		clustertest.Fail(w, http.StatusConflict, metav1.StatusReasonConflict)
		return true
	}
	b.surveyed(t)
	for i, want := range append(b.names[1:], "") {
		var record ledger.ClientCertificate
		if !b.Find(t, b.names[i], &record) || record.Status.SupersededBy != want {
			t.Errorf("number %d: %+v, and not superseded by %q", i+1, record.Status, want)
		}
	}
}
