package cmd

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cluster/clustertest"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/kubeconfig"
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

// fails has a cluster answer nothing but errors, until it is called with false.
func (d *threeClusters) fails(name string, isFailing bool) {
	d.servers[name].Answer = func(w http.ResponseWriter, _ *http.Request) bool {
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
	d.fails("prod-eu", true)
	d.says(t, 1, "list --contexts *", "dev       jane-", "not done on prod-eu: ", `error: 1 of 3 clusters is not done: "prod-eu": `, "hint: run the same command again")
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
