package pkg

import (
	"container/heap"
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const (
	plugin = module + "cmd/kubectl-csr_onboard"
	early  = plugin + "/early"
)

// onlyForAController are modules and packages that a controller needs and the plugin does
// not: policies in CEL, metrics, API servers, leader election.
var onlyForAController = []string{
	"github.com/google/cel-go", "github.com/prometheus/client_golang",
	"k8s.io/apiserver", "k8s.io/kube-aggregator", "k8s.io/apiextensions-apiserver",
	"k8s.io/client-go/tools/leaderelection", "k8s.io/client-go/informers", "k8s.io/component-base",
	"sigs.k8s.io/controller-runtime", "go.etcd.io", "google.golang.org/grpc",
	module + "pkg/controller", module + "cmd/csr-onboard-controller",
}

// linked are all packages in a program or package, by import path.
func linked(t *testing.T, path string) map[string]listed {
	t.Helper()
	output, err := exec.Command("go", "list", "-deps", "-json=ImportPath,Dir,Imports,GoFiles,Standard", path).Output()
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]listed{}
	decoder := json.NewDecoder(strings.NewReader(string(output)))
	for {
		var p listed
		err := decoder.Decode(&p)
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		all[p.ImportPath] = p
	}
}

func TestLinked_ThePluginLinksNothingThatOnlyAControllerNeeds(t *testing.T) {
	for path := range linked(t, plugin) {
		for _, forbidden := range onlyForAController {
			if path == forbidden || strings.HasPrefix(path, forbidden+"/") {
				t.Errorf("the plugin links %s", path)
			}
		}
	}
}

// TestLinked_TheEarlyAnswerImportsAlmostNothing is for an import that delays the early answer,
// because Go initializes what a package imports before the package.
func TestLinked_TheEarlyAnswerImportsAlmostNothing(t *testing.T) {
	permitted := []string{"io", "io/fs", "os", "syscall", "time", module + "pkg/answer"}
	all := linked(t, early)
	for _, imported := range all[early].Imports {
		if !slices.Contains(permitted, imported) {
			t.Errorf("%s imports %s; only %q are permitted", early, imported, permitted)
		}
	}
	if imported := all[module+"pkg/answer"].Imports; len(imported) > 0 {
		t.Errorf("pkg/answer imports %q", imported)
	}
}

// TestLinked_TheEarlyAnswerIsGivenBeforeTheRestIsInitialized computes the order in which Go
// initializes the packages of the plugin.
func TestLinked_TheEarlyAnswerIsGivenBeforeTheRestIsInitialized(t *testing.T) {
	order := initializationOrder(linked(t, plugin))
	answers := slices.Index(order, early)
	if answers < 0 {
		t.Fatalf("the plugin does not import %s", early)
	}
	for _, slow := range []string{
		"net", "net/http", "crypto/tls", "crypto/x509", "text/template", "github.com/spf13/cobra", "github.com/AlecAivazis/survey/v2",
		"k8s.io/api/core/v1", "k8s.io/apimachinery/pkg/runtime", "k8s.io/client-go/kubernetes/scheme", "k8s.io/client-go/rest",
		"k8s.io/client-go/plugin/pkg/client/auth", module + "pkg/cmd",
	} {
		switch initialized := slices.Index(order, slow); {
		case initialized < 0:
			t.Errorf("the plugin does not import %s: take it out of this test", slow)
		case initialized < answers:
			t.Errorf("%s is initialized before the early answer is given", slow)
		}
	}
}

// initializationOrder sorts packages as Go initializes them: of those whose imports are
// initialized, always the one with the first import path (Go specification, Program
// initialization).
func initializationOrder(all map[string]listed) []string {
	missing := map[string]int{}
	importedBy := map[string][]string{}
	ready := &paths{}
	for path, p := range all {
		for _, imported := range p.Imports {
			if _, isThere := all[imported]; isThere {
				missing[path]++
				importedBy[imported] = append(importedBy[imported], path)
			}
		}
		if missing[path] == 0 {
			heap.Push(ready, path)
		}
	}
	var order []string
	for ready.Len() > 0 {
		first := heap.Pop(ready).(string)
		order = append(order, first)
		for _, path := range importedBy[first] {
			if missing[path]--; missing[path] == 0 {
				heap.Push(ready, path)
			}
		}
	}
	return order
}

// paths are a heap of import paths, the first one on top.
type paths []string

func (p *paths) Len() int           { return len(*p) }
func (p *paths) Less(i, j int) bool { return (*p)[i] < (*p)[j] }
func (p *paths) Swap(i, j int)      { (*p)[i], (*p)[j] = (*p)[j], (*p)[i] }
func (p *paths) Push(path any)      { *p = append(*p, path.(string)) }
func (p *paths) Pop() any {
	last := (*p)[len(*p)-1]
	*p = (*p)[:len(*p)-1]
	return last
}
