package approve

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cluster/clustertest"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/ledger"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/policy"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
)

// TestLedger_WithoutOneNobodyRequestsForAUserWhoMayBeKnown has a user whose request was collected, and whose
// certificate nobody has recorded.
func TestLedger_WithoutOneNobodyRequestsForAUserWhoMayBeKnown(t *testing.T) {
	inTest(t, func(t *testing.T, a *test) {
		a.permissions.cluster = useOnly{}
		a.world.setLedger(withoutLedger)
		a.apply(forOthers(nil))
		a.submit(requestBy(t, "eve", "jane", time.Now()))
		a.submit(requestOf(t, "kim"))
		a.start(t)
		a.elapse(time.Second)
		said := a.reported["csr-jane-by-eve"]
		if len(a.decided) != 1 || a.messages["csr-kim"] == "" || len(said) != 1 || !strings.HasPrefix(said[0].Why, policy.FloorKnownUser+": ") {
			t.Errorf("%+v, %+v", a.messages, said)
		}
		a.world.setLedger(hasLedger)
		a.tell.ledger(hasLedger)
		if a.elapse(time.Second); a.messages["csr-jane-by-eve"] == "" {
			t.Errorf("after it was installed: %+v", a.reported)
		}
	})
}

func TestLedger_OneThatIsMissingIsLoggedOnce(t *testing.T) {
	server := clustertest.New(t)
	isServed := true
	server.Answer = func(w http.ResponseWriter, call *http.Request) bool {
		isMissing := !isServed && strings.Contains(call.URL.Path, ledger.Resource)
		if isMissing {
			http.NotFound(w, call)
		}
		return isMissing
	}
	from, err := clientsOf(server.Admin(t))
	if err != nil {
		t.Fatal(err)
	}
	w, err := newWorld()
	if err != nil {
		t.Fatal(err)
	}
	var told []ledgerState
	records := reader{w, from, listener{ledger: func(is ledgerState) { told = append(told, is) }}}.records()
	for _, isServed = range []bool{false, false, true, true, false} {
		if _, err := records.list(t.Context()); err != nil {
			t.Fatal(err)
		}
		if facts := w.facts(request.ReviewOf(requestOf(t, "jane")), time.Now(), time.Time{}); facts.WithoutLedger == isServed {
			t.Errorf("served: %t, without a ledger: %t", isServed, facts.WithoutLedger)
		}
	}
	if !slices.Equal(told, []ledgerState{withoutLedger, hasLedger, withoutLedger}) {
		t.Errorf("%v", told)
	}
	inTest(t, func(t *testing.T, a *test) {
		if a.tell.ledger(withoutLedger); a.log.count("level=WARN", "the ledger is not installed") != 1 {
			t.Error(a.log.text.String())
		}
	})
}
