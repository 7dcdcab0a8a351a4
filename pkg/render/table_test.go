package render

import (
	"bytes"
	"strings"
	"testing"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/render/screen"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
)

var tableNow = time.Date(2026, time.March, 4, 5, 6, 7, 0, time.UTC)

// reviewed is the review of a request that is two minutes old.
func reviewed(name, user string, groups []string, findings ...request.Finding) *request.Review {
	return &request.Review{
		Object: request.Of(&certificatesv1.CertificateSigningRequest{ObjectMeta: metav1.ObjectMeta{
			Name: name, CreationTimestamp: metav1.NewTime(tableNow.Add(-2 * time.Minute)),
		}}),
		User: identity.User{Name: user, Groups: groups}, Key: "ECDSA P-256", Fingerprint: "SHA256:x", Requester: "admin",
		State: request.Pending, Lifetime: 30 * 24 * time.Hour, Findings: findings,
	}
}

func tableOf(columns int, colored bool, reviews ...*request.Review) string {
	var out bytes.Buffer
	table := NewTable(&out, false, false, func() time.Time { return tableNow })
	table.grid.Limit, table.grid.IsColored = columns, colored
	_ = table.Write(reviews...)
	return out.String()
}

func TestTable_ARowFitsIntoTheTerminal(t *testing.T) {
	reviews := []*request.Review{
		reviewed("jane-63pob3ylu3", "jane", []string{"dev"}),
		reviewed("maria-magdalena.hohenfels-abcdefghij", "maria-magdalena.hohenfels@subsidiary.example.com", []string{"platform", "engineering", "on-call"}),
		reviewed("世界世界世界世界世界世界-abcdefghij", "世界世界世界世界世界世界世界", []string{"dev"}, request.Finding{Severity: identity.Refused}, request.Finding{Severity: identity.Warning}),
	}
	for _, columns := range []int{200, 100, 90} {
		for line := range strings.Lines(tableOf(columns, false, reviews...)) {
			if n := screen.Width(strings.TrimRight(line, "\n")); n > columns {
				t.Errorf("%d columns of %d: %s", n, columns, line)
			}
		}
	}
	const want = `NAME              USER   GROUPS   STATE     AGE   LIFETIME   FINDINGS
jane-63pob3ylu3   jane   dev      Pending   2m    30d        <none>
`
	if got := tableOf(80, false, reviews[0]); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	// Beginning and end of a name stay.
	cut := tableOf(90, false, reviews[1])
	if !strings.Contains(cut, "\nmaria") || !strings.Contains(cut, "efghij ") || strings.Count(cut, "…") != 3 {
		t.Errorf("the names are cut otherwise:\n%s", cut)
	}
	// A file or a pipe gets whole names.
	if whole := tableOf(0, false, reviews[1]); strings.Contains(whole, "…") {
		t.Errorf("a name is cut:\n%s", whole)
	}
}

// TestTable_WhatPoliciesSayFitsIntoTheTerminal is for states that are longer than a name.
func TestTable_WhatPoliciesSayFitsIntoTheTerminal(t *testing.T) {
	left := reviewed("maria-magdalena.hohenfels-abcdefghij", "maria.hohenfels", []string{"dev"}, request.Finding{Severity: identity.Warning})
	left.Left = &request.PolicyOutcome{IsError: true, Why: "no"}
	text := tableOf(80, false, left)
	for line := range strings.Lines(text) {
		if n := screen.Width(strings.TrimRight(line, "\n")); n > 80 {
			t.Errorf("%d columns: %s", n, line)
		}
	}
	if !strings.Contains(text, "Pending, er") || strings.Contains(tableOf(0, false, left), "…") {
		t.Errorf("the state is cut otherwise:\n%s", text)
	}
}

func TestTable_AnOrdinaryRowHasEightyColumns(t *testing.T) {
	warned := request.Finding{Severity: identity.Warning}
	table := tableOf(80, false,
		reviewed("jane.doe-63pob3ylu3", "jane.doe", []string{"dev"}), reviewed("bob-63pob3ylu4", "bob", []string{"dev", "ops"}, warned))
	if strings.Contains(table, "…") {
		t.Errorf("a name is cut:\n%s", table)
	}
}

func TestTable_ColumnsStayWhereTheyAre(t *testing.T) {
	var out bytes.Buffer
	table := NewTable(&out, false, false, func() time.Time { return tableNow })
	for _, review := range []*request.Review{reviewed("a-long-name", "a", nil), reviewed("b", "b", nil), reviewed("世界", "c", nil)} {
		if err := table.Write(review); err != nil {
			t.Fatal(err)
		}
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != 4 {
		t.Fatalf("%d lines", len(lines))
	}
	for _, line := range lines[1:] {
		before, _, _ := strings.Cut(line, " Pending")
		if screen.Width(before) != screen.Width(strings.Split(lines[1], " Pending")[0]) {
			t.Errorf("the state is elsewhere:\n%s", out.String())
		}
	}
}

func TestTable_FindingsHaveAColor(t *testing.T) {
	table := tableOf(80, true,
		reviewed("a", "a", nil), reviewed("b", "b", nil, request.Finding{Severity: identity.Warning}),
		reviewed("c", "c", nil, request.Finding{Severity: identity.Warning}, request.Finding{Severity: identity.Refused}))
	lines := strings.Split(table, "\n")
	for i, prefix := range []string{"NAME", "a ", screen.Yellow + "b ", screen.Red + "c ", ""} {
		if !strings.HasPrefix(lines[i], prefix) || strings.HasSuffix(lines[i], screen.NoColor) != strings.HasPrefix(prefix, "\x1b") {
			t.Errorf("line %d is %q, want it to begin with %q", i, lines[i], prefix)
		}
	}
}
