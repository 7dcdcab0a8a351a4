package cmd

import (
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/kubeconfig"
)

// offline creates jane's request without a cluster.
func (d *threeClusters) offline(t *testing.T) {
	t.Helper()
	d.runs(t, 0, "new-user jane -g dev --offline --dir jane")
}

// fetchShown finds the command that the administrator is shown for the user, with the file and the
// directory of these tests.
func fetchShown(t *testing.T, errOut string) string {
	t.Helper()
	shown := regexp.MustCompile(`kubectl csr-onboard (fetch jane --from jane\.handoff\.yaml .*)`).FindStringSubmatch(errOut)
	if shown == nil {
		t.Fatalf("no command is shown:\n%s", errOut)
	}
	return shown[1] + " --dir jane"
}

func TestClusters_OneHandoffFileIsForSeveralClusters(t *testing.T) {
	d := newThreeClusters(t)
	d.offline(t)
	out, errOut := d.runs(t, 0, "approve -f jane/jane.csr --contexts dev,prod-* --yes --out jane.handoff.yaml")
	if strings.Count(errOut, "certificate signing request in jane/jane.csr") != 1 || !strings.Contains(errOut, "  clusters     dev, prod-eu, prod-us\n") || strings.Count(out, " approved\n") != 3 {
		t.Errorf("got\n%s%s", out, errOut)
	}
	for _, name := range threeNames {
		if !strings.Contains(errOut, ", cluster cluster-"+name+"\n") {
			t.Errorf("the fingerprint of %s is missing:\n%s", name, errOut)
		}
	}
	text, err := os.ReadFile("jane.handoff.yaml")
	if err != nil || strings.Contains(string(text), "client-key") || strings.Contains(string(text), "PRIVATE") || !strings.Contains(string(text), "--ca-fingerprint CLUSTER=SHA256:...") {
		t.Errorf("%v:\n%s", err, text)
	}
	// The same again gives the same file.
	d.runs(t, 0, "approve -f jane/jane.csr --contexts dev,prod-* --yes --out jane.handoff.yaml")
	if again, _ := os.ReadFile("jane.handoff.yaml"); string(again) != string(text) {
		t.Errorf("the second run wrote\n%s", again)
	}

	fetch := fetchShown(t, errOut)
	out, errOut = d.runs(t, 0, fetch)
	if out != filepath.Join("jane", "jane.kubeconfig")+"\n" || strings.Count(errOut, "] logged in: ") != 3 || strings.Contains(errOut, "not confirmed") {
		t.Errorf("got %q and\n%s", out, errOut)
	}
	want := []string{"jane@cluster-dev", "jane@cluster-prod-eu", "jane@cluster-prod-us"}
	if got := contextsOf(t, "jane/jane.kubeconfig"); !slices.Equal(got, want) {
		t.Errorf("contexts %q", got)
	}
	if keys := keysHere(t); len(keys) != 1 {
		t.Errorf("there are %d keys", len(keys))
	}
	d.says(t, 0, "status --kubeconfig jane/jane.kubeconfig --live", "cluster-prod-eu")
	d.runs(t, 0, fetch+" --merge")
	if got := contextsOf(t, "admin.kubeconfig"); len(got) != 6 {
		t.Errorf("contexts %q", got)
	}
	d.says(t, 0, fetch+" -o jsonpath={.items[*].cluster}", "cluster-dev cluster-prod-eu cluster-prod-us")
}

func TestClusters_AHandoffOfSeveralClustersIsCheckedBeforeAnythingIsSent(t *testing.T) {
	d := newThreeClusters(t)
	d.offline(t)
	_, errOut := d.runs(t, 0, "approve -f jane/jane.csr --contexts dev,prod-us --yes --out jane.handoff.yaml")
	fetch := fetchShown(t, errOut)
	fingerprint := regexp.MustCompile(`cluster-dev=(\S+)`).FindStringSubmatch(fetch)[1]
	other := regexp.MustCompile(`cluster-prod-us=(\S+)`).FindStringSubmatch(fetch)[1]
	const from = "fetch jane --dir jane --from jane.handoff.yaml"
	var sent atomic.Int32
	for _, name := range threeNames {
		d.servers[name].Answer = func(http.ResponseWriter, *http.Request) bool {
			sent.Add(1)
			return false
		}
	}
	for _, test := range []struct {
		code        int
		line, wants string
	}{
		{2, from + " --ca-fingerprint " + fingerprint, "--ca-fingerprint does not say for which"},
		{2, from + " --ca-fingerprint =" + fingerprint, "names no cluster"},
		{2, from + " --ca-fingerprint cluster-dev=SHA256:no", "--ca-fingerprint"},
		{5, from + " --ca-fingerprint cluster-dev=" + fingerprint, `says nothing of the cluster "cluster-prod-us"`},
		{5, fetch + " --ca-fingerprint third=" + fingerprint, `names the cluster "third", which is not in it`},
		// One cluster's CA must not vouch for another.
		{5, from + " --ca-fingerprint cluster-dev=" + other + " --ca-fingerprint cluster-prod-us=" + fingerprint, `cluster "cluster-dev": `},
		{5, from + " --ca-fingerprint cluster-dev=" + fingerprint + " --ca-fingerprint cluster-prod-us=" + fingerprint, `cluster "cluster-prod-us": `},
		{2, fetch + " --server https://127.0.0.1:1", "--server does nothing with the handoff"},
		{2, fetch + " --insecure-skip-tls-verify", "--insecure-skip-tls-verify does nothing with the handoff"},
		{2, fetch + " --proxy-url http://proxy.example.com", "--proxy-url does nothing with the handoff"},
		{2, fetch + " --external-server https://a.example.com", "--external-server does nothing with the handoff"},
		{2, fetch + " --cluster-name other", "--cluster-name does nothing with the handoff"},
		{2, fetch + " --context-name other", "--context-name does nothing with the handoff"},
		{2, fetch + " --certificate-only", "--certificate-only does nothing with the handoff"},
		{2, fetch + " --merge --set-current", "--set-current does nothing with the handoff"},
		{2, fetch + " --out -", "--out - does nothing with the handoff"},
		{1, strings.Replace(fetch, "fetch jane", "fetch joe", 1), ""},
	} {
		d.says(t, test.code, test.line, test.wants)
	}
	if sent.Load() != 0 {
		t.Errorf("%d requests were sent", sent.Load())
	}
	if exists("jane/jane.kubeconfig") || exists("jane/clusters") {
		t.Error("something was written")
	}
	// Without what the administrator told, the certificates vouch for the CAs, with a warning for each.
	if _, errOut := d.runs(t, 0, from); strings.Count(errOut, "warning: the CA was not confirmed") != 2 || !strings.Contains(errOut, "--ca-fingerprint CLUSTER=SHA256:…") {
		t.Errorf("got\n%s", errOut)
	}
}

