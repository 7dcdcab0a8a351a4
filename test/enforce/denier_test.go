package enforce

import (
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/access"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/revocation"
	"github.com/csr-onboard/kubectl-csr-onboard/test/program"
)

// freeAddress is an address of this machine at which nobody listens.
func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close() //nolint:errcheck // It is given back.
	return listener.Addr().String()
}

// restart ends the enforcer and starts it with further arguments.
func (n *node) restart(t *testing.T, arguments ...string) {
	t.Helper()
	n.end()
	n.arguments = arguments
	if err := n.start(); err != nil {
		t.Fatal(err)
	}
}

// answers is what an API server answers a get.
func (n *node) answers(t *testing.T, kubeconfig string) (int, string) {
	t.Helper()
	return call(t, kubeconfig, n.server, http.MethodGet, configMaps+"/none", "")
}

func TestDenier_TheRevokedReadWhyAndAreRefusedWithoutItAsWell(t *testing.T) {
	c := on(t, 2)
	revoked, free := c.user(t, "zoe"), c.user(t, "zack")
	c.untilWell(t)
	c.must(t, "revoke", "zoe", "--reason", "left \x1b[2J")
	ended := c.watchFor(t, revoked)
	addresses := map[*node]string{}
	for _, n := range c.nodes {
		addresses[n] = freeAddress(t)
		n.restart(t, "--denier="+addresses[n])
	}
	untilTold := func(n *node) {
		t.Helper()
		until(t, "a 403 with the reason at "+n.name, func() bool {
			status, text := n.answers(t, revoked)
			return status == http.StatusForbidden && strings.Contains(text, revocation.Message+`: left \\x1b[2J`)
		})
	}
	for _, n := range c.nodes {
		untilTold(n)
	}
	c.untilWell(t)
	if result := c.run(t, revoked, "list"); result.Code == 0 || !strings.Contains(result.Stderr, revocation.Message) {
		t.Errorf("%d %s", result.Code, result.Stderr)
	}
	n := c.nodes[0]
	key := read(t, n.file("denier.pem"))

	// While the enforcer is dead, and while it hangs, the revoked are refused and others are not.
	checkFallback := func(about string) {
		t.Helper()
		refused := make(chan string)
		go func() {
			client := clientFor(t, revoked)
			status, text, err := tryCall(t.Context(), client, n.server, http.MethodGet, configMaps+"/another", "")
			if err != nil || status != http.StatusInternalServerError || !access.IsRevokedAnswer(text) {
				refused <- text
			}
			close(refused)
		}()
		begin := time.Now()
		for range 20 {
			if status, text := n.answers(t, free); status != http.StatusNotFound {
				t.Errorf("%s: others are answered %d %s", about, status, text)
			}
		}
		// The API server waits 3 seconds for a denier: twenty that waited would take a minute.
		if took := time.Since(begin); took > 30*time.Second {
			t.Errorf("%s: 20 calls of others took %s", about, took)
		}
		if text, isOpen := <-refused; isOpen {
			t.Errorf("%s: the revoked read %s", about, text)
		}
	}
	if err := program.Stop(n.enforcer.Process); err != nil {
		t.Fatal(err)
	}
	checkFallback("an enforcer that hangs")
	n.kill()
	checkFallback("an enforcer that was killed")

	// Who takes its place permits nothing: the API server knows the denier's certificate alone.
	asked := 0
	imposter := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked++
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"apiVersion":"authorization.k8s.io/v1","kind":"SubjectAccessReview","status":{"allowed":true}}`)
	}))
	_ = imposter.Listener.Close()
	var err error
	if imposter.Listener, err = new(net.ListenConfig).Listen(t.Context(), "tcp", addresses[n]); err != nil {
		t.Fatal(err)
	}
	imposter.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
	imposter.StartTLS()
	checkFallback("another process at its address")
	// The enforcer starts all the same, and says so.
	n.restart(t, "--denier="+addresses[n])
	c.untilProblem(t, "the denier cannot answer")
	checkFallback("an enforcer whose address is taken")
	if status, text := n.answers(t, revoked); status != http.StatusInternalServerError || !strings.Contains(text, revocation.Message) {
		t.Errorf("%d %s", status, text)
	}
	imposter.Close()
	untilTold(n)
	c.untilWell(t)
	if asked > 0 {
		t.Errorf("the API server has asked another process %d times", asked)
	}
	if read(t, n.file("denier.pem")) != key {
		t.Error("the key was replaced")
	}
	// Another address, and none.
	n.restart(t, "--denier="+freeAddress(t))
	untilTold(n)
	n.restart(t)
	until(t, "a 500 with the message", func() bool {
		status, text := n.answers(t, revoked)
		return status == http.StatusInternalServerError && strings.Contains(text, revocation.Message) && !strings.Contains(text, access.DenierPath)
	})
	c.untilWell(t)
	if passed := ended(); passed > 0 {
		t.Errorf("the revoked user passed %d times", passed)
	}
	expect(t, c.must(t, "unrevoke", "zoe"), 0, "no longer refused by 2 of 2 API servers")
	if status, text := c.nodes[1].answers(t, revoked); status != http.StatusNotFound {
		t.Errorf("unrevoked: %d %s", status, text)
	}
}
