package approve

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
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
	before, logged := c.approverCalls(t), len(c.logged(t, 0))
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
	calls, begin := c.approverCalls(t), time.Now()
	good := c.submit(t, ask{user: "fair-jane", groups: []string{"dev"}, with: credential, lifetime: hour})
	t.Cleanup(func() { c.deleteAfter(t, []*csr{good}) })
	within(t, 5*time.Second, "the approval of the renewal", func() bool { return c.outcomeOf(t, good).what == "Approved" })
	t.Logf("approved after %s, with %d requests of junk", time.Since(begin).Round(time.Millisecond), count)
	for _, one := range c.approvers {
		if memory := residentMiB(t, one.Process.Pid); memory > 150 {
			t.Errorf("the approver has %d MiB", memory)
		}
	}
	within(t, time.Duration(program.Times(600, 60))*time.Second, "an evaluation of all junk", func() bool {
		return strings.Count(c.logged(t, logged), "left to people") >= count
	})
	t.Logf("%d calls of the API server since the junk came, %d of them until the renewal was submitted; everything was evaluated after %s",
		c.approverCalls(t)-before, calls-before, time.Since(begin).Round(time.Millisecond))
	for _, one := range c.approvers {
		t.Logf("the approver has %d MiB", residentMiB(t, one.Process.Pid))
	}
	// A report of an outcome is one call, and a requester has one every two seconds.
	if most := 500 + count/10; c.approverCalls(t)-before > most {
		t.Errorf("more than %d calls", most)
	}
	for i := 0; i < count; i += count / 10 {
		object, err := c.admin.CertificatesV1().CertificateSigningRequests().Get(t.Context(), fmt.Sprintf("junk-%d", i), metav1.GetOptions{})
		if err != nil || len(object.Status.Conditions) > 0 {
			t.Errorf("%v, %+v", err, object.Status.Conditions)
		}
	}
}

// approverCalls counts the calls of the approver so far, as the API server does: service accounts have
// a flow schema of their own, and this cluster has no other one.
func (c *cluster) approverCalls(t *testing.T) (calls int) {
	t.Helper()
	text, err := c.admin.Discovery().RESTClient().Get().AbsPath("/metrics").DoRaw(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "apiserver_flowcontrol_dispatched_requests_total{") && strings.Contains(line, `flow_schema="service-accounts"`) {
			fields := strings.Fields(line)
			count, err := strconv.ParseFloat(fields[len(fields)-1], 64)
			if err != nil {
				t.Fatal(err)
			}
			calls += int(count)
		}
	}
	return calls
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
	approved := c.approvals(t)
	objects, took := make([]*csr, count), make([]time.Duration, count)
	calls, begin := c.approverCalls(t), time.Now()
	// The cluster's signer issues 20 a second.
	pace := time.NewTicker(time.Second / 20)
	defer pace.Stop()
	inParallel(count, 32, func(i int) {
		<-pace.C
		objects[i] = c.submit(t, ask{user: fmt.Sprintf("many-%d", i), groups: []string{"dev"}, with: credentials[i], lifetime: hour})
		pending := time.Now()
		at, err := approved(objects[i].Name)
		if err != nil {
			t.Errorf("%d: %v", i, err)
		}
		took[i] = at.Sub(pending)
	})
	t.Cleanup(func() { c.deleteAfter(t, objects) })
	slices.Sort(took)
	p50, p99 := took[count/2], took[count*99/100]
	t.Logf("%d in %s; from pending to approved: p50 %s, p99 %s, at most %s; %d calls of the API server", count, time.Since(begin).Round(time.Millisecond),
		p50.Round(time.Millisecond), p99.Round(time.Millisecond), took[count-1].Round(time.Millisecond), c.approverCalls(t)-calls)
	// Shortened, the machine has other things to do.
	if most := time.Duration(program.Times(1, 10)) * time.Second; p99 > most {
		t.Errorf("p99 is %s", p99)
	}
	for _, object := range objects {
		if got := c.outcomeOf(t, object); got.what != "Approved" {
			t.Errorf("%+v", got)
		}
	}
}

// approvals watches requests until the end of the test. The function that it returns waits until a
// request is approved, and says when that was seen.
func (c *cluster) approvals(t *testing.T) func(name string) (time.Time, error) {
	t.Helper()
	watching, err := c.admin.CertificatesV1().CertificateSigningRequests().Watch(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(watching.Stop)
	var mutex sync.Mutex
	seen := map[string]chan time.Time{}
	of := func(name string) chan time.Time {
		mutex.Lock()
		defer mutex.Unlock()
		if seen[name] == nil {
			seen[name] = make(chan time.Time, 1)
		}
		return seen[name]
	}
	go func() {
		for event := range watching.ResultChan() {
			object, isRequest := event.Object.(*csr)
			if isRequest && len(object.Status.Conditions) > 0 {
				select {
				case of(object.Name) <- time.Now():
				default:
				}
			}
		}
	}()
	return func(name string) (time.Time, error) {
		select {
		case at := <-of(name):
			return at, nil
		case <-time.After(time.Minute):
			return time.Time{}, fmt.Errorf("not approved within a minute")
		}
	}
}
