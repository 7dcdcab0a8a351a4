package command

import (
	"bytes"
	"strings"
	"testing"
	"time"
)

func TestRoot_WrongUsageIsToldWithItsCode(t *testing.T) {
	directory := t.TempDir()
	for about, test := range map[string]struct {
		arguments string
		says      string
	}{
		"an unknown command":             {"enforc", `unknown command "enforc"`},
		"an argument":                    {"enforce here", "accepts no arguments"},
		"an argument of init":            {"enforce init here", "accepts no arguments"},
		"an argument of run":             {"run here", "accepts no arguments"},
		"an unknown flag":                {"enforce --dir x", "unknown flag"},
		"an address without equals sign": {"enforce --directory D --kubeconfig K --node n --denier 127.0.0.1:1", "--denier=ADDRESS"},
		"an address that others reach":   {"enforce --directory D --kubeconfig K --node n --denier=0.0.0.0:1", "this machine alone"},
		"a denier that ends at once":     {"enforce --directory D --kubeconfig K --node n --denier --once", "exclude each other"},
		"no directory":                   {"enforce --kubeconfig K --node n", "--directory is required"},
		"a name that no node has":        {"enforce --directory D --kubeconfig K --node N_", "not a valid node name"},
		"since without a ledger":         {"policy check --since 30d", "--from-ledger"},
		"since a time":                   {"policy check --from-ledger --since 2026-11-27", "not a valid duration"},
		"since now":                      {"policy check --from-ledger --since 0h", "not a valid duration"},
		"a kubeconfig that is missing":   {"enforce --directory D --kubeconfig K --node n", "cannot be used"},
	} {
		var out, errOut bytes.Buffer
		arguments := strings.Fields(strings.NewReplacer(" D ", " "+directory+" ", " K ", " "+directory+"/missing ").Replace(test.arguments))
		code := Execute(t.Context(), arguments, Environment{Out: &out, Err: &errOut, Version: "v0", Now: time.Now})
		if code != 2 || !strings.Contains(errOut.String(), test.says) || out.Len() > 0 {
			t.Errorf("%s: exit code %d: %s%s", about, code, out.String(), errOut.String())
		}
	}
}
