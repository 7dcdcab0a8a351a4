package main

import (
	"context"
	"net"
	"net/url"
	"sync"
	"time"
)

// link relays connections to a server as a line of a round-trip time does: every piece of
// data waits for half of that in each direction, and the first of a connection a round trip
// more, as TCP's handshake would. It loses nothing and has no bandwidth.
type link struct {
	listener  net.Listener
	server    string
	roundTrip time.Duration
	open      sync.WaitGroup
}

// newLink listens for connections to the server of an address. close has to be called.
func newLink(ctx context.Context, address string, roundTrip time.Duration) (*link, error) {
	server, err := url.Parse(address)
	if err != nil {
		return nil, err
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	l := &link{listener: listener, server: server.Host, roundTrip: roundTrip}
	l.open.Go(func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			l.open.Go(func() { l.connect(ctx, client) })
		}
	})
	return l, nil
}

// address is where the server is at the other end of the link.
func (l *link) address() string { return "https://" + l.listener.Addr().String() }

// close takes no more connections, and waits for the end of those that are there.
func (l *link) close() {
	_ = l.listener.Close()
	l.open.Wait()
}

func (l *link) connect(ctx context.Context, client net.Conn) {
	defer client.Close() //nolint:errcheck // It was relayed.
	server, err := (&net.Dialer{}).DialContext(ctx, "tcp", l.server)
	if err != nil {
		return
	}
	defer server.Close() //nolint:errcheck // It was relayed.
	pass(l.roundTrip)
	var back sync.WaitGroup
	back.Go(func() { l.carry(client, server) })
	l.carry(server, client)
	back.Wait()
}

// carry carries what comes from one side to the other, and its end.
func (l *link) carry(to, from net.Conn) {
	type piece struct {
		due  time.Time
		data []byte
	}
	// As many pieces as are under way in the longest round trip.
	underWay := make(chan piece, 4096)
	go func() {
		defer close(underWay)
		for {
			data := make([]byte, 32<<10)
			n, err := from.Read(data)
			if n > 0 {
				underWay <- piece{time.Now().Add(l.roundTrip / 2), data[:n]}
			}
			if err != nil {
				return
			}
		}
	}()
	for arriving := range underWay {
		pass(time.Until(arriving.due))
		if _, err := to.Write(arriving.data); err != nil {
			break
		}
	}
	// The reader learns of the end, and the writer is not kept waiting.
	if side, isTCP := to.(*net.TCPConn); isTCP {
		_ = side.CloseWrite()
	}
	for range underWay { // What cannot be delivered is dropped.
	}
}

// pass lets time pass, which is what a link is for.
func pass(d time.Duration) { <-time.After(d) }
