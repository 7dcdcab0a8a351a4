package enforcement_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cluster/clustertest"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cluster/enforcement"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/revocation"
)

// TestLoaded_OnlyMetricsOfTheFileSayWhichIsLoaded has an API server answer in each other way.
func TestLoaded_OnlyMetricsOfTheFileSayWhichIsLoaded(t *testing.T) {
	id, file := strings.Repeat("a", 64), strings.Repeat("b", 64)
	line := `apiserver_authorization_config_controller_last_config_info{apiserver_id_hash="sha256:` + id + `",hash="sha256:` + file + `"} 1`
	for about, test := range map[string]struct {
		code     int
		text     string
		isServed bool
		says     string
	}{
		"not found":             {http.StatusNotFound, "404 page not found\n", false, ""},
		"refused":               {http.StatusBadRequest, "", false, "read the API server's metrics"},
		"without the file":      {http.StatusOK, "# HELP x\nx 1\n", false, ""},
		"of an earlier file":    {http.StatusOK, strings.TrimSuffix(line, "1") + "0\n", false, ""},
		"with a shorter hash":   {http.StatusOK, strings.Replace(line, "bb", "b", 1) + "\n", false, ""},
		"with the file":         {http.StatusOK, "# HELP x\n" + line + "\n", true, ""},
		"with a very long line": {http.StatusOK, strings.Repeat("x", 2<<20) + "\n" + line + "\n", false, ""},
	} {
		server := clustertest.New(t)
		server.Answer = func(w http.ResponseWriter, r *http.Request) bool {
			if r.URL.Path != "/metrics" {
				return false
			}
			w.Header().Set("Content-Type", "text/plain")
			w.WriteHeader(test.code)
			_, _ = w.Write([]byte(test.text))
			return true
		}
		loaded, isServed, err := server.Admin(t).Enforcement().Loaded(t.Context())
		want := enforcement.Loaded{}
		if test.isServed {
			want = enforcement.Loaded{APIServer: "sha256:" + id, File: file}
		}
		if isServed != test.isServed || loaded != want {
			t.Errorf("%s: %v, %v", about, loaded, isServed)
		}
		if test.says == "" && err != nil || test.says != "" && (err == nil || !strings.Contains(err.Error(), test.says)) {
			t.Errorf("%s: %v", about, err)
		}
	}
}

func TestAPIServers_OneThatNeverSaidThatItRunsIsLeftOut(t *testing.T) {
	server := clustertest.New(t)
	seen := metav1.NewMicroTime(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))
	labels := map[string]string{"apiserver.kubernetes.io/identity": "kube-apiserver", "kubernetes.io/hostname": "node-1"}
	server.Put(t,
		&coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: revocation.ReportNamespace, Name: "apiserver-silent", Labels: labels}},
		&coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: revocation.ReportNamespace, Name: "apiserver-seen", Labels: labels}, Spec: coordinationv1.LeaseSpec{RenewTime: &seen}},
		&coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: revocation.ReportNamespace, Name: "other"}, Spec: coordinationv1.LeaseSpec{RenewTime: &seen}})
	found, err := server.Admin(t).Enforcement().APIServers(t.Context())
	if err != nil || len(found) != 1 {
		t.Fatalf("%v, %v", found, err)
	}
	if one := found[0]; one.Name != "apiserver-seen" || one.Host != "node-1" || !one.Seen.Equal(seen.Time) || !strings.HasPrefix(one.ID, "sha256:") {
		t.Errorf("%+v", one)
	}
}
