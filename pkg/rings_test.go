// Package pkg holds the program's rings. This test proves that imports point
// inward only.
package pkg

import (
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

const module = "github.com/csr-onboard/kubectl-csr-onboard/"

// rings says which packages of ours each package may import itself. What those
// import in turn is their own line.
var rings = map[string][]string{
	"pkg/outcome":                            {},
	"pkg/answer":                             {},
	"pkg/document":                           {},
	"pkg/buildinfo":                          {},
	"pkg/store/trouble":                      {"pkg/identity", "pkg/outcome"},
	"pkg/store/guard":                        {"pkg/identity", "pkg/store/trouble"},
	"pkg/store/wholefile":                    {"pkg/identity", "pkg/store/trouble"},
	"pkg/store/lock":                         {"pkg/identity", "pkg/store/wholefile", "pkg/store/guard", "pkg/store/trouble", "pkg/outcome"},
	"pkg/parallel":                           {},
	"pkg/identity":                           {"pkg/outcome"},
	"pkg/pki":                                {"pkg/identity", "pkg/outcome"},
	"pkg/access":                             {"pkg/identity", "pkg/outcome"},
	"pkg/revocation":                         {"pkg/access", "pkg/identity", "pkg/document", "pkg/outcome"},
	"pkg/request":                            {"pkg/access", "pkg/pki", "pkg/identity", "pkg/outcome"},
	"pkg/requestfile":                        {"pkg/request", "pkg/pki", "pkg/document", "pkg/outcome"},
	"pkg/ledger":                             {"pkg/request", "pkg/access", "pkg/pki", "pkg/identity", "pkg/document", "pkg/outcome"},
	"pkg/policy":                             {"pkg/request", "pkg/access", "pkg/pki", "pkg/identity", "pkg/document"},
	"pkg/policy/condition":                   {"pkg/policy", "pkg/request", "pkg/access", "pkg/identity"},
	"pkg/teamfile":                           {"pkg/request", "pkg/access", "pkg/pki", "pkg/identity", "pkg/document"},
	"pkg/kubeconfig":                         {"pkg/pki", "pkg/identity", "pkg/document", "pkg/answer", "pkg/outcome"},
	"pkg/cluster/internal/connection":        {"pkg/access", "pkg/pki", "pkg/identity", "pkg/outcome"},
	"pkg/cluster/internal/earlylogin":        {"pkg/kubeconfig", "pkg/identity"},
	"pkg/cluster/requests":                   {"pkg/cluster/internal/connection", "pkg/request", "pkg/parallel", "pkg/outcome"},
	"pkg/cluster/bindings":                   {"pkg/cluster/internal/connection", "pkg/access", "pkg/identity", "pkg/outcome"},
	"pkg/cluster/blocking":                   {"pkg/cluster/internal/connection", "pkg/access", "pkg/identity", "pkg/outcome"},
	"pkg/cluster/enforcement":                {"pkg/cluster/internal/connection", "pkg/revocation", "pkg/access"},
	"pkg/cluster/resources":                  {"pkg/cluster/internal/connection", "pkg/policy", "pkg/ledger"},
	"pkg/cluster/controlling":                {"pkg/cluster/internal/connection", "pkg/policy", "pkg/request", "pkg/identity"},
	"pkg/cluster/controlplane":               {"pkg/cluster/internal/connection"},
	"pkg/cluster":                            {"pkg/cluster/controlplane", "pkg/cluster/controlling", "pkg/cluster/resources", "pkg/cluster/enforcement", "pkg/cluster/blocking", "pkg/cluster/bindings", "pkg/cluster/requests", "pkg/cluster/internal/earlylogin", "pkg/cluster/internal/connection", "pkg/kubeconfig", "pkg/access", "pkg/identity", "pkg/outcome"},
	"pkg/cluster/recording":                  {"pkg/cluster", "pkg/cluster/resources", "pkg/ledger", "pkg/request", "pkg/pki", "pkg/outcome"},
	"pkg/cluster/clustertest":                {"pkg/cluster", "pkg/kubeconfig", "pkg/access"},
	"pkg/store":                              {"pkg/identity", "pkg/store/lock", "pkg/store/wholefile", "pkg/store/guard", "pkg/store/trouble", "pkg/answer", "pkg/outcome"},
	"pkg/process":                            {},
	"pkg/prompt":                             {"pkg/outcome"},
	"pkg/onboard/event":                      {},
	"pkg/onboard/destination":                {"pkg/onboard/pair", "pkg/onboard/event", "pkg/store", "pkg/cluster", "pkg/kubeconfig", "pkg/pki", "pkg/identity", "pkg/outcome"},
	"pkg/onboard":                            {"pkg/onboard/pair", "pkg/onboard/destination", "pkg/onboard/event", "pkg/store", "pkg/cluster", "pkg/cluster/bindings", "pkg/cluster/recording", "pkg/cluster/requests", "pkg/kubeconfig", "pkg/request", "pkg/access", "pkg/pki", "pkg/identity", "pkg/outcome"},
	"pkg/outcome/outcometest":                {"pkg/outcome"},
	"pkg/onboard/onboardtest":                {"pkg/onboard", "pkg/onboard/event", "pkg/store", "pkg/cluster/clustertest", "pkg/cluster", "pkg/request", "pkg/pki", "pkg/identity"},
	"pkg/onboard/pair":                       {"pkg/store", "pkg/kubeconfig", "pkg/pki", "pkg/identity", "pkg/outcome"},
	"pkg/onboard/handoff":                    {"pkg/onboard", "pkg/onboard/destination", "pkg/onboard/event", "pkg/store", "pkg/cluster", "pkg/kubeconfig", "pkg/request", "pkg/pki", "pkg/identity", "pkg/outcome"},
	"pkg/onboard/granting":                   {"pkg/onboard", "pkg/onboard/event", "pkg/cluster/requests", "pkg/request", "pkg/access", "pkg/identity", "pkg/outcome"},
	"pkg/onboard/approval":                   {"pkg/onboard", "pkg/onboard/event", "pkg/cluster/resources", "pkg/cluster/bindings", "pkg/cluster/requests", "pkg/ledger", "pkg/request", "pkg/access", "pkg/identity", "pkg/parallel", "pkg/outcome"},
	"pkg/onboard/renewal":                    {"pkg/onboard/audit", "pkg/onboard/pair", "pkg/onboard", "pkg/onboard/destination", "pkg/onboard/event", "pkg/store", "pkg/cluster", "pkg/kubeconfig", "pkg/ledger", "pkg/request", "pkg/pki", "pkg/identity", "pkg/parallel", "pkg/answer", "pkg/outcome"},
	"pkg/onboard/clusters":                   {"pkg/onboard/event", "pkg/identity", "pkg/parallel", "pkg/outcome"},
	"pkg/onboard/team":                       {"pkg/onboard", "pkg/onboard/destination", "pkg/onboard/event", "pkg/cluster", "pkg/cluster/bindings", "pkg/cluster/recording", "pkg/cluster/requests", "pkg/kubeconfig", "pkg/teamfile", "pkg/request", "pkg/access", "pkg/pki", "pkg/identity", "pkg/parallel", "pkg/outcome"},
	"pkg/onboard/completion":                 {"pkg/onboard", "pkg/store", "pkg/cluster/requests", "pkg/request", "pkg/access", "pkg/pki", "pkg/identity"},
	"pkg/onboard/doctor":                     {"pkg/onboard/revoke", "pkg/onboard", "pkg/cluster", "pkg/cluster/requests", "pkg/kubeconfig", "pkg/ledger", "pkg/request", "pkg/revocation", "pkg/pki", "pkg/identity", "pkg/outcome"},
	"pkg/onboard/offboard":                   {"pkg/onboard", "pkg/onboard/event", "pkg/cluster/blocking", "pkg/cluster/requests", "pkg/request", "pkg/access", "pkg/pki", "pkg/identity", "pkg/outcome"},
	"pkg/onboard/revoke":                     {"pkg/onboard/audit", "pkg/onboard/offboard", "pkg/onboard", "pkg/onboard/event", "pkg/cluster/resources", "pkg/cluster/enforcement", "pkg/cluster/blocking", "pkg/ledger", "pkg/revocation", "pkg/access", "pkg/pki", "pkg/identity", "pkg/outcome"},
	"pkg/onboard/audit":                      {"pkg/onboard", "pkg/onboard/event", "pkg/store", "pkg/cluster/recording", "pkg/cluster/resources", "pkg/cluster/requests", "pkg/ledger", "pkg/request", "pkg/access", "pkg/pki", "pkg/identity", "pkg/parallel", "pkg/outcome"},
	"pkg/onboard/sign":                       {"pkg/onboard/handoff", "pkg/onboard", "pkg/onboard/destination", "pkg/onboard/event", "pkg/store", "pkg/kubeconfig", "pkg/request", "pkg/pki", "pkg/identity", "pkg/outcome"},
	"pkg/render/screen":                      {"pkg/identity"},
	"pkg/render/report":                      {"pkg/render/screen", "pkg/onboard/offboard", "pkg/onboard/doctor", "pkg/onboard/team", "pkg/onboard/renewal", "pkg/onboard/handoff", "pkg/onboard", "pkg/request", "pkg/access", "pkg/pki", "pkg/identity", "pkg/outcome"},
	"pkg/render":                             {"pkg/onboard/clusters", "pkg/render/report", "pkg/render/screen", "pkg/onboard/sign", "pkg/onboard/audit", "pkg/onboard/revoke", "pkg/onboard/offboard", "pkg/onboard/doctor", "pkg/onboard/team", "pkg/onboard/renewal", "pkg/onboard/approval", "pkg/onboard/granting", "pkg/onboard/handoff", "pkg/onboard", "pkg/onboard/destination", "pkg/onboard/event", "pkg/ledger", "pkg/request", "pkg/access", "pkg/pki", "pkg/identity", "pkg/outcome"},
	"pkg/cmd/cli/clitest":                    {"pkg/cmd/cli"},
	"pkg/cmd/cli":                            {"pkg/render", "pkg/render/screen", "pkg/onboard/completion", "pkg/onboard/pair", "pkg/onboard", "pkg/process", "pkg/store", "pkg/cluster", "pkg/kubeconfig", "pkg/pki", "pkg/identity", "pkg/buildinfo", "pkg/document", "pkg/outcome"},
	"pkg/cmd/options":                        {"pkg/onboard/event", "pkg/onboard/clusters", "pkg/cmd/cli", "pkg/render", "pkg/render/report", "pkg/render/screen", "pkg/onboard/approval", "pkg/onboard/handoff", "pkg/onboard", "pkg/onboard/destination", "pkg/prompt", "pkg/process", "pkg/store", "pkg/kubeconfig", "pkg/request", "pkg/access", "pkg/pki", "pkg/identity", "pkg/outcome"},
	"pkg/cmd/newuser":                        {"pkg/onboard/destination", "pkg/onboard/event", "pkg/render/screen", "pkg/onboard/clusters", "pkg/cmd/options", "pkg/cmd/cli", "pkg/render", "pkg/render/report", "pkg/onboard/revoke", "pkg/onboard/team", "pkg/onboard", "pkg/store", "pkg/teamfile", "pkg/request", "pkg/access", "pkg/pki", "pkg/identity", "pkg/outcome"},
	"pkg/cmd/approve":                        {"pkg/requestfile", "pkg/onboard/event", "pkg/onboard/clusters", "pkg/cmd/options", "pkg/cmd/cli", "pkg/render", "pkg/render/report", "pkg/render/screen", "pkg/onboard/approval", "pkg/onboard/handoff", "pkg/onboard", "pkg/prompt", "pkg/store", "pkg/cluster/requests", "pkg/kubeconfig", "pkg/request", "pkg/access", "pkg/identity", "pkg/outcome"},
	"pkg/cmd/fetch":                          {"pkg/onboard/clusters", "pkg/store", "pkg/cmd/options", "pkg/cmd/cli", "pkg/onboard/handoff", "pkg/onboard", "pkg/prompt", "pkg/kubeconfig", "pkg/pki", "pkg/identity", "pkg/outcome"},
	"pkg/cmd/renew":                          {"pkg/cmd/options", "pkg/cmd/cli", "pkg/render", "pkg/render/report", "pkg/onboard/renewal", "pkg/onboard/pair", "pkg/onboard", "pkg/process", "pkg/store", "pkg/cluster", "pkg/kubeconfig", "pkg/request", "pkg/pki", "pkg/identity", "pkg/answer", "pkg/outcome"},
	"pkg/cmd/revoke":                         {"pkg/onboard/clusters", "pkg/render/revocations", "pkg/cmd/options", "pkg/cmd/cli", "pkg/onboard/revoke", "pkg/onboard", "pkg/store", "pkg/request", "pkg/revocation", "pkg/access", "pkg/identity", "pkg/outcome"},
	"pkg/cmd/audit":                          {"pkg/onboard/clusters", "pkg/render/records", "pkg/cmd/options", "pkg/cmd/cli", "pkg/onboard/audit", "pkg/ledger", "pkg/request", "pkg/pki", "pkg/identity", "pkg/outcome"},
	"pkg/cmd/grant":                          {"pkg/onboard/clusters", "pkg/render/revocations", "pkg/cmd/options", "pkg/cmd/cli", "pkg/render", "pkg/render/report", "pkg/onboard/revoke", "pkg/onboard/offboard", "pkg/onboard/granting", "pkg/onboard", "pkg/prompt", "pkg/request", "pkg/access", "pkg/identity", "pkg/outcome"},
	"pkg/cmd/sign":                           {"pkg/requestfile", "pkg/cmd/options", "pkg/cmd/cli", "pkg/render/report", "pkg/onboard/sign", "pkg/onboard", "pkg/prompt", "pkg/store", "pkg/kubeconfig", "pkg/request", "pkg/identity", "pkg/outcome"},
	"pkg/cmd/policy":                         {"pkg/cmd/options", "pkg/cmd/cli", "pkg/process", "pkg/outcome"},
	"pkg/cmd/doctor":                         {"pkg/onboard/clusters", "pkg/cmd/options", "pkg/cmd/cli", "pkg/render", "pkg/onboard/doctor", "pkg/outcome"},
	"pkg/cmd":                                {"pkg/cmd/doctor", "pkg/cmd/policy", "pkg/cmd/sign", "pkg/cmd/grant", "pkg/cmd/audit", "pkg/cmd/revoke", "pkg/cmd/renew", "pkg/cmd/fetch", "pkg/cmd/approve", "pkg/cmd/newuser", "pkg/cmd/options", "pkg/cmd/cli", "pkg/render", "pkg/render/report", "pkg/onboard", "pkg/process", "pkg/store", "pkg/kubeconfig", "pkg/identity", "pkg/buildinfo", "pkg/answer", "pkg/outcome"},
	"pkg/render/records":                     {"pkg/render/report", "pkg/render/screen", "pkg/ledger", "pkg/pki", "pkg/identity"},
	"pkg/render/revocations":                 {"pkg/render/report", "pkg/onboard/revoke", "pkg/revocation", "pkg/access", "pkg/pki", "pkg/identity"},
	"pkg/controller/enforce":                 {"pkg/store", "pkg/cluster/enforcement", "pkg/revocation", "pkg/access", "pkg/identity", "pkg/parallel", "pkg/document", "pkg/outcome"},
	"pkg/controller":                         {"pkg/cluster", "pkg/ledger"},
	"pkg/controller/fairqueue":               {},
	"pkg/controller/approve":                 {"pkg/controller", "pkg/controller/fairqueue", "pkg/cluster", "pkg/cluster/resources", "pkg/cluster/enforcement", "pkg/cluster/bindings", "pkg/cluster/requests", "pkg/policy/condition", "pkg/policy", "pkg/ledger", "pkg/request", "pkg/access", "pkg/identity", "pkg/parallel", "pkg/outcome"},
	"pkg/render/policies":                    {"pkg/controller/approve", "pkg/ledger", "pkg/render/report", "pkg/render/screen", "pkg/policy", "pkg/request", "pkg/identity"},
	"pkg/controller/record":                  {"pkg/controller", "pkg/cluster/controlling", "pkg/cluster/resources", "pkg/cluster/enforcement", "pkg/cluster/recording", "pkg/cluster/requests", "pkg/ledger", "pkg/request", "pkg/access", "pkg/outcome"},
	"pkg/controller/command":                 {"pkg/ledger", "pkg/controller/record", "pkg/render/policies", "pkg/controller/approve", "pkg/controller", "pkg/controller/enforce", "pkg/render", "pkg/render/report", "pkg/render/screen", "pkg/store", "pkg/cluster", "pkg/cluster/enforcement", "pkg/policy", "pkg/request", "pkg/identity", "pkg/outcome"},
	"cmd/csr-onboard-controller":             {"pkg/controller/command", "pkg/buildinfo"},
	"cmd/kubectl-csr_onboard/early":          {"pkg/answer"},
	"cmd/kubectl-csr_onboard/latecollection": {},
	"cmd/kubectl-csr_onboard":                {"cmd/kubectl-csr_onboard/early", "cmd/kubectl-csr_onboard/latecollection", "pkg/cmd", "pkg/buildinfo"},
}

// pure are the packages without a disk or a network.
var pure = []string{"pkg/buildinfo", "pkg/outcome", "pkg/answer", "pkg/document", "pkg/identity", "pkg/access", "pkg/revocation", "pkg/pki", "pkg/request", "pkg/requestfile", "pkg/ledger", "pkg/teamfile", "pkg/kubeconfig"}

// doors are the imports that only the named packages may have, directly.
var doors = map[string][]string{
	"github.com/spf13/cobra":         {"pkg/cmd", "pkg/cmd/*", "pkg/cmd/cli/clitest", "pkg/controller/command"},
	"github.com/AlecAivazis/survey/": {"pkg/prompt"},
	"k8s.io/client-go/kubernetes":    {"pkg/cluster/internal/connection"},
	"k8s.io/client-go/rest":          {"pkg/cluster/internal/connection", "pkg/cluster", "pkg/cmd/cli"},
	"os":                             {"pkg/cmd/cli/clitest", "pkg/store", "pkg/store/*", "pkg/process", "cmd/kubectl-csr_onboard", "cmd/kubectl-csr_onboard/early", "cmd/csr-onboard-controller"},
	"os/signal":                      {"cmd/kubectl-csr_onboard", "cmd/csr-onboard-controller"},
	"os/exec":                        {"pkg/process"},
}

type listed struct {
	ImportPath string
	Dir        string
	Imports    []string
	GoFiles    []string
}

// list is what go list -deps says of the program's own packages.
func list(t *testing.T) map[string]listed {
	t.Helper()
	ours, err := listOnce()
	if err != nil {
		t.Fatal(err)
	}
	return ours
}

// listOnce asks the go command once for all tests.
var listOnce = sync.OnceValues(func() (map[string]listed, error) {
	output, err := exec.Command("go", "list", "-deps", "-json=ImportPath,Dir,Imports,GoFiles", module+"...").Output()
	if err != nil {
		return nil, err
	}
	ours := map[string]listed{}
	decoder := json.NewDecoder(strings.NewReader(string(output)))
	for {
		var p listed
		err := decoder.Decode(&p)
		if errors.Is(err, io.EOF) {
			return ours, nil
		}
		if err != nil {
			return nil, err
		}
		if name, isOurs := strings.CutPrefix(p.ImportPath, module); isOurs && len(p.GoFiles) > 0 {
			ours[name] = p
		}
	}
})

func TestRings_DependenciesPointInward(t *testing.T) {
	for name, p := range list(t) {
		allowed, known := rings[name]
		if !known {
			t.Errorf("%s belongs to no ring: name it in the table", name)
			continue
		}
		for _, imported := range p.Imports {
			inner, isOurs := strings.CutPrefix(imported, module)
			if isOurs && !slices.Contains(allowed, inner) {
				t.Errorf("%s imports %s, which lies further out or beside it", name, inner)
			}
		}
	}
}

// TestRings_NoPermissionIsUnused keeps the table as small as the program: what is permitted and not
// used invites what nobody has decided.
func TestRings_NoPermissionIsUnused(t *testing.T) {
	ours := list(t)
	for name, allowed := range rings {
		p, exists := ours[name]
		if !exists {
			t.Errorf("%s is in the table, and there is no such package", name)
		}
		for _, permitted := range allowed {
			if !slices.Contains(p.Imports, module+permitted) {
				t.Errorf("%s may import %s, and does not", name, permitted)
			}
		}
	}
}

// isAmong reports whether a package matches one of some patterns of package path.
func isAmong(name string, patterns []string) bool {
	return slices.ContainsFunc(patterns, func(pattern string) bool {
		matches, _ := path.Match(pattern, name)
		return matches
	})
}

func TestRings_OnlyTheDoorsImportWhatLiesOutside(t *testing.T) {
	for name, p := range list(t) {
		for _, imported := range p.Imports {
			for forbidden, allowed := range doors {
				within := imported == forbidden || strings.HasPrefix(imported, strings.TrimSuffix(forbidden, "/")+"/") && forbidden != "os"
				if within && !isAmong(name, allowed) {
					t.Errorf("%s imports %q; only %q may", name, imported, allowed)
				}
			}
		}
	}
}

func TestRings_PurePackagesTouchNothing(t *testing.T) {
	ours := list(t)
	for _, name := range pure {
		p := ours[name]
		for _, imported := range p.Imports {
			for _, forbidden := range []string{"os", "io/fs", "net", "net/http", "path/filepath", "context"} {
				if imported == forbidden {
					t.Errorf("%s imports %q", name, imported)
				}
			}
		}
	}
}

// TestRings_TheClockIsAParameter is for code whose answer depends on the time: a test gives it any.
func TestRings_TheClockIsAParameter(t *testing.T) {
	for name, p := range list(t) {
		if name == "cmd/kubectl-csr_onboard/early" {
			// It is a main of its own, and hands the time on.
			continue
		}
		for _, file := range p.GoFiles {
			for _, call := range callsOf(t, filepath.Join(p.Dir, file)) {
				if call == "time.Now" || call == "time.Since" || call == "time.Until" {
					t.Errorf("%s calls %s in %s; take the clock as a parameter", name, call, file)
				}
			}
		}
	}
}

func TestRings_NothingBelowMainExits(t *testing.T) {
	for name, p := range list(t) {
		for _, file := range p.GoFiles {
			for _, call := range callsOf(t, filepath.Join(p.Dir, file)) {
				switch call {
				case "os.Exit", "syscall.Exit", "log.Fatal", "log.Fatalf", "klog.Fatal", "klog.Fatalf":
					// Package early is a main of its own.
					if name != "cmd/kubectl-csr_onboard" && name != "cmd/csr-onboard-controller" && name != "cmd/kubectl-csr_onboard/early" {
						t.Errorf("%s calls %s in %s", name, call, file)
					}
				}
			}
		}
	}
}

// callsOf lists the calls of a file in the form package.Function.
func callsOf(t *testing.T, path string) []string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var calls []string
	ast.Inspect(file, func(node ast.Node) bool {
		if call, isCall := node.(*ast.CallExpr); isCall {
			if selector, isSelector := call.Fun.(*ast.SelectorExpr); isSelector {
				if receiver, isName := selector.X.(*ast.Ident); isName {
					calls = append(calls, receiver.Name+"."+selector.Sel.Name)
				}
			}
		}
		return true
	})
	return calls
}
