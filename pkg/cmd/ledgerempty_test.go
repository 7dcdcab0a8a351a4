package cmd

import (
	"strings"
	"testing"
)

// TestLedger_NothingFoundIsSaidInWordsToPeopleAlone has no certificate on the ledger: a document says so itself.
func TestLedger_NothingFoundIsSaidInWordsToPeopleAlone(t *testing.T) {
	d := newThreeClusters(t)
	for format, test := range map[string]struct {
		out     string
		isInErr bool
	}{
		"":     {"", true},
		"wide": {"", true},
		"name": {"", true},
		"csv":  {"sha256,user,groups,state,", false},
		"json": {`"items": []`, false},
		"yaml": {"", false},
	} {
		line := "ledger --context dev"
		if format != "" {
			line += " -o " + format
		}
		out, stderr := d.runs(t, 0, line)
		if !strings.Contains(out, test.out) || test.out == "" && out != "" {
			t.Errorf("%s: on standard output: %q", line, out)
		}
		if isSaid := strings.Contains(stderr, "no client certificates found"); isSaid != test.isInErr {
			t.Errorf("%s: on standard error: %q", line, stderr)
		}
	}
}
