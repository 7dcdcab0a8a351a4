package enforce

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/csr-onboard/kubectl-csr-onboard/test/program"
)

// TestSpeed_ARevocationIsInForceInASecond measures from the start of the command to the first
// refusal by each API server, as a client sees it that asks all the time. Shortened, it judges no time.
func TestSpeed_ARevocationIsInForceInASecond(t *testing.T) {
	var took []time.Duration
	kubeconfig := shared.user(t, "speedy")
	shared.untilRefused(t, kubeconfig, false)
	for range program.Times(50, 15) {
		var refused sync.WaitGroup
		var mutex sync.Mutex
		last := time.Duration(0)
		begin := time.Now()
		for _, n := range shared.nodes {
			refused.Go(func() {
				until(t, "refused by "+n.name, func() bool { return isRefusedAt(t, kubeconfig, n.server) })
				mutex.Lock()
				last = max(last, time.Since(begin))
				mutex.Unlock()
			})
		}
		shared.must(t, "revoke", "speedy")
		refused.Wait()
		took = append(took, last)
		shared.must(t, "unrevoke", "speedy")
		shared.untilRefused(t, kubeconfig, false)
	}
	slices.Sort(took)
	median, longest := took[len(took)/2], took[len(took)-1]
	t.Logf("%d runs, until the last of 3 API servers refuses: median %s, longest %s", len(took), median, longest)
	if program.IsLong() && (median > time.Second || longest > 3*time.Second) {
		t.Errorf("median %s, longest %s: %s", median, longest, took)
	}
}

// usersFor are entries of so many users, as short as they can be.
func usersFor(count int) map[string]string {
	data := map[string]string{}
	for i := range count {
		name := fmt.Sprintf("u%d", i)
		data[keyOf("user-", name)] = "user:" + name
	}
	return data
}

// TestSpeed_OthersDoNotNoticeALongList measures gets of a user who is not on the list, and logs in
// as the control plane with every entry in force.
func TestSpeed_OthersDoNotNoticeALongList(t *testing.T) {
	c := on(t, 1)
	kubeconfig := c.user(t, "rosa")
	client := clientFor(t, kubeconfig)
	c.untilWell(t)
	c.list(t, entryOf("somebody"))
	measure := func() (median, p99 time.Duration) {
		var took []time.Duration
		for range program.Times(10_000, 1000) {
			begin := time.Now()
			status, text, err := tryCall(context.Background(), client, c.nodes[0].server, http.MethodGet, configMaps+"/none", "")
			if err != nil || status != http.StatusNotFound {
				t.Fatalf("%d %s %v", status, text, err)
			}
			took = append(took, time.Since(begin))
		}
		slices.Sort(took)
		return took[len(took)/2], took[len(took)*99/100]
	}
	measure()
	for _, count := range []int{0, 1000, 5000} {
		if count > 0 {
			c.set(t, usersFor(count))
		}
		c.untilWell(t)
		for range 2 {
			median, p99 := measure()
			t.Logf("%d entries: median %s, p99 %s", count, median, p99)
		}
	}
	// The controller manager is on the list by its certificate, and works on.
	controllerManager := c.plane.Directory + "/controller-manager.kubeconfig"
	c.list(t, certificateEntry("", credentialID(t, controllerManager)))
	c.untilWell(t)
	if isRefusedAt(t, controllerManager, c.nodes[0].server) {
		t.Error("the controller manager is refused")
	}
}
