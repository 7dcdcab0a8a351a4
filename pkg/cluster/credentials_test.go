package cluster

import (
	"errors"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"

	"k8s.io/client-go/rest"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/kubeconfig"
)

// noPersister is a place to keep a token that keeps nothing.
type noPersister struct{}

// Persist implements rest.AuthProviderConfigPersister.
func (noPersister) Persist(map[string]string) error { return nil }

// A client logs in with what its configuration says, wherever client-go puts that.
func TestCredentials_NothingOfAConfigurationIsLost(t *testing.T) {
	set := rest.Config{
		Host: "https://127.0.0.1:1", Username: "jane", Password: "p", BearerToken: "t", BearerTokenFile: "f",
		Impersonate:  rest.ImpersonationConfig{UserName: "joe"},
		AuthProvider: &clientcmdapi.AuthProviderConfig{Name: "oidc"}, AuthConfigPersister: noPersister{},
		ExecProvider:       &clientcmdapi.ExecConfig{Command: "login"},
		TLSClientConfig:    rest.TLSClientConfig{ServerName: "n", CertFile: "c", KeyFile: "k", CertData: []byte("c"), KeyData: []byte("k"), CAData: []byte("a")},
		DisableCompression: true, Timeout: 7,
	}
	// What kubeconfigs and kubectl's flags do not set, or csr-onboard sets itself.
	ours := strings.Fields("APIPath ContentConfig UserAgent Transport WrapTransport QPS Burst RateLimiter WarningHandler WarningHandlerWithContext Dial Proxy")
	target, credentials, err := FromKubeconfig(&set, "c")
	if err != nil {
		t.Fatal(err)
	}
	config, err := target.configFor(credentials)
	if err != nil {
		t.Fatal(err)
	}
	want, got := reflect.ValueOf(set), reflect.ValueOf(*config)
	for i := range want.NumField() {
		name := want.Type().Field(i).Name
		switch {
		case slices.Contains(ours, name):
		case want.Field(i).IsZero():
			t.Errorf("client-go has a field %s that this test does not know", name)
		case !reflect.DeepEqual(want.Field(i).Interface(), got.Field(i).Interface()):
			t.Errorf("%s: %v, want %v", name, got.Field(i), want.Field(i))
		}
	}
}

func TestCredentials_AClientWithOtherCredentialsLogsInWithNothingElse(t *testing.T) {
	var header http.Header
	var warnings int
	server := newGreeter(t, 0)
	server.sees = func(w http.ResponseWriter, r *http.Request) {
		header = r.Header
		w.Header().Set("Warning", `299 - "old"`)
	}
	target := server.client.Target()
	target.Warn = func(string) { warnings++ }
	first, err := New(target, credentialsOf(&rest.Config{BearerToken: "canary", Impersonate: rest.ImpersonationConfig{UserName: "joe"}}))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := first.WhoAmI(t.Context()); err != nil || header.Get("Authorization") == "" || header.Get("Impersonate-User") == "" || warnings != 1 {
		t.Fatalf("the first client sends %v and gets %d warnings, %v", header, warnings, err)
	}
	jane, err := first.With(ByCertificate(janes(t)))
	if err != nil {
		t.Fatal(err)
	}
	user, err := jane.WhoAmI(t.Context())
	if err != nil || user.Name != "jane" || header.Get("Authorization") != "" || header.Get("Impersonate-User") != "" || warnings != 1 {
		t.Errorf("%q sends %v and gets %d warnings, %v", user.Name, header, warnings-1, err)
	}
}

func TestCredentials_ALoginIsProvenForTheUserWhoWasNamed(t *testing.T) {
	client := newGreeter(t, 0).client
	if user, err := ProveLogIn(t.Context(), client.LogIn, janes(t), "jane"); err != nil || user.Name != "jane" {
		t.Errorf("jane is %q, %v", user.Name, err)
	}
	_, err := ProveLogIn(t.Context(), client.LogIn, janes(t), "joe")
	var loginErr *LoginError
	if !errors.As(err, &loginErr) || loginErr.TakenFor != "jane" || err.Error() != `the cluster accepts the new certificate as "jane", not as "joe"` {
		t.Errorf("the error is %v", err)
	}
	unreachable := Target{Endpoint: kubeconfig.Endpoint{Server: "https://" + closedPort}, Now: client.Target().Now}
	_, err = ProveLogIn(t.Context(), unreachable.LogIn, janes(t), "jane")
	if !errors.As(err, &loginErr) || loginErr.TakenFor != "" || !IsUnreachable(err) || !strings.HasPrefix(err.Error(), `logging in as "jane" failed: `) {
		t.Errorf("the error is %v", err)
	}
}
