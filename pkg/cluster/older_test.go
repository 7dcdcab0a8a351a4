package cluster

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"k8s.io/client-go/rest"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/access"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
)

// An API server says 404 for what came after it.
func TestOlder_WhatAnOldServerLacksIsSaid(t *testing.T) {
	server := httptest.NewTLSServer(http.NotFoundHandler())
	t.Cleanup(server.Close)
	client := clientOf(t, &rest.Config{Host: server.URL, TLSClientConfig: rest.TLSClientConfig{Insecure: true}})
	_, err := client.WhoAmI(t.Context())
	if err == nil || !strings.Contains(err.Error(), "does not serve SelfSubjectReview") || !strings.HasPrefix(outcome.Hint(err), "this requires Kubernetes 1.28 or later") {
		t.Errorf("who I am: %v, hint %q", err, outcome.Hint(err))
	}
	err = client.Blocking().Block(t.Context(), time.Now(), false, access.Blocked{User: "jane"})
	if err == nil || !strings.Contains(outcome.Hint(err), "Kubernetes 1.30 and later") {
		t.Errorf("to block: %v, hint %q", err, outcome.Hint(err))
	}
}
