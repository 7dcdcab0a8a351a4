package enforce

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/access"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/revocation"
	"github.com/csr-onboard/kubectl-csr-onboard/test/program"
)

// withServer copies a kubeconfig with another address of the API server.
func withServer(from, to, server string) error {
	config, err := clientcmd.LoadFromFile(from)
	if err != nil {
		return err
	}
	for _, each := range config.Clusters {
		each.Server = server
	}
	return clientcmd.WriteToFile(*config, to)
}

// on starts a control plane of its own for a test.
func on(t *testing.T, servers int) *cluster {
	t.Helper()
	return launched(t, t.TempDir(), servers)
}

// launched starts one whose nodes have their files in a directory.
func launched(t *testing.T, directory string, servers int) *cluster {
	t.Helper()
	c, err := launch(t.Context(), directory, servers)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			for _, n := range c.nodes {
				log, _ := os.ReadFile(n.log)
				t.Logf("enforcer of %s:\n%s", n.name, log[max(0, len(log)-4000):])
			}
		}
		c.stop()
	})
	return c
}

// user makes a user with a certificate, who can read and create config maps, and returns
// their kubeconfig. A second call makes a second certificate.
func (c *cluster) user(t *testing.T, name string, groups ...string) string {
	t.Helper()
	if err := c.plane.AddUser(t.Context(), name, groups); err != nil {
		t.Fatal(err)
	}
	copied := filepath.Join(t.TempDir(), "kubeconfig")
	if err := withServer(c.plane.KubeconfigOf(name), copied, c.plane.Server); err != nil {
		t.Fatal(err)
	}
	binding := &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("test-%x", name)},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "edit"},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: name}},
	}
	_, err := c.admin(t).RbacV1().ClusterRoleBindings().Create(t.Context(), binding, metav1.CreateOptions{})
	if err != nil && !apierrors.IsAlreadyExists(err) {
		t.Fatal(err)
	}
	client := clientFor(t, copied)
	for _, n := range c.nodes {
		// An API server reads role bindings from a cache, which may be a moment behind.
		until(t, name+" is permitted by "+n.name, func() bool {
			status, text, err := tryCall(t.Context(), client, n.server, http.MethodGet, configMaps+"/none", "")
			return err != nil || status != http.StatusForbidden || access.IsRevokedAnswer(text)
		})
	}
	return copied
}

func (c *cluster) admin(t *testing.T) kubernetes.Interface {
	t.Helper()
	return clientOf(t, c.plane.Kubeconfig)
}

func configOf(t *testing.T, kubeconfig string) *rest.Config {
	t.Helper()
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	config.QPS = -1
	return config
}

func clientOf(t *testing.T, kubeconfig string) kubernetes.Interface {
	t.Helper()
	client, err := kubernetes.NewForConfig(configOf(t, kubeconfig))
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// credentialID is that of the certificate in a kubeconfig.
func credentialID(t *testing.T, kubeconfig string) string {
	t.Helper()
	block, _ := pem.Decode(configOf(t, kubeconfig).CertData)
	certificate, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return access.CredentialID(sum(certificate.Raw))
}

// call calls an API server and returns the status and the text of its answer.
func call(t *testing.T, kubeconfig, server, method, path, body string) (int, string) {
	t.Helper()
	status, text, err := tryCall(t.Context(), clientFor(t, kubeconfig), server, method, path, body)
	if err != nil {
		t.Fatal(err)
	}
	return status, text
}

func clientFor(t *testing.T, kubeconfig string) *http.Client {
	t.Helper()
	client, err := rest.HTTPClientFor(configOf(t, kubeconfig))
	if err != nil {
		t.Fatal(err)
	}
	client.Timeout = 10 * time.Second
	return client
}

const configMaps = "/api/v1/namespaces/default/configmaps"

// isRefusedAt reports whether one API server refuses a user because of the list.
func isRefusedAt(t *testing.T, kubeconfig, server string) bool {
	t.Helper()
	status, text := call(t, kubeconfig, server, http.MethodGet, configMaps, "")
	if status >= 400 && !access.IsRevokedAnswer(text) && status != http.StatusForbidden {
		t.Errorf("status %d: %s", status, text)
	}
	return status >= 400 && access.IsRevokedAnswer(text)
}

// patience is how long something is waited for that happens in a moment, and on a busy machine later:
// an enforcer proves each of 10,000 entries.
const patience = 2 * time.Minute

// until waits until something is so.
func until(t *testing.T, what string, is func() bool) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for begin := time.Now(); !is(); <-tick.C {
		if time.Since(begin) > patience {
			t.Fatalf("%s: not within %s", what, patience)
		}
	}
}

