package e2e

import (
	"io"
	"net"
	"testing"
	"time"
)

// cuttingRelay passes connections on to a server and cuts each after a while.
type cuttingRelay struct {
	t       *testing.T
	address string
	cuts    chan struct{}
}

func newCuttingRelay(t *testing.T, server string, after time.Duration) *cuttingRelay {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	r := &cuttingRelay{t: t, address: listener.Addr().String(), cuts: make(chan struct{}, 1000)}
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			go r.relay(client, server, after)
		}
	}()
	return r
}

func (r *cuttingRelay) relay(client net.Conn, server string, after time.Duration) {
	defer client.Close() //nolint:errcheck // It is to be cut.
	upstream, err := net.Dial("tcp", server)
	if err != nil {
		return
	}
	defer upstream.Close() //nolint:errcheck // It is to be cut.
	done := make(chan struct{}, 2)
	pass := func(to, from net.Conn) {
		_, _ = io.Copy(to, from)
		done <- struct{}{}
	}
	go pass(upstream, client)
	go pass(client, upstream)
	cut := time.NewTimer(after)
	defer cut.Stop()
	select {
	case <-done:
	case <-cut.C:
		select {
		case r.cuts <- struct{}{}:
		default:
		}
	}
}

// awaitCuts returns when so many connections have been cut.
func (r *cuttingRelay) awaitCuts(n int) {
	r.t.Helper()
	timeout := time.After(patience)
	for range n {
		select {
		case <-r.cuts:
		case <-timeout:
			r.t.Fatal("the program does not connect again")
		}
	}
}
