package e2e

import (
	"net/http"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
	"github.com/csr-onboard/kubectl-csr-onboard/test/hostile"
	"github.com/csr-onboard/kubectl-csr-onboard/test/program"
)

// TestHostile_EveryCommandEndsInOneSentence has an API server misbehave in each way, for each
// command: it ends with an error in words, and nothing is written or decided.
func TestHostile_EveryCommandEndsInOneSentence(t *testing.T) {
	s := newSession(t, shared)
	create(t, s, "hostile-pending", identity.User{Name: "hostile-pending"})
	s.must("new-user", "hostile-waiting", "--dir", "D")
	byHand(s, "hostile-binding", user("hostile-pending"), user("bob"))
	front := s.behindFront()
	listing, config := s.listing("D"), string(s.read("config"))
	commands := map[string][]string{
		"list":     {"list"},
		"approve":  {"approve", "hostile-pending", "--yes", "--clusterrole", "view"},
		"bulk":     {"approve", "-l", "hostile=yes", "--yes"},
		"deny":     {"deny", "hostile-pending", "--yes"},
		"new-user": {"new-user", "hostile-new", "--approve", "--dir", "N"},
		"fetch":    {"fetch", "hostile-waiting", "--dir", "D", "--timeout", "2s"},
		"grant":    {"grant", "hostile-pending", "--clusterrole", "view"},
		"offboard": {"offboard", "hostile-pending", "--yes"},
		"block":    {"offboard", "hostile-pending", "--block", "--yes"},
		"unblock":  {"offboard", "hostile-pending", "--unblock"},
		"doctor":   {"doctor"},
	}
	for about, answer := range map[string]hostile.Answer{
		"forbidden":    hostile.Status(http.StatusForbidden, metav1.StatusReasonForbidden, "no\x1b[2J"),
		"unauthorized": unauthorized,
		"not found":    notFound,
		"gone":         hostile.Status(http.StatusGone, metav1.StatusReasonExpired, "too old"),
		"login page":   hostile.Text(http.StatusOK, "text/html", "<html>\x1b[2Jcanary</html>"),
		"empty":        hostile.Text(http.StatusOK, "application/json", ""),
		"another":      hostile.Text(http.StatusOK, "application/json", `{"apiVersion":"v1","kind":"Secret","metadata":{"name":"canary"}}`),
		"redirect":     hostile.Redirect("https://127.0.0.1:1"),
	} {
		t.Run(about, func(t *testing.T) {
			front.Follow(&hostile.Rule{Do: answer})
			for name, arguments := range commands {
				command := s.command(append(arguments, "--request-timeout", "5s")...)
				result := program.Run(t, command)
				s.check(result, expect{code: result.Code})
				if isAnswer := about == "not found" && name == "unblock"; result.Code == 0 && !isAnswer {
					t.Errorf("%s succeeds\n%s%s", name, result.Stdout, result.Stderr)
				}
				if text := result.Stdout + result.Stderr; strings.Contains(text, "\x1b") || strings.Contains(text, "canary") {
					t.Errorf("%s prints %q", name, text)
				}
			}
		})
	}
	front.Follow()
	if got := s.listing("D"); got != listing || string(s.read("config")) != config {
		t.Errorf("files were written:\n%s", got)
	}
	if left := s.listing("N"); strings.Contains(left, "kubeconfig") {
		t.Errorf("a kubeconfig was written:\n%s", left)
	}
	if state := request.StateOf(s.object("x/hostile-pending")); state != request.Pending {
		t.Errorf("the request is %s", state)
	}
	if len(s.binding("hostile-binding").Subjects) != 2 {
		t.Error("the user was taken out of a binding")
	}
}

func TestHostile_AnAnswerThatNeverEndsEnds(t *testing.T) {
	s := newSession(t, shared)
	s.behindFront(&hostile.Rule{Do: hostile.Endless})
	s.check(s.run("offboard", "hostile-endless", "--yes"), expect{1, nil})
	s.behindFront(&hostile.Rule{Do: hostile.Silent})
	s.check(s.run("list", "--request-timeout", "1s"), expect{1, []string{"did not answer within 1s"}})
}

func TestHostile_AListThatNeverEndsEnds(t *testing.T) {
	s := newSession(t, shared)
	s.behindFront(&hostile.Rule{Method: http.MethodGet, Do: hostile.Edit(hostile.EndlessPages())})
	s.check(s.run("list"), expect{1, nil})
}

// TestHostile_AListThatExpiresIsReadToItsEnd has the API server forget the version of a list
// between two pages.
func TestHostile_AListThatExpiresIsReadToItsEnd(t *testing.T) {
	s := newSession(t, shared)
	labeled(s, "expiring", "expiring-1", "expiring-2", "expiring-3")
	list := []string{"list", "-l", "bulk=expiring", "-o", "name"}
	whole := s.must(list...).Stdout
	second := func(call *http.Request) bool { return call.URL.Query().Get("continue") != "" }
	short := func(call *http.Request) bool {
		if query := call.URL.Query(); call.Method == http.MethodGet && query.Get("limit") != "" && !hostile.IsWatch(call) {
			query.Set("limit", "1")
			call.URL.RawQuery = query.Encode()
		}
		return false
	}
	s.behindFront(&hostile.Rule{When: short}, &hostile.Rule{When: second, Times: 1, Do: hostile.ExpiredPage})
	result := s.run(list...)
	if result.Code != 0 || result.Stdout != whole || strings.Count(whole, "\n") != 3 {
		t.Errorf("exit code %d, the list is\n%s, want\n%s%s", result.Code, result.Stdout, whole, result.Stderr)
	}
}
