package approve

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cluster/clustertest"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/ledger"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/policy"
)

// TestFollow_ALedgerOfALaterVersionIsNotOneWithoutCertificates is for bounds on the certificates of a user: without
// records, they would approve everything.
func TestFollow_ALedgerOfALaterVersionIsNotOneWithoutCertificates(t *testing.T) {
	server := clustertest.New(t)
	from, err := clientsOf(server.Admin(t))
	if err != nil {
		t.Fatal(err)
	}
	w, err := newWorld()
	if err != nil {
		t.Fatal(err)
	}
	quiet := listener{ledger: func(ledgerState) {}}
	r := rehearsal{evaluator: evaluator{world: w}}
	listAll := func(ctx context.Context) (string, error) { return r.listRecords(ctx, from, time.Time{}) }
	readPolicies := func(ctx context.Context) (string, error) { _, err := from.Policies(ctx); return "", err }
	isMissing := clustertest.ServedOnlyIn("v1beta1", ledger.Resource)
	server.Answer = func(w http.ResponseWriter, r *http.Request) bool {
		return strings.Contains(r.URL.Path, ledger.Resource) && isMissing(w, r)
	}
	if _, err := (reader{world: w, from: from, tell: quiet}).records().list(t.Context()); err != nil {
		t.Errorf("without a ledger: %v", err)
	}
	for resource, lists := range map[string]map[string]func(context.Context) (string, error){
		ledger.Resource: {"follow": reader{world: w, from: from, tell: quiet}.records().list, "policy check": listAll},
		policy.Resource: {"follow": reader{world: w, from: from}.policies().list, "policy check": readPolicies},
	} {
		server.Answer = clustertest.ServedOnlyIn("v1beta1", resource)
		for name, list := range lists {
			if _, err := list(t.Context()); !errors.Is(err, outcome.ErrRefused) {
				t.Errorf("%s, %s: %v", name, resource, err)
			}
		}
	}
}

func TestFollow_WhatWasDeletedBetweenTwoWatchesIsToldAsGone(t *testing.T) {
	server := clustertest.New(t)
	for _, user := range []string{"jane", "kim"} {
		server.Put(t, requestOf(t, user).CertificateSigningRequest)
	}
	from, err := clientsOf(server.Admin(t))
	if err != nil {
		t.Fatal(err)
	}
	w, err := newWorld()
	if err != nil {
		t.Fatal(err)
	}
	var told []string
	requests := reader{w, from, listener{request: func(*known) {}, gone: func(one *known) { told = append(told, one.user) }}}.requests()
	for range 2 {
		if _, err := requests.list(t.Context()); err != nil {
			t.Fatal(err)
		}
		server.Remove("certificatesigningrequests", "", "csr-kim")
	}
	if !slices.Equal(told, []string{"kim"}) || len(w.pending()) != 1 {
		t.Errorf("told that %v are gone, and %d are pending", told, len(w.pending()))
	}
}
