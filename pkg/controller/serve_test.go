package controller

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// pipes is a listener in memory, whose connections tests of package synctest can wait for.
type pipes struct {
	dialed chan net.Conn
	closed chan struct{}
}

func newPipes() *pipes { return &pipes{make(chan net.Conn), make(chan struct{})} }

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case conn := <-p.dialed:
		return conn, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	select {
	case <-p.closed:
	default:
		close(p.closed)
	}
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.TCPAddr{} }

// ask sends a request on a connection of its own.
func (p *pipes) ask(t *testing.T, path string) net.Conn {
	t.Helper()
	client, server := net.Pipe()
	p.dialed <- server
	if _, err := io.WriteString(client, "GET "+path+" HTTP/1.1\r\nHost: test\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	return client
}

func answerOn(t *testing.T, conn net.Conn) (int, string) {
	t.Helper()
	answered, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answered.Body.Close() }()
	text, err := io.ReadAll(answered.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answered.StatusCode, string(text)
}

func TestServe_ReadinessNamesTheControllersThatDoNotWorkYet(t *testing.T) {
	ready := newReadiness([]Controller{{Name: "ledger"}, {Name: "approver"}})
	for _, step := range []struct {
		works string
		code  int
		says  string
	}{
		{"", http.StatusServiceUnavailable, "not ready: approver, ledger\n"}, {"approver", http.StatusServiceUnavailable, "not ready: ledger\n"},
		{"approver", http.StatusServiceUnavailable, "not ready: ledger\n"}, {"ledger", http.StatusOK, "ok"},
	} {
		ready.set(step.works)
		recorder := httptest.NewRecorder()
		ready.ServeHTTP(recorder, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/readyz", nil))
		if recorder.Code != step.code || recorder.Body.String() != step.says {
			t.Errorf("after %q: %d %q", step.works, recorder.Code, recorder.Body)
		}
	}
}

func TestServe_AtTheEndAnAnswerIsWaitedForButNotForLong(t *testing.T) {
	for _, one := range []struct {
		takes, waits time.Duration
	}{{shutDownTime / 2, shutDownTime / 2}, {time.Hour, shutDownTime}} {
		synctest.Test(t, func(t *testing.T) {
			listener := newPipes()
			brokenOff := false
			shutDown := serve(listener, prometheus.NewRegistry(), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				select {
				case <-time.After(one.takes):
					_, _ = io.WriteString(w, "ok")
				case <-r.Context().Done():
					brokenOff = true
				}
			}))
			conn := listener.ask(t, "/healthz")
			if code, text := answerOn(t, conn); code != http.StatusOK || text != "ok" {
				t.Errorf("%d %q", code, text)
			}
			_ = conn.Close()
			conn = listener.ask(t, "/readyz")
			answered := make(chan struct{})
			go func() {
				_, _ = io.ReadAll(conn)
				close(answered)
			}()
			synctest.Wait()
			begin := time.Now()
			shutDown()
			// net/http looks from time to time whether a connection is idle.
			if waited := time.Since(begin); waited < one.waits || waited > one.waits+shutDownTime/2 {
				t.Errorf("an answer that takes %s is waited for %s", one.takes, waited)
			}
			<-answered
			synctest.Wait()
			if brokenOff != (one.takes > shutDownTime) {
				t.Errorf("an answer that takes %s is broken off: %t", one.takes, brokenOff)
			}
		})
	}
}

func TestServe_NowhereThereIsNothingToShutDown(*testing.T) { serve(nil, nil, nil)() }
