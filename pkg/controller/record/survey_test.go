package record

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/access"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cluster/clustertest"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/controller"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/ledger"
)

// TestSurvey_ARecordThatSomebodyElseChangedIsLeftForTheNextOne: the survey marks the other records meanwhile.
func TestSurvey_ARecordThatSomebodyElseChangedIsLeftForTheNextOne(t *testing.T) {
	now := time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)
	id := strings.Repeat("a1", 32)
	change, err := access.ListOf(nil).Add(now, access.Entry{Blocked: access.Blocked{CredentialID: access.CertificateIDPrefix + id}})
	if err != nil {
		t.Fatal(err)
	}
	data := map[string]string{}
	for key, value := range change {
		data[key] = *value
	}
	revoked := access.ListOf(data)
	for about, test := range map[string]struct {
		code   int
		reason metav1.StatusReason
		isGone bool
		says   string
	}{
		"it is stored":              {},
		"somebody else changed it":  {http.StatusConflict, metav1.StatusReasonConflict, false, ""},
		"it is gone":                {isGone: true},
		"the recorder is forbidden": {http.StatusForbidden, metav1.StatusReasonForbidden, false, "forbidden"},
	} {
		server := clustertest.New(t)
		stored := &ledger.ClientCertificate{
			ObjectMeta: metav1.ObjectMeta{Name: id},
			Spec:       ledger.Spec{User: "jane", NotBefore: metav1.NewTime(now.Add(-time.Hour)), NotAfter: metav1.NewTime(now.Add(time.Hour))},
		}
		server.Put(t, stored)
		tries := 0
		server.Answer = func(w http.ResponseWriter, r *http.Request) bool {
			isStatus := strings.HasSuffix(r.URL.Path, "/status")
			if isStatus {
				tries++
			}
			if !isStatus || test.code == 0 {
				return false
			}
			clustertest.Fail(w, test.code, test.reason)
			return true
		}
		records, err := server.Admin(t).Resources().Records()
		if err != nil {
			t.Fatal(err)
		}
		r := &recorder{Tools: controller.Tools{Now: func() time.Time { return now }}, records: records}
		if err := r.mark(t.Context(), stored, nil); err != nil || tries != 0 {
			t.Errorf("%s: before the list is known: %v", about, err)
		}
		if test.isGone {
			server.Remove(ledger.Resource, "", id)
		}
		if err := r.mark(t.Context(), stored, &revoked); tries != 1 || (err == nil) != (test.says == "") || err != nil && !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s: tried %d times: %v", about, tries, err)
		}
		var found ledger.ClientCertificate
		if exists := server.Find(t, id, &found); exists == test.isGone || found.Status.Revoked != (test.code == 0 && !test.isGone) {
			t.Errorf("%s: %+v", about, found.Status)
		}
	}
}

// TestSurvey_AServerThatEndsEachWatchAtOnceIsNotAskedAllTheTime: the list is read again at once only after a watch that
// lasted.
func TestSurvey_AServerThatEndsEachWatchAtOnceIsNotAskedAllTheTime(t *testing.T) {
	t.Parallel()
	for about, test := range map[string]struct {
		step  time.Duration
		lists int32
		least time.Duration
	}{
		"ended at once": {0, 2, retryPause},
		"that lasted":   {2 * provenStream, 10, 0},
	} {
		server := clustertest.New(t)
		ctx, stop := context.WithTimeout(t.Context(), 10*time.Second)
		var looks, read atomic.Int32
		server.Answer = func(w http.ResponseWriter, r *http.Request) bool {
			if r.URL.Query().Has("watch") {
				w.Header().Set("Content-Type", "application/json")
				return true
			}
			if read.Add(1) == test.lists {
				stop()
			}
			return false
		}
		r := &recorder{
			Tools: controller.Tools{
				Cluster: server.Admin(t), Log: slog.New(slog.DiscardHandler),
				Now: func() time.Time { return time.Unix(0, 0).Add(time.Duration(looks.Add(1)) * test.step) },
			},
			surveyDue: make(chan struct{}, 1),
		}
		begin := time.Now()
		r.followRevocations(ctx)
		if took := time.Since(begin); read.Load() != test.lists || took < test.least {
			t.Errorf("%s: the list was read %d times in %s", about, read.Load(), took)
		}
		stop()
	}
}
