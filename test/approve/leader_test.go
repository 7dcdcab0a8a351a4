package approve

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/csr-onboard/kubectl-csr-onboard/test/program"
)

// TestLeader_KilledStoppedAndTwiceEveryRequestIsDecidedOnceAndRightly has renewals of which every third
// is denied, while approvers are killed, one is stopped for longer than its Lease, and the Lease is
// deleted.
func TestLeader_KilledStoppedAndTwiceEveryRequestIsDecidedOnceAndRightly(t *testing.T) {
	c := shared
	c.apply(t, everything)
	c.apply(t, policyOf("leader-deny", "Deny", "subject.name.endsWith('-denied')"))
	count, kills := program.Times(1000, 90), program.Times(50, 3)
	if err := c.start(); err != nil {
		t.Fatal(err)
	}
	stopped := c.approvers[0].Process
	if err := program.Stop(stopped); err != nil {
		t.Fatal(err)
	}
	objects := make([]*certificatesv1.CertificateSigningRequest, count)
	t.Cleanup(func() { c.deleteAfter(t, objects) })
	var submitting sync.WaitGroup
	submitting.Go(func() {
		inParallel(count, 4, func(i int) {
			user := fmt.Sprintf("leader-%d", i)
			if i%3 == 0 {
				user += "-denied"
			}
			objects[i] = c.submit(t, ask{user: user, lifetime: hour})
		})
	})
	for i := range kills {
		<-time.After(time.Duration(rand.IntN(200)) * time.Millisecond) //nolint:gosec // A moment at random.
		last := len(c.approvers) - 1
		_ = c.approvers[last].Process.Kill()
		_ = c.approvers[last].Wait()
		c.approvers = c.approvers[:last]
		if i%2 == 0 {
			_ = c.admin.CoordinationV1().Leases("csr-onboard-system").Delete(t.Context(), "csr-onboard-approver", metav1.DeleteOptions{})
		}
		if err := c.start(); err != nil {
			t.Fatal(err)
		}
	}
	submitting.Wait()
	if err := stopped.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	for i, object := range objects {
		want := "Approved"
		if i%3 == 0 {
			want = "Denied"
		}
		if got := c.await(t, object); got.what != want {
			t.Errorf("%d: %+v", i, got)
		}
		now, err := c.admin.CertificatesV1().CertificateSigningRequests().Get(t.Context(), object.Name, metav1.GetOptions{})
		if err != nil || len(now.Status.Conditions) != 1 {
			t.Errorf("%v: %+v", err, now.Status.Conditions)
		}
	}
}

// TestLeader_OneThatWasStoppedDecidesNothingByWhatItKnew stops the only approver, changes the policies,
// and has it continue.
func TestLeader_OneThatWasStoppedDecidesNothingByWhatItKnew(t *testing.T) {
	c := shared
	c.end()
	if err := c.start(); err != nil {
		t.Fatal(err)
	}
	c.apply(t, everything)
	first := c.submit(t, ask{user: "stopped-first", lifetime: hour})
	t.Cleanup(func() { c.deleteAfter(t, []*csr{first}) })
	until(t, "an approval", func() bool { return c.outcomeOf(t, first).what == "Approved" })
	for i := range program.Times(20, 5) {
		process := c.approvers[0].Process
		if err := program.Stop(process); err != nil {
			t.Fatal(err)
		}
		name := fmt.Sprintf("stopped-%d", i)
		object := c.submit(t, ask{user: name, lifetime: hour})
		c.apply(t, policyOf(name, "Deny", "subject.name == '"+name+"'"))
		if i == 0 {
			// Longer than the Lease is valid.
			<-time.After(time.Duration(program.Times(20, 7)) * time.Second)
		}
		if err := process.Signal(syscall.SIGCONT); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.deleteAfter(t, []*csr{object}) })
		until(t, "a denial", func() bool {
			got := c.outcomeOf(t, object)
			if got.what == "Approved" {
				t.Fatalf("%+v", got)
			}
			return got.what == "Denied"
		})
	}
}

// TestLeader_NothingIsDecidedBeforeAllPoliciesAreThere creates requests, then policies that approve and
// deny together, and then starts the approver.
func TestLeader_NothingIsDecidedBeforeAllPoliciesAreThere(t *testing.T) {
	c := shared
	for round := range program.Times(100, 5) {
		c.end()
		var objects []*certificatesv1.CertificateSigningRequest
		for i := range 6 {
			objects = append(objects, c.submit(t, ask{user: fmt.Sprintf("round-%d-%d", round, i), lifetime: hour}))
		}
		deny := policyOf("round-deny", "Deny", "int(subject.name.split('-')[2]) % 2 == 0")
		if err := c.plane.Kubectl(t.Context(), everything+"---\n"+deny, "apply", "-f", "-"); err != nil {
			t.Fatal(err)
		}
		if err := c.start(); err != nil {
			t.Fatal(err)
		}
		for i, object := range objects {
			want := "Approved"
			if i%2 == 0 {
				want = "Denied"
			}
			if got := c.await(t, object); got.what != want {
				t.Errorf("%d, %d: %+v", round, i, got)
			}
		}
		if err := c.plane.Kubectl(t.Context(), everything+"---\n"+deny, "delete", "-f", "-"); err != nil {
			t.Fatal(err)
		}
		c.deleteAfter(t, objects)
	}
}

// TestLeader_APolicyThatIsThereBeforeARequestIsKnownToIt creates a Deny policy and, a moment after, the
// request, while the approver runs.
func TestLeader_APolicyThatIsThereBeforeARequestIsKnownToIt(t *testing.T) {
	c := shared
	c.apply(t, everything)
	for i := range program.Times(100, 10) {
		name := fmt.Sprintf("moment-%d", i)
		c.apply(t, policyOf(name, "Deny", "subject.name == '"+name+"'"))
		object := c.submit(t, ask{user: name, lifetime: hour})
		if got := c.await(t, object); got.what != "Denied" || !strings.Contains(got.says, name) {
			t.Errorf("%+v", got)
		}
		c.delete(t, object)
	}
}
