package approve

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/csr-onboard/kubectl-csr-onboard/test/program"
)

// TestFair_JunkOfOneRequesterDoesNotDelayAnother submits junk in the name of the user who renews, and
// then the renewal.
func TestFair_JunkOfOneRequesterDoesNotDelayAnother(t *testing.T) {
	c := shared
	c.apply(t, example(t, "renewals"))
	credential, _ := c.issued(t, "fair-jane", "dev")
	count := program.Times(10_000, 500)
	mallory := c.as(t, "fair-mallory", nil, "").CertificatesV1().CertificateSigningRequests()
	key := newKey(t)
	pattern := ask{user: "fair-jane", groups: []string{"dev"}, lifetime: hour, key: key}
	inParallel(count, 16, func(i int) {
		object := pattern.object(t)
		object.Name = fmt.Sprintf("junk-%d", i)
		if _, err := mallory.Create(t.Context(), object, metav1.CreateOptions{}); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() {
		inParallel(count, 16, func(i int) {
			c.deleteAfter(t, []*csr{{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("junk-%d", i)}}})
		})
	})
	begin := time.Now()
	good := c.submit(t, ask{user: "fair-jane", groups: []string{"dev"}, with: credential, lifetime: hour})
	t.Cleanup(func() { c.deleteAfter(t, []*csr{good}) })
	within(t, 5*time.Second, "the approval of the renewal", func() bool { return c.outcomeOf(t, good).what == "Approved" })
	t.Logf("approved after %s, with %d requests of junk", time.Since(begin).Round(time.Millisecond), count)
	for _, one := range c.approvers {
		if memory := residentMiB(t, one.Process.Pid); memory > 150 {
			t.Errorf("the approver has %d MiB", memory)
		}
	}
	for i := 0; i < count; i += count / 10 {
		object, err := c.admin.CertificatesV1().CertificateSigningRequests().Get(t.Context(), fmt.Sprintf("junk-%d", i), metav1.GetOptions{})
		if err != nil || len(object.Status.Conditions) > 0 {
			t.Errorf("%v, %+v", err, object.Status.Conditions)
		}
	}
}

// residentMiB is the resident memory of a process; 0 on systems without /proc.
func residentMiB(t *testing.T, id int) int {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(id), "status"))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		if rest, isIt := strings.CutPrefix(line, "VmRSS:"); isIt {
			kib, _ := strconv.Atoi(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "kB")))
			return kib >> 10
		}
	}
	return 0
}

// TestFair_RenewalsOfManyAreApprovedAtOnce measures from pending to approved.
func TestFair_RenewalsOfManyAreApprovedAtOnce(t *testing.T) {
	c := shared
	c.apply(t, example(t, "renewals"))
	count := program.Times(1000, 100)
	credentials := make([]string, count)
	inParallel(count, 8, func(i int) { credentials[i], _ = c.issued(t, fmt.Sprintf("many-%d", i), "dev") })
	objects := make([]*csr, count)
	// The cluster's signer issues 20 a second.
	pace := time.NewTicker(time.Second / 20)
	defer pace.Stop()
	inParallel(count, 8, func(i int) {
		<-pace.C
		objects[i] = c.submit(t, ask{user: fmt.Sprintf("many-%d", i), groups: []string{"dev"}, with: credentials[i], lifetime: hour})
	})
	t.Cleanup(func() { c.deleteAfter(t, objects) })
	slow := 0
	for _, object := range objects {
		if got := c.await(t, object); got.what != "Approved" {
			t.Fatalf("%+v", got)
		}
		now, err := c.admin.CertificatesV1().CertificateSigningRequests().Get(t.Context(), object.Name, metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		// Both times are of the API server, in whole seconds.
		if now.Status.Conditions[0].LastUpdateTime.Sub(now.CreationTimestamp.Time) > time.Second {
			slow++
		}
	}
	t.Logf("%d of %d took longer than a second", slow, count)
	// Shortened, the machine has other things to do.
	if most := program.Times(count/100, count); slow > most {
		t.Errorf("%d of %d took longer than a second", slow, count)
	}
}
