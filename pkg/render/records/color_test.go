package records

import (
	"io"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/ledger"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/render/screen"
)

// TestRow_WhatLogsInDespiteAProblemIsRed is for terminals: golden files have no colors.
func TestRow_WhatLogsInDespiteAProblemIsRed(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	writer := NewWriter(io.Discard, "", false, func() time.Time { return now })
	for _, test := range []struct {
		problems  []string
		isRevoked bool
		want      string
	}{
		{nil, false, ""},
		{[]string{ledger.SeveralCertificates}, false, screen.Red},
		{[]string{ledger.SeveralCertificates}, true, screen.Yellow},
		{nil, true, screen.Yellow},
		{[]string{ledger.UnknownAuthority}, false, screen.Yellow},
	} {
		record := &ledger.ClientCertificate{
			Spec:   ledger.Spec{NotBefore: metav1.NewTime(now.Add(-time.Hour)), NotAfter: metav1.NewTime(now.Add(time.Hour)), Problems: test.problems},
			Status: ledger.Status{Revoked: test.isRevoked},
		}
		if got := writer.row(Record{ClientCertificate: record}).Color; got != test.want {
			t.Errorf("problems %q, revoked %v: color %q, want %q", test.problems, test.isRevoked, got, test.want)
		}
	}
}
