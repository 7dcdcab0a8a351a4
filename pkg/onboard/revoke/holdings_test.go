package revoke

import (
	"errors"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cluster/clustertest"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/ledger"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/event"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
)

// record is the record of a certificate that is valid for so long.
func record(name, user, requester, approver string, left time.Duration) *ledger.ClientCertificate {
	now := time.Now()
	return &ledger.ClientCertificate{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: ledger.Spec{
			User: user, Requester: &ledger.Requester{User: requester}, Decision: &ledger.Decision{By: approver},
			NotBefore: metav1.NewTime(now.Add(-time.Hour)), NotAfter: metav1.NewTime(now.Add(left)),
		},
	}
}

// told runs tellHoldings about jane, as a user, and returns what was told.
func told(t *testing.T, server *clustertest.Server) (all []event.Event) {
	t.Helper()
	p := &onboard.Program{Cluster: server.Admin(t), Now: time.Now, Tell: func(e event.Event) { all = append(all, e) }}
	if err := tellHoldings(t.Context(), p, "jane"); err != nil {
		t.Fatal(err)
	}
	return all
}

func TestHoldings_WhatTheUserHasAndGaveIsTold(t *testing.T) {
	server := clustertest.New(t)
	if all := told(t, server); len(all) > 0 {
		t.Errorf("%+v", all)
	}
	server.Put(t, record("a", "jane", "jane", "boss", time.Hour), record("b", "jane", "other", "boss", time.Hour), record("expired", "jane", "jane", "boss", -time.Minute),
		record("c", "bob", "jane", "boss", time.Hour), record("d", "eve", "eve", "jane", time.Hour), record("e", "eve", "eve", "boss", time.Hour))
	all := told(t, server)
	if len(all) != 1 {
		t.Fatalf("%+v", all)
	}
	found, isHoldings := all[0].(Holdings)
	if !isHoldings || names(found.Own) != "a b " || names(found.Others) != "c d " {
		t.Errorf("%+v", all[0])
	}
}

func names(records []*ledger.ClientCertificate) (text string) {
	for _, one := range records {
		text += one.Name + " "
	}
	return text
}

func TestHoldings_WhatCannotBeReadIsSaidAndStopsNothing(t *testing.T) {
	server := clustertest.New(t)
	server.Refuse("list", "clientcertificates")
	all := told(t, server)
	if _, isUnread := all[0].(LedgerUnread); len(all) != 1 || !isUnread {
		t.Errorf("%+v", all)
	}
}

// TestHoldings_ALedgerOfALaterVersionIsSaidToBeUnread is for a cluster whose ledger is of a later csr-onboard,
// which is not one without certificates.
func TestHoldings_ALedgerOfALaterVersionIsSaidToBeUnread(t *testing.T) {
	server := clustertest.New(t)
	server.Answer = clustertest.ServedOnlyIn("v1beta1", ledger.Resource)
	all := told(t, server)
	if len(all) != 1 {
		t.Fatalf("%+v", all)
	}
	if unread, isUnread := all[0].(LedgerUnread); !isUnread || !errors.Is(unread.Reason, outcome.ErrRefused) {
		t.Errorf("%+v", all)
	}
}
