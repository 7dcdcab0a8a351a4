package ledger

import (
	"fmt"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/ledger"
	"github.com/csr-onboard/kubectl-csr-onboard/test/program"
)

// mostMemory is what one command may have in memory, in bytes.
const mostMemory = 60 << 20

// TestList_ALargeLedgerTakesNoMoreMemory has a control plane of its own.
func TestList_ALargeLedgerTakesNoMoreMemory(t *testing.T) {
	c, err := launch(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.stop)
	c.end()
	total, measured := program.Times(100_000, 4_000), 1_000
	c.fill(t, 0, measured)
	few := c.measure(t, "ledger", "-o", "csv")
	c.fill(t, measured, total)
	all := c.measure(t, "ledger", "-o", "csv")
	one := c.measure(t, "ledger", "--for-user", "scale-000017")
	t.Logf("%d records: csv %s, %d MiB (of %d records %d MiB); one user %s, %d MiB", total, all.took, all.memory>>20, measured, few.memory>>20, one.took, one.memory>>20)
	if all.lines != total+1 || one.lines != 2 {
		t.Errorf("%d and %d lines", all.lines, one.lines)
	}
	for _, figures := range []figures{few, all, one} {
		if figures.memory > mostMemory {
			t.Errorf("%d MiB of memory", figures.memory>>20)
		}
	}
}

// fill stores records of made-up users.
func (c *cluster) fill(t *testing.T, from, to int) {
	t.Helper()
	var working sync.WaitGroup
	next := make(chan int)
	for range 32 {
		working.Go(func() {
			for i := range next {
				c.put(t, i, func(record *ledger.ClientCertificate) {
					record.Spec.User, record.Spec.Groups = fmt.Sprintf("scale-%06d", i), []string{"dev", "ops"}
					record.Spec.Requester, record.Spec.Decision = &ledger.Requester{User: "alba", Groups: []string{"admins"}}, &ledger.Decision{By: "boss", Reason: "r", Message: "m"}
					at := metav1.Now()
					record.Spec.Request = &ledger.Request{Name: "name", UID: "uid", CreatedAt: &at, DecidedAt: &at}
				})
			}
		})
	}
	for i := from; i < to && !t.Failed(); i++ {
		next <- i
	}
	close(next)
	working.Wait()
}

// figures are what one run took.
type figures struct {
	took time.Duration
	// memory is the largest resident set, in bytes.
	memory int64
	lines  int
}

// measure runs the plugin three times, and returns the fastest run.
func (c *cluster) measure(t *testing.T, arguments ...string) (best figures) {
	t.Helper()
	for range 3 {
		command := exec.CommandContext(t.Context(), plugin, append(arguments, "--kubeconfig", c.plane.Kubeconfig)...)
		if err := program.ForgetPeakMemory(); err != nil {
			t.Fatal(err)
		}
		begin := time.Now()
		result := program.Run(t, command)
		took := time.Since(begin)
		if result.Code != 0 {
			t.Fatalf("%d: %s", result.Code, result.Stderr)
		}
		if best.took == 0 || took < best.took {
			best = figures{took, program.PeakMemory(command), strings.Count(result.Stdout, "\n")}
		}
	}
	return best
}
