package cmd

import (
	"bytes"
	"encoding/json"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/access"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cluster/clustertest"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/kubeconfig"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/ledger"
)

// threeClusters is a machine with a kubeconfig of three clusters in memory: dev, prod-eu and prod-us.
type threeClusters struct {
	*desk

	servers map[string]*clustertest.Server
}

var threeNames = []string{"dev", "prod-eu", "prod-us"}

func newThreeClusters(t *testing.T) *threeClusters {
	t.Helper()
	d := &threeClusters{&desk{home: t.TempDir()}, map[string]*clustertest.Server{}}
	t.Chdir(d.home)
	t.Setenv("HOME", d.home)
	all := clientcmdapi.NewConfig()
	for _, name := range threeNames {
		server := clustertest.New(t)
		d.servers[name] = server
		one := kubeconfig.Assemble(server.Endpoint, server.Credentials(t, "admin", clustertest.Masters), kubeconfig.Names{Cluster: "cluster-" + name, Context: name}, "")
		all.Clusters["cluster-"+name], all.AuthInfos[name], all.Contexts[name] = one.Clusters["cluster-"+name], one.AuthInfos[name], one.Contexts[name]
	}
	encoded, err := kubeconfig.Encode(all)
	if err == nil {
		err = os.WriteFile("admin.kubeconfig", encoded, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("KUBECONFIG", filepath.Join(d.home, "admin.kubeconfig"))
	return d
}

// fails has prod-eu answer nothing but errors, until it is called with false.
func (d *threeClusters) fails(isFailing bool) {
	d.servers["prod-eu"].Answer = func(w http.ResponseWriter, _ *http.Request) bool {
		if isFailing {
			http.Error(w, "out of order", http.StatusInternalServerError)
		}
		return isFailing
	}
}

func TestClusters_ListIsOneTableOfAllClusters(t *testing.T) {
	d := newThreeClusters(t)
	for _, name := range threeNames {
		d.runs(t, 0, "new-user jane-of-"+name+" --dir "+name+" --context "+name)
	}
	out, _ := d.runs(t, 0, "list --contexts prod-*,dev")
	lines := strings.Split(strings.TrimSpace(out), "\n")
	if len(lines) != 4 || !strings.HasPrefix(lines[0], "CLUSTER   NAME") || !strings.HasPrefix(lines[1], "prod-eu   jane-of-prod-eu-") || !strings.HasPrefix(lines[3], "dev       jane-of-dev-") {
		t.Errorf("got\n%s", out)
	}
	out, _ = d.runs(t, 0, "list --contexts dev,prod-us -o json --sort-by {.user.name}")
	var list struct {
		Kind  string
		Items []struct {
			Cluster string
			User    struct{ Name string }
		}
	}
	if err := json.Unmarshal([]byte(out), &list); err != nil || list.Kind != "RequestReviewList" || len(list.Items) != 2 || list.Items[1].Cluster != "prod-us" || list.Items[1].User.Name != "jane-of-prod-us" {
		t.Errorf("%v:\n%s", err, out)
	}
	if out, _ := d.runs(t, 0, "list -o json --context dev"); strings.Contains(out, `"cluster"`) {
		t.Errorf("one cluster is named:\n%s", out)
	}
	d.says(t, 2, "list --contexts dev -o name", "--output name does not say which cluster")
	if err := os.WriteFile("contexts", []byte("# all\n*\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	d.says(t, 0, "list --contexts-from contexts", "jane-of-dev-", "jane-of-prod-eu-", "jane-of-prod-us-")
}

func TestClusters_AClusterThatFailsIsNamedAndTheOthersAreListed(t *testing.T) {
	d := newThreeClusters(t)
	d.runs(t, 0, "new-user jane --dir jane --context dev")
	d.fails(true)
	d.says(t, 1, "list --contexts *", "dev       jane-", "not done on prod-eu: ", `error: 1 of 3 clusters is not done: "prod-eu": `)
	for _, reading := range []string{"list", "revocations", "revocations -o json", "ledger", "doctor"} {
		if _, errOut := d.runs(t, 1, reading+" --contexts *"); strings.Contains(errOut, "run the same command again") {
			t.Errorf("%s only reads, and says to continue:\n%s", reading, errOut)
		}
	}
	d.says(t, 1, "revoke jane --contexts *", "hint: run the same command again")
	d.says(t, 1, "list --contexts prod-eu", `error: cluster "prod-eu": `)
	d.says(t, 1, "doctor --contexts *", "[dev] pass ", `"prod-eu": `)
}

func TestClusters_DoctorExaminesEachCluster(t *testing.T) {
	d := newThreeClusters(t)
	d.says(t, 0, "doctor --contexts dev,prod-us --probe --timeout 10s", "[dev] pass     certificates-api: ", "[prod-us] pass     certificates-api: ")
	out, _ := d.runs(t, 0, "doctor --contexts dev,prod-us -o json")
	var list struct {
		Kind  string
		Items []struct{ Cluster, Kind string }
	}
	if err := json.Unmarshal([]byte(out), &list); err != nil || list.Kind != "ExaminationList" || len(list.Items) != 2 || list.Items[1].Cluster != "prod-us" || list.Items[0].Kind != "Examination" {
		t.Errorf("%v:\n%s", err, out)
	}
	if len(d.servers["prod-eu"].Names("certificatesigningrequests")) != 0 {
		t.Error("a cluster that was not named was asked")
	}
}

// contextsOf are the contexts of a kubeconfig.
func contextsOf(t *testing.T, path string) []string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	config, err := kubeconfig.Decode(text)
	if err != nil {
		t.Fatal(err)
	}
	return slices.Sorted(maps.Keys(config.Contexts))
}

func TestClusters_OneCommandMakesAKubeconfigWithAContextForEach(t *testing.T) {
	d := newThreeClusters(t)
	out, errOut := d.runs(t, 0, "new-user jane -g dev --approve --contexts dev,prod-* --dir jane")
	if out != filepath.Join("jane", "jane.kubeconfig")+"\n" || !strings.Contains(errOut, "[prod-us] logged in") {
		t.Errorf("got %q and\n%s", out, errOut)
	}
	want := []string{"jane@cluster-dev", "jane@cluster-prod-eu", "jane@cluster-prod-us"}
	if got := contextsOf(t, "jane/jane.kubeconfig"); !slices.Equal(got, want) {
		t.Errorf("contexts %q", got)
	}
	d.says(t, 0, "status --kubeconfig jane/jane.kubeconfig --live", "cluster-prod-eu")
	keys := keysHere(t)
	if len(keys) != 3 || keys[filepath.Join("jane", "clusters", "dev", "jane.key")] == keys[filepath.Join("jane", "clusters", "prod-eu", "jane.key")] {
		t.Errorf("keys: %q", slices.Collect(maps.Keys(keys)))
	}
	// Again, it changes nothing.
	before, _ := os.ReadFile("jane/jane.kubeconfig")
	d.runs(t, 0, "new-user jane -g dev --approve --contexts prod-*,dev --dir jane")
	if after, _ := os.ReadFile("jane/jane.kubeconfig"); !bytes.Equal(before, after) || !maps.Equal(keys, keysHere(t)) {
		t.Error("the second run changed something")
	}
	for _, name := range threeNames {
		if names := d.servers[name].Names("certificatesigningrequests"); len(names) != 1 {
			t.Errorf("%s has the requests %q", name, names)
		}
	}
}

func TestClusters_AClusterThatFailedIsCompletedByTheNextRun(t *testing.T) {
	d := newThreeClusters(t)
	d.fails(true)
	d.says(t, 1, "new-user jane --approve --contexts dev,prod-eu,prod-us --dir jane", "not done on prod-eu: ", "jane.kubeconfig, with the contexts jane@cluster-dev, jane@cluster-prod-us")
	keys := keysHere(t)
	d.fails(false)
	d.runs(t, 0, "new-user jane --approve --contexts dev,prod-eu,prod-us --dir jane")
	if got := contextsOf(t, "jane/jane.kubeconfig"); len(got) != 3 {
		t.Errorf("contexts %q", got)
	}
	for path, key := range keysHere(t) {
		if before, existed := keys[path]; existed && before != key {
			t.Errorf("%s was replaced", path)
		}
	}
}

func TestClusters_OneKeyIsTheSameOnAllClusters(t *testing.T) {
	d := newThreeClusters(t)
	d.runs(t, 0, "new-user jane --approve --contexts dev,prod-eu --one-key --dir jane")
	keys := keysHere(t)
	first := keys[filepath.Join("jane", "jane.key")]
	if len(keys) != 3 || first == "" || keys[filepath.Join("jane", "clusters", "dev", "jane.key")] != first || keys[filepath.Join("jane", "clusters", "prod-eu", "jane.key")] != first {
		t.Errorf("%d keys", len(keys))
	}
	// Another cluster later gets the same key.
	d.runs(t, 0, "new-user jane --approve --contexts prod-us --one-key --dir jane")
	if keysHere(t)[filepath.Join("jane", "clusters", "prod-us", "jane.key")] != first || len(contextsOf(t, "jane/jane.kubeconfig")) != 3 {
		t.Error("the cluster that came later has another key, or a context is missing")
	}
	// A cluster whose key exists keeps it.
	d.runs(t, 0, "new-user joe --contexts dev --dir joe")
	d.says(t, 2, "new-user joe --contexts dev --one-key --dir joe", "is another key than")
}

func TestClusters_RequestsAreFetchedFromAllClustersLater(t *testing.T) {
	d := newThreeClusters(t)
	d.says(t, 0, "new-user jane --contexts dev,prod-us --dir jane", "[dev] certificatesigningrequest.certificates.k8s.io/jane-", " created",
		"kubectl csr-onboard approve jane --contexts dev,prod-us", "kubectl csr-onboard fetch jane --dir jane --contexts dev,prod-us")
	d.says(t, 0, "new-user jane --contexts dev,prod-us --dir jane", " unchanged")
	for _, name := range []string{"dev", "prod-us"} {
		d.runs(t, 0, "approve jane --yes --context "+name)
	}
	out, _ := d.runs(t, 0, "fetch jane --contexts dev,prod-us --dir jane -o json --out all.kubeconfig")
	var list struct {
		Kind  string
		Items []struct{ Cluster, Kubeconfig, Context string }
	}
	if err := json.Unmarshal([]byte(out), &list); err != nil || list.Kind != "FetchedCertificateList" || len(list.Items) != 2 || list.Items[1].Cluster != "prod-us" || list.Items[1].Kubeconfig != "all.kubeconfig" {
		t.Errorf("%v:\n%s", err, out)
	}
	d.runs(t, 0, "fetch jane --contexts dev,prod-us --dir jane --merge")
	if got := contextsOf(t, "admin.kubeconfig"); !slices.Equal(got, []string{"dev", "jane@cluster-dev", "jane@cluster-prod-us", "prod-eu", "prod-us"}) {
		t.Errorf("contexts %q", got)
	}
	d.says(t, 1, "fetch jane --contexts dev --dir jane --out admin.kubeconfig", "is not \"jane\" with a certificate")
	d.says(t, 1, "fetch jane --contexts prod-eu --dir jane", "private key of \"jane\" not found")
	d.says(t, 124, "new-user kim --dir kim --wait --timeout 100ms --contexts dev,prod-us", "kubectl csr-onboard fetch kim --dir kim --contexts dev")
	out, _ = d.runs(t, 0, "new-user lee --dir lee --contexts dev,prod-us --dry-run=server -o jsonpath={.items[*].cluster}")
	if out != "dev prod-us" {
		t.Errorf("got %q", out)
	}
}

func TestClusters_WhatIsForOneClusterIsRefused(t *testing.T) {
	d := newThreeClusters(t)
	for _, line := range []string{
		"new-user jane --offline", "new-user -f team.yaml --dry-run=server", "new-user jane --approve --pin", "new-user jane --approve --context-name x", "new-user jane -o name",
		"new-user jane --approve --out -", "new-user jane --approve --merge --set-current", "new-user jane --one-key --key k", "fetch jane --from f", "fetch jane --key k",
		"fetch jane --certificate-only", "fetch jane --cluster-name c", "fetch jane --external-server https://a", "fetch jane --out -",
	} {
		d.says(t, 2, line+" --contexts dev,prod-us", "error: --")
	}
	d.says(t, 2, "new-user jane --one-key", "--one-key does nothing without --contexts")
	for _, name := range threeNames {
		if names := d.servers[name].Names("certificatesigningrequests"); len(names) != 0 {
			t.Errorf("%s has the requests %q", name, names)
		}
	}
}

func TestClusters_WhatIsTheSameIsApprovedOnAllClusters(t *testing.T) {
	d := newThreeClusters(t)
	d.runs(t, 0, "new-user jane -g dev --one-key --contexts dev,prod-us --dir jane")
	out, errOut := d.runs(t, 0, "approve jane --contexts dev,prod-us --dry-run=client")
	if strings.Count(out, "certificate signing request jane-") != 1 || !strings.Contains(out, "  clusters      dev, prod-us\n") || !strings.Contains(errOut, "nothing was approved") {
		t.Errorf("got\n%s%s", out, errOut)
	}
	d.says(t, 0, "approve jane --contexts dev,prod-us --dry-run=client -o jsonpath={.items[*].cluster}", "dev prod-us")
	d.says(t, 2, "approve jane --contexts dev,prod-us", "no terminal is available")
	out, errOut = d.runs(t, 0, "approve jane --contexts dev,prod-us --yes --wait")
	if strings.Count(errOut, "certificate signing request jane-") != 1 || !strings.Contains(errOut, "  clusters      dev, prod-us\n") ||
		!strings.HasPrefix(out, "[dev] certificatesigningrequest.certificates.k8s.io/jane-") || strings.Count(out, " approved\n") != 2 || strings.Count(errOut, "] the certificate is valid until") != 2 {
		t.Errorf("got\n%s%s", out, errOut)
	}
	d.says(t, 0, "approve jane --contexts dev,prod-us --yes -o jsonpath={.items[*].cluster}", "dev prod-us", "[dev] jane-", "is approved already")
	d.says(t, 0, "fetch jane --contexts dev,prod-us --dir jane", "jane@cluster-prod-us")
	d.says(t, 4, "approve jane --contexts dev,prod-eu --yes", "not done on prod-eu: ", "not found", "[dev] certificatesigningrequest")
	d.says(t, 2, "approve --contexts dev,prod-eu --yes", "--contexts requires a NAME, --filename, --all or --selector")
}

func TestClusters_WhatDiffersIsShownForEachCluster(t *testing.T) {
	d := newThreeClusters(t)
	d.runs(t, 0, "new-user jane -g dev --contexts dev,prod-us --dir jane")
	out, _ := d.runs(t, 0, "approve --all --contexts dev,prod-us --dry-run=client")
	if strings.Count(out, "certificate signing request jane-") != 2 || !strings.Contains(out, "  clusters      dev\n") || !strings.Contains(out, "  clusters      prod-us\n") {
		t.Errorf("got\n%s", out)
	}
	d.says(t, 0, "approve --all --contexts dev,prod-us --yes", "[prod-us] certificate signing request jane-", "[prod-us] certificatesigningrequest", " approved")
}

func TestClusters_OffboardSaysOfEachClusterWhatRemains(t *testing.T) {
	d := newThreeClusters(t)
	for _, name := range threeNames[:2] {
		d.servers[name].Put(t, &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: "view"}})
	}
	d.runs(t, 0, "new-user jane -g dev --approve --clusterrole view --contexts dev,prod-eu --dir jane")
	d.says(t, 2, "offboard jane --contexts dev,prod-eu", "[dev] to be removed from jane:", "no terminal is available")
	out, _ := d.runs(t, 0, "offboard jane --contexts dev,prod-eu --dry-run=client -o json")
	var list struct {
		Kind  string
		Items []struct {
			Cluster         string
			RemovedBindings []any
		}
	}
	if err := json.Unmarshal([]byte(out), &list); err != nil || list.Kind != "OffboardingReportList" || len(list.Items) != 2 || list.Items[1].Cluster != "prod-eu" || len(list.Items[1].RemovedBindings) != 1 {
		t.Errorf("%v:\n%s", err, out)
	}
	d.says(t, 4, "offboard jane --contexts dev,prod-eu,prod-us --yes", "[prod-eu] deleted ", "[dev] what jane still has:", "[prod-eu] what jane still has:", "not done on prod-us: ")
	for _, name := range threeNames[:2] {
		if names := d.servers[name].Names("clusterrolebindings"); len(names) != 0 {
			t.Errorf("%s has the bindings %q", name, names)
		}
	}
	d.says(t, 0, "offboard jane --contexts dev,prod-eu --unblock", "[dev] jane not blocked; no longer recorded as offboarded\n", "[prod-eu] jane not blocked")
}

func TestClusters_RevokeSaysOfEachClusterWhetherItCan(t *testing.T) {
	d := newThreeClusters(t)
	d.says(t, 1, "revoke jane --contexts dev,prod-us", "not done on dev: ", "not done on prod-us: ", `2 of 2 clusters are not done: "dev", "prod-us"`)
}

func TestClusters_EachContextOfTheListIsCompleted(t *testing.T) {
	d := newThreeClusters(t)
	for line, want := range map[string]string{
		"__complete list --contexts p":            "prod-eu\nprod-us\n:4\n",
		"__complete list --contexts dev,p":        "dev,prod-eu\ndev,prod-us\n:4\n",
		"__complete list --contexts dev,prod-eu,": "dev,prod-eu,prod-us\n:4\n",
	} {
		if out, _ := d.runs(t, 0, line); out != want {
			t.Errorf("%s: %q, want %q", line, out, want)
		}
	}
}

// revokeOn puts a list with one user on a cluster, on which no enforcer reports.
func revokeOn(t *testing.T, d *threeClusters, cluster, user string) {
	t.Helper()
	change, err := access.ListOf(nil).Add(time.Now(), access.Entry{Blocked: access.Blocked{User: user}, Details: access.Details{User: user, IsRevoked: true}})
	if err != nil {
		t.Fatal(err)
	}
	list := access.BlockList()
	list.Data = map[string]string{}
	for key, value := range change {
		list.Data[key] = *value
	}
	d.servers[cluster].Put(t, list)
}

func TestClusters_UnrevokeSaysOfEachClusterWhoIsNotRevoked(t *testing.T) {
	d := newThreeClusters(t)
	revokeOn(t, d, "dev", "jane")
	d.says(t, 0, "unrevoke jane --contexts dev,prod-us", "[dev] unrevoked the user \"jane\"\n[prod-us] the user \"jane\" is not revoked\n")
}

func TestClusters_TheRevocationsOfAllClustersAreOneList(t *testing.T) {
	d := newThreeClusters(t)
	revokeOn(t, d, "dev", "jane")
	revokeOn(t, d, "prod-us", "joe")
	d.says(t, 1, "revocations --contexts dev,prod-us", "[dev] the user \"jane\"", "[prod-us] the user \"joe\"", "not done on dev: nothing is known to be in force", `2 of 2 clusters are not done`)
	d.servers["prod-eu"].Refuse("get", "configmaps")
	out, _ := d.runs(t, 1, "revocations --contexts * -o json")
	var list struct {
		Items []struct{ Cluster, User string }
	}
	if err := json.Unmarshal([]byte(out), &list); err != nil || len(list.Items) != 2 || list.Items[0].Cluster != "dev" || list.Items[1].User != "joe" {
		t.Errorf("%v:\n%s", err, out)
	}
	if out, _ := d.runs(t, 1, "revocations --context dev -o json"); strings.Contains(out, `"cluster"`) || strings.Contains(out, `"blocked"`) {
		t.Errorf("one cluster is named, or a revocation is a block:\n%s", out)
	}
	// A block needs no enforcer.
	d.runs(t, 0, "unrevoke joe --context prod-us")
	d.runs(t, 0, "offboard joe --block --yes --context prod-us")
	d.says(t, 0, "revocations --context prod-us -o json", `"blocked": true`)
}

func TestClusters_TheLedgersOfAllClustersAreOneList(t *testing.T) {
	d := newThreeClusters(t)
	for i, name := range threeNames[:2] {
		for _, user := range []string{"jane", "joe"} {
			d.servers[name].Put(t, &ledger.ClientCertificate{
				TypeMeta:   metav1.TypeMeta{APIVersion: ledger.GroupVersion.String(), Kind: ledger.Kind},
				ObjectMeta: metav1.ObjectMeta{Name: ledger.NameOf([]byte(user + name))},
				Spec:       ledger.Spec{User: user, NotBefore: metav1.NewTime(time.Now().Add(-time.Hour)), NotAfter: metav1.NewTime(time.Now().Add(time.Duration(i+1) * time.Hour)), Verified: true},
			})
		}
	}
	out, _ := d.runs(t, 0, "ledger --contexts dev,prod-eu --all")
	var rows []string
	for line := range strings.Lines(out) {
		rows = append(rows, strings.Join(strings.Fields(line)[:2], " "))
	}
	if want := []string{"CLUSTER USER", "prod-eu jane", "dev jane", "prod-eu joe", "dev joe"}; !slices.Equal(rows, want) {
		t.Errorf("got\n%s", out)
	}
	d.says(t, 0, "ledger --contexts dev,prod-eu --all -o csv", "cluster,sha256,user", "\nprod-eu,", "\ndev,")
	out, _ = d.runs(t, 0, "ledger --contexts dev,prod-eu --all -o json")
	var list struct{ Items []struct{ Cluster string } }
	if err := json.Unmarshal([]byte(out), &list); err != nil || len(list.Items) != 4 || list.Items[3].Cluster != "dev" {
		t.Errorf("%v:\n%s", err, out)
	}
	if out, _ := d.runs(t, 0, "ledger --context dev --all -o json"); strings.Contains(out, `"cluster"`) {
		t.Errorf("one cluster is named:\n%s", out)
	}
	d.says(t, 0, "ledger --contexts prod-us", "no client certificates found")
	d.says(t, 2, "ledger --contexts prod-us -o name", "--output name does not say")
}

func TestClusters_ATeamIsOnboardedOnAllClusters(t *testing.T) {
	d := newThreeClusters(t)
	if err := os.WriteFile("team.csv", []byte("name,groups\njane,dev\njoe,dev\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	// An API server that is away would be waited for.
	d.servers["prod-eu"].Answer = func(w http.ResponseWriter, _ *http.Request) bool {
		http.Error(w, "no", http.StatusForbidden)
		return true
	}
	out, errOut := d.runs(t, 1, "new-user -f team.csv --approve --contexts dev,prod-* --dir team")
	if out != "team/jane.kubeconfig\nteam/joe.kubeconfig\n" || !strings.Contains(errOut, "[dev] 2 users: 2 onboarded") || !strings.Contains(errOut, `1 of 3 clusters is not done: "prod-eu": `) {
		t.Errorf("got %q and\n%s", out, errOut)
	}
	d.fails(false)
	out, errOut = d.runs(t, 0, "new-user -f team.csv --approve --contexts dev,prod-* --dir team -o json")
	var list struct {
		Kind  string
		Items []struct {
			Cluster string
			Users   []struct{ Name, State, Kubeconfig string }
		}
	}
	if err := json.Unmarshal([]byte(out), &list); err != nil || list.Kind != "TeamReportList" || len(list.Items) != 3 || list.Items[1].Cluster != "prod-eu" || list.Items[1].Users[1].State != "fetched" ||
		list.Items[0].Users[0].State != "unchanged" || list.Items[2].Users[1].Kubeconfig != "team/joe.kubeconfig" {
		t.Errorf("%v:\n%s\n%s", err, out, errOut)
	}
	for _, user := range []string{"jane", "joe"} {
		if got := contextsOf(t, "team/"+user+".kubeconfig"); !slices.Equal(got, []string{user + "@cluster-dev", user + "@cluster-prod-eu", user + "@cluster-prod-us"}) {
			t.Errorf("contexts %q", got)
		}
	}
	d.says(t, 0, "new-user -f team.csv --one-key --contexts dev,prod-us --dir one", "[prod-us] certificatesigningrequest.certificates.k8s.io/joe-", " created\n", "--contexts dev,prod-us")
	one, _ := os.ReadFile("one/jane.key")
	other, err := os.ReadFile("one/clusters/prod-us/jane.key")
	if err != nil || !bytes.Equal(one, other) {
		t.Errorf("another key: %v", err)
	}
	d.says(t, 0, "approve --all --contexts dev,prod-us --yes", "[dev] certificatesigningrequest")
	out, _ = d.runs(t, 0, "new-user -f team.csv --one-key --wait --contexts dev,prod-us --dir one")
	if out != "one/jane.kubeconfig\none/joe.kubeconfig\n" || len(contextsOf(t, "one/joe.kubeconfig")) != 2 {
		t.Errorf("got %q", out)
	}
}