// TestClusters_AHandoffFileIsCompletedByTheNextRun is for a cluster that is down while its administrator
// approves, and for one that is down while the user fetches.
func TestClusters_AHandoffFileIsCompletedByTheNextRun(t *testing.T) {
	d := newThreeClusters(t)
	d.offline(t)
	d.fails(true)
	const approve = "approve -f jane/jane.csr --contexts dev,prod-eu --yes --out ."
	_, errOut := d.runs(t, 1, approve)
	if !strings.Contains(errOut, "not done on prod-eu: ") || !strings.Contains(errOut, "wrote the handoff jane.handoff.yaml") {
		t.Errorf("got\n%s", errOut)
	}
	d.runs(t, 0, fetchShown(t, errOut))
	d.fails(false)
	_, errOut = d.runs(t, 0, approve)
	d.fails(true)
	d.says(t, 1, fetchShown(t, errOut), "[cluster-dev] logged in: ", "not done on cluster-prod-eu: ")
	d.fails(false)
	d.runs(t, 0, fetchShown(t, errOut))
	if got := contextsOf(t, "jane/jane.kubeconfig"); !slices.Equal(got, []string{"jane@cluster-dev", "jane@cluster-prod-eu"}) {
		t.Errorf("contexts %q", got)
	}
	if len(d.servers["prod-eu"].Names("certificatesigningrequests")) != 1 {
		t.Error("a request was created twice")
	}
}

func TestClusters_WhatCannotBeInAHandoffFileIsFoundBeforeAnythingIsApproved(t *testing.T) {
	d := newThreeClusters(t)
	d.offline(t)
	d.runs(t, 0, "new-user joe --offline --dir joe")
	text, err := os.ReadFile("admin.kubeconfig")
	if err != nil {
		t.Fatal(err)
	}
	config, err := kubeconfig.Decode(text)
	if err != nil {
		t.Fatal(err)
	}
	config.Clusters["cluster-prod-us"].CertificateAuthorityData, config.Clusters["cluster-prod-us"].InsecureSkipTLSVerify = nil, true
	if text, err = kubeconfig.Encode(config); err == nil {
		err = os.WriteFile("admin.kubeconfig", text, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile("taken.yaml", []byte("apiVersion: v1\nkind: Config\nusers: [{name: other, user: {token: t}}]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	d.says(t, 2, "approve -f jane/jane.csr --contexts prod-us --yes --out x.yaml", "is reached without a check of its certificate", "--context NAME in place of --contexts")
	d.says(t, 1, "approve -f jane/jane.csr --contexts dev --yes --out taken.yaml", "already exists, and its user \"other\" would be lost")
	d.says(t, 2, "approve -f jane/jane.csr -f joe/joe.csr --contexts dev --yes --out x.yaml", "is one file, and there may be several users")
	d.says(t, 2, "approve -f jane/jane.csr --contexts dev --yes --out x.yaml --external-server https://a.example.com", "--external-server does nothing with --contexts")
	d.says(t, 2, "approve -f jane/jane.csr --contexts dev --yes --out x.yaml --cluster-name c", "--cluster-name does nothing with --contexts")
	if out, _ := d.runs(t, 0, "list --contexts dev,prod-us"); strings.Contains(out, "Issued") || strings.Contains(out, "Approved") {
		t.Errorf("something was approved:\n%s", out)
	}
	// Several users are handed off into a directory, and one to standard output.
	d.says(t, 0, "approve -f jane/jane.csr -f joe/joe.csr --contexts dev,prod-eu --yes --out .", "wrote the handoff jane.handoff.yaml", "wrote the handoff joe.handoff.yaml")
	out, _ := d.runs(t, 0, "approve -f jane/jane.csr --contexts dev,prod-eu --yes --out -")
	if written, _ := os.ReadFile("jane.handoff.yaml"); out != string(written) {
		t.Errorf("standard output is\n%s", out)
	}
}
