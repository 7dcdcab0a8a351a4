package recording_test

import (
	"testing"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cluster/clustertest"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cluster/recording"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/ledger"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
)

// TestStandby_ARecorderThatHasStoppedIsNoticedWithAClockThatIsBehind has clocks of this machine that are not the cluster's.
func TestStandby_ARecorderThatHasStoppedIsNoticedWithAClockThatIsBehind(t *testing.T) {
	now := time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)
	for about, test := range map[string]struct {
		behind time.Duration
		// silent is for how long the recorder had been silent when the request was written.
		silent   time.Duration
		recorded bool
	}{
		"the recorder runs":                        {0, time.Second, false},
		"it runs, and this clock is behind":        {10 * time.Minute, time.Second, false},
		"it has stopped":                           {0, time.Minute, true},
		"it has stopped, and this clock is behind": {10 * time.Minute, time.Minute, true},
		"it runs, and this clock is ahead":         {-10 * time.Minute, time.Second, true},
		"it was there later than the request":      {0, -10 * time.Second, false},
		"it stopped just before the request":       {2 * time.Minute, 15 * time.Second, true},
	} {
		server := clustertest.New(t)
		shown := metav1.NewMicroTime(now.Add(-test.silent))
		server.Put(t, &coordinationv1.Lease{
			ObjectMeta: metav1.ObjectMeta{Name: ledger.RecorderLease, Namespace: ledger.RecorderNamespace}, Spec: coordinationv1.LeaseSpec{RenewTime: &shown},
		}, &corev1.ConfigMap{
			ObjectMeta: metav1.ObjectMeta{Name: "extension-apiserver-authentication", Namespace: metav1.NamespaceSystem},
			Data:       map[string]string{"client-ca-file": string(server.Endpoint.CertificateAuthority)},
		})
		object := clustertest.Issue(t, server, "jane-x", "jane", "")
		created := metav1.NewTime(now.Add(-time.Hour))
		written := metav1.NewTime(now)
		object.CreationTimestamp, object.ManagedFields = created, []metav1.ManagedFieldsEntry{{Time: &created}, {Time: &written}, {}}
		standby := recording.BeginStandby(t.Context(), server.Admin(t), func() time.Time { return now.Add(-test.behind) })
		isNew, err := standby.Record(t.Context(), request.Of(object))
		if err != nil || isNew != test.recorded || (len(server.Names(ledger.Resource)) == 1) != test.recorded {
			t.Errorf("%s: %t, %v", about, isNew, err)
		}
	}
}
