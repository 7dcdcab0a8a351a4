package controller

import (
	"context"
	"io"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// headerTime bounds how long a client takes to say what it wants, and shutDownTime how long its
// answer is waited for at the end.
const (
	headerTime   = 5 * time.Second
	shutDownTime = time.Second
)

// readiness knows which controllers do not work yet.
type readiness struct {
	mutex   sync.Mutex
	missing map[string]bool
}

func newReadiness(controllers []Controller) *readiness {
	r := &readiness{missing: map[string]bool{}}
	for _, one := range controllers {
		r.missing[one.Name] = true
	}
	return r
}

func (r *readiness) set(controller string) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	delete(r.missing, controller)
}

// ServeHTTP answers whether every controller works, or waits for its turn.
func (r *readiness) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	r.mutex.Lock()
	missing := slices.Sorted(maps.Keys(r.missing))
	r.mutex.Unlock()
	if len(missing) > 0 {
		http.Error(w, "not ready: "+strings.Join(missing, ", "), http.StatusServiceUnavailable)
		return
	}
	_, _ = io.WriteString(w, "ok")
}

// serve serves metrics and health, and returns how to stop that.
func serve(listener net.Listener, metrics *prometheus.Registry, ready http.Handler) (shutDown func()) {
	if listener == nil {
		return func() {}
	}
	paths := http.NewServeMux()
	paths.Handle("GET /metrics", promhttp.HandlerFor(metrics, promhttp.HandlerOpts{}))
	paths.Handle("GET /readyz", ready)
	paths.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok") })
	server := &http.Server{Handler: paths, ReadHeaderTimeout: headerTime}
	var serving sync.WaitGroup
	// It ends with an error that says that it was shut down.
	serving.Go(func() { _ = server.Serve(listener) })
	return func() {
		soon, cancel := context.WithTimeout(context.Background(), shutDownTime)
		defer cancel()
		if server.Shutdown(soon) != nil {
			_ = server.Close()
		}
		serving.Wait()
	}
}
