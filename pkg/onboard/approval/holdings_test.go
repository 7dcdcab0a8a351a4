package approval_test

import (
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/access"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cluster/clustertest"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/ledger"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/approval"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/onboardtest"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
)

// held is the record of a certificate that is valid for so long.
func held(now time.Time, name, user string, left time.Duration) *ledger.ClientCertificate {
	return &ledger.ClientCertificate{
		ObjectMeta: metav1.ObjectMeta{Name: strings.Repeat(name, 64)},
		Spec:       ledger.Spec{User: user, NotBefore: metav1.NewTime(now.Add(-time.Hour)), NotAfter: metav1.NewTime(now.Add(left).UTC().Truncate(time.Second))},
	}
}

// withHoldings is a cluster on whose ledger jane has three certificates, of which one is revoked
// and one has expired, and sam has one, who asks for jane.
func withHoldings(t *testing.T) (w *onboardtest.World, want []access.Certificates) {
	t.Helper()
	w = onboardtest.New(t)
	now := w.Now()
	last, sams := held(now, "a", "jane", 2*time.Hour), held(now, "d", "sam", time.Hour)
	w.Server.Put(t, last, held(now, "b", "jane", time.Hour), held(now, "c", "jane", -time.Minute), sams, held(now, "e", "eve", time.Hour))
	revoked := access.Entry{
		Blocked: access.Blocked{CredentialID: held(now, "b", "jane", 0).CredentialID()},
		Details: access.Details{IsRevoked: true, By: "admin", At: now, User: "jane"},
	}
	if err := w.Cluster.Blocking().Revoke(t.Context(), now, false, revoked.Blocked, func(access.List) (access.Entry, error) { return revoked, nil }); err != nil {
		t.Fatal(err)
	}
	in := onboardtest.Asked(t, "jane")
	if _, _, err := w.As(t, "sam").NewUser(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	return w, []access.Certificates{{User: "jane", Live: 1, Until: last.Spec.NotAfter.Time, Revoked: 1}, {User: "sam", Live: 1, Until: sams.Spec.NotAfter.Time}}
}

// shown are the holdings in what show and each way of approving shows.
func shown(t *testing.T, w *onboardtest.World) map[string][]access.Certificates {
	t.Helper()
	found := map[string][]access.Certificates{}
	take := func(way string, reviews []*request.Review, err error) {
		if err != nil || len(reviews) != 1 {
			t.Fatalf("%s: %d reviews, %v", way, len(reviews), err)
		}
		found[way] = reviews[0].Holdings
	}
	reviews, err := approval.Show(t.Context(), w.Program, approval.ShowInput{Names: []approval.Name{{Text: "jane"}}})
	take("show", reviews, err)
	for way, names := range map[string][]string{"approve NAME": {"jane"}, "approve": nil} {
		in := approving(names...)
		in.DryRun = onboard.DryRunClient
		decided, err := approval.Run(t.Context(), w.Program, in)
		if len(decided) != 1 {
			t.Fatalf("%s: %d decided, %v", way, len(decided), err)
		}
		take(way, []*request.Review{decided[0].Review}, err)
	}
	return found
}

func TestHoldings_AReviewSaysWhatUserAndRequesterHave(t *testing.T) {
	w, want := withHoldings(t)
	for way, got := range shown(t, w) {
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: (-expected +shown)\n%s", way, diff)
		}
	}
	// Of a request in a file, nobody is the requester.
	in := importing(file(t, w, "jane"))
	in.DryRun = onboard.DryRunClient
	decided, err := approval.Run(t.Context(), w.Program, in)
	if err != nil || len(decided) != 1 || cmp.Diff(want[:1], decided[0].Review.Holdings) != "" {
		t.Errorf("%+v, %v", decided, err)
	}
}

// TestHoldings_ALedgerThatCannotBeReadIsAskedOnceAndSilent is for clusters without a ledger, and for
// those who cannot list it: the commands neither fail nor say that a user has nothing.
func TestHoldings_ALedgerThatCannotBeReadIsAskedOnceAndSilent(t *testing.T) {
	for about, answer := range map[string]func(http.ResponseWriter){
		"not installed": func(w http.ResponseWriter) {
			w.Header().Set("Content-Type", "text/plain")
			w.WriteHeader(http.StatusNotFound)
			_, _ = w.Write([]byte("404 page not found\n"))
		},
		"forbidden": func(w http.ResponseWriter) {
			clustertest.Respond(w, http.StatusForbidden, metav1.Status{Status: metav1.StatusFailure, Reason: metav1.StatusReasonForbidden, Code: http.StatusForbidden})
		},
		"broken": func(w http.ResponseWriter) { w.WriteHeader(http.StatusNotImplemented) },
	} {
		t.Run(about, func(t *testing.T) {
			w, _ := withHoldings(t)
			var asked atomic.Int32
			w.Server.Answer = func(response http.ResponseWriter, r *http.Request) bool {
				if !strings.Contains(r.URL.Path, ledger.Resource) {
					return false
				}
				asked.Add(1)
				answer(response)
				return true
			}
			for way, got := range shown(t, w) {
				if got != nil {
					t.Errorf("%s: %+v", way, got)
				}
			}
			if asked.Load() != 3 {
				t.Errorf("the ledger is asked %d times by three commands", asked.Load())
			}
		})
	}
}

// TestHoldings_TheLedgerIsAskedWhileOthersAre holds back the other answers until the question has
// come: a command that asks later waits for one round trip more, and here forever.
func TestHoldings_TheLedgerIsAskedWhileOthersAre(t *testing.T) {
	for _, names := range [][]string{{"jane"}, nil} {
		w, _ := withHoldings(t)
		come := make(chan struct{})
		var once sync.Once
		w.Server.Answer = func(response http.ResponseWriter, r *http.Request) bool {
			switch {
			case strings.Contains(r.URL.Path, ledger.Resource):
				once.Do(func() { close(come) })
				response.WriteHeader(http.StatusNotFound)
				return true
			case slices.ContainsFunc([]string{"selfsubjectreviews", "csr-onboard-blocked", "clusterrolebindings"}, func(part string) bool { return strings.Contains(r.URL.Path, part) }):
				select {
				case <-come:
				case <-r.Context().Done():
				case <-time.After(20 * time.Second):
					t.Errorf("%q: %s was asked, and the ledger was not", names, r.URL.Path)
				}
			}
			return false
		}
		in := approving(names...)
		in.DryRun = onboard.DryRunClient
		if _, err := approval.Run(t.Context(), w.Program, in); err != nil {
			t.Errorf("%q: %v", names, err)
		}
	}
}
