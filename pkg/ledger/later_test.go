package ledger

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// laterRecord is a record as a version that does not exist yet may write it, with metadata of a later
// Kubernetes.
const laterRecord = `{"apiVersion":"csr-onboard.github.io/v1alpha1","kind":"ClientCertificate","metadata":{"name":"one","shard":"a"},
"spec":{"user":"jane","key":{"fingerprint":"SHA256:x","origin":"token"},"source":"cluster","verified":true,"device":{"name":"laptop"}},
"status":{"revoked":true,"suspended":{"until":"2027-01-01T00:00:00Z"}}}`

func TestLater_ARecordSaysWhatThisVersionDoesNotKnow(t *testing.T) {
	var record ClientCertificate
	if err := json.Unmarshal([]byte(laterRecord), &record); err != nil {
		t.Fatal(err)
	}
	if record.Spec.User != "jane" || record.Spec.Key.Fingerprint != "SHA256:x" || !record.Status.Revoked || record.Name != "one" {
		t.Errorf("%+v", record)
	}
	if want := []string{"spec.device", "spec.key.origin", "status.suspended"}; !slices.Equal(record.LaterFields(), want) {
		t.Errorf("unknown: %q, want %q", record.LaterFields(), want)
	}
	var known ClientCertificate
	if err := json.Unmarshal([]byte(`{"metadata":{"name":"one"},"spec":{"user":"jane","key":{},"source":"cluster","verified":true},"status":{"revoked":true}}`), &known); err != nil {
		t.Fatal(err)
	}
	if fields := known.LaterFields(); len(fields) > 0 {
		t.Errorf("unknown: %q", fields)
	}
}

// TestLater_AStatusIsWrittenWithWhatALaterVersionPutThere is for the replacement of a status, which would
// remove what is not in it.
func TestLater_AStatusIsWrittenWithWhatALaterVersionPutThere(t *testing.T) {
	var record ClientCertificate
	if err := json.Unmarshal([]byte(laterRecord), &record); err != nil {
		t.Fatal(err)
	}
	seen := metav1.NewTime(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))
	record.Status.Revoked, record.Status.LastSeen = false, &seen
	copied, isRecord := record.DeepCopyObject().(*ClientCertificate)
	if !isRecord {
		t.Fatal("a copy is of another type")
	}
	for _, one := range []*ClientCertificate{&record, copied} {
		text, err := json.Marshal(one)
		if err != nil {
			t.Fatal(err)
		}
		if want := `"status":{"lastSeen":"2026-01-02T03:04:05Z","suspended":{"until":"2027-01-01T00:00:00Z"}}`; !strings.Contains(string(text), want) {
			t.Errorf("written: %s\nwant %s", text, want)
		}
	}
	text, err := json.Marshal(&ClientCertificate{})
	if err != nil || strings.Contains(string(text), "status") {
		t.Errorf("an empty status is written: %s, %v", text, err)
	}
}