// untilRefused waits until every API server refuses a user, or none does.
func (c *cluster) untilRefused(t *testing.T, kubeconfig string, want bool) {
	t.Helper()
	for _, n := range c.nodes {
		until(t, fmt.Sprintf("refused by %s: %v", n.name, want), func() bool { return isRefusedAt(t, kubeconfig, n.server) == want })
	}
}

// list changes the list as the plugin does.
func (c *cluster) list(t *testing.T, entries ...access.Entry) {
	t.Helper()
	maps := c.admin(t).CoreV1().ConfigMaps(access.BlockNamespace)
	stored, err := maps.Get(t.Context(), access.BlockName, metav1.GetOptions{})
	isNew := apierrors.IsNotFound(err)
	if isNew {
		stored = access.BlockList()
	} else if err != nil {
		t.Fatal(err)
	}
	change, err := access.ListOf(stored.Data).Add(time.Now(), entries...)
	if err != nil {
		t.Fatal(err)
	}
	if stored.Data == nil {
		stored.Data = map[string]string{}
	}
	for key, value := range change {
		if delete(stored.Data, key); value != nil {
			stored.Data[key] = *value
		}
	}
	if isNew {
		_, err = maps.Create(t.Context(), stored, metav1.CreateOptions{})
	} else {
		_, err = maps.Update(t.Context(), stored, metav1.UpdateOptions{})
	}
	if err != nil {
		t.Fatal(err)
	}
}

// listData is the data of the list.
func (c *cluster) listData(t *testing.T) map[string]string {
	t.Helper()
	stored, err := c.admin(t).CoreV1().ConfigMaps(access.BlockNamespace).Get(t.Context(), access.BlockName, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	return stored.Data
}

// reports are what the enforcers report.
func (c *cluster) reports(t *testing.T) (reports []revocation.Report) {
	t.Helper()
	leases, err := c.admin(t).CoordinationV1().Leases(revocation.ReportNamespace).List(context.Background(), metav1.ListOptions{LabelSelector: revocation.ReportLabel + "=" + revocation.ReportValue})
	if err != nil {
		t.Fatal(err)
	}
	for i := range leases.Items {
		if report, isReport := revocation.ReportOf(&leases.Items[i]); isReport {
			reports = append(reports, report)
		}
	}
	return reports
}

// run runs the plugin as somebody.
func (c *cluster) run(t *testing.T, kubeconfig string, arguments ...string) program.Result {
	t.Helper()
	home := t.TempDir()
	env := program.Environment{Path: []string{filepath.Dir(plugin)}, Home: home, Kubeconfig: kubeconfig, Directory: home}
	return program.Run(t, env.Command(t.Context(), program.Name, arguments...))
}

// must runs the plugin as the administrator and expects it to succeed.
func (c *cluster) must(t *testing.T, arguments ...string) program.Result {
	t.Helper()
	result := c.run(t, c.plane.Kubeconfig, arguments...)
	if result.Code != 0 {
		t.Fatalf("%q: exit code %d\n%s%s", arguments, result.Code, result.Stdout, result.Stderr)
	}
	return result
}

func tryCall(ctx context.Context, client *http.Client, server, method, path, body string) (int, string, error) {
	request, err := http.NewRequestWithContext(ctx, method, server+path, strings.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	if body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	response, err := client.Do(request)
	if err != nil {
		return 0, "", err
	}
	defer response.Body.Close() //nolint:errcheck // It was read.
	var text strings.Builder
	_, err = copyText(&text, response.Body)
	return response.StatusCode, text.String(), err
}
