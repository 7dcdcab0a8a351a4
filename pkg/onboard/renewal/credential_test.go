package renewal_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cluster/clustertest"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/kubeconfig"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/destination"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/onboardtest"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/pair"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/renewal"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/store"
)

// cached is jane with a kubeconfig that logs in from a credential cache, and with a clock.
type cached struct {
	*holder

	cache store.CredentialCache
	// passed is how much later it is.
	passed time.Duration
}

func newCached(t *testing.T) *cached {
	t.Helper()
	c := &cached{holder: newHolder(t)}
	c.Now = func() time.Time { return time.Now().Add(c.passed) }
	base := t.TempDir()
	user, err := renewal.UseCache(t.Context(), c.Program, c.in.User, func(name string) (store.UserDirectory, error) { return store.UserDirectoryOf(base, "", name) }, "kubectl-csr_onboard")
	if err != nil {
		t.Fatal(err)
	}
	c.cache = *user.Cache
	return c
}

// ask is what kubectl asks, and how many renewals are started.
func (c *cached) ask(t *testing.T) (answer map[string]any, started int, _ error) {
	t.Helper()
	text, err := renewal.Credential(t.Context(), c.Program, renewal.CredentialInput{
		Cache: c.cache, APIVersion: "client.authentication.k8s.io/v1",
		StartRenewal: func() error { started++; return nil },
	})
	if err == nil {
		err = json.Unmarshal(text, &answer)
	}
	return answer, started, err
}

func (c *cached) certificate(t *testing.T) []byte {
	t.Helper()
	held, err := pair.ReadCache(c.cache)
	if err != nil {
		t.Fatal(err)
	}
	return held.Credentials.Certificate
}

func TestCredential_AKubeconfigLogsInFromACache(t *testing.T) {
	t.Parallel()
	c := newCached(t)
	config, err := kubeconfig.Decode(c.kubeconfig(t))
	if err != nil {
		t.Fatal(err)
	}
	user := config.AuthInfos["jane@test"]
	if user.Exec == nil || len(user.ClientKeyData) != 0 || kubeconfig.CacheOf(user) != c.cache.Directory() || len(onboardtest.Told[renewal.CacheInUse](c.World)) != 1 {
		t.Errorf("%+v", user)
	}
	answer, started, err := c.ask(t)
	status, _ := answer["status"].(map[string]any)
	if err != nil || started != 0 || status["clientCertificateData"] != string(c.certificate(t)) {
		t.Errorf("%v, %d renewals, %v", answer, started, err)
	}
	if again, err := renewal.UseCache(t.Context(), c.Program, pair.KubeconfigUser{Cache: &c.cache}, nil, ""); err != nil || again.Cache == nil {
		t.Errorf("%+v, %v", again, err)
	}
}

func TestCredential_ACacheIsUsedOnlyByWhoCanRenew(t *testing.T) {
	t.Parallel()
	for about, prepare := range map[string]func(*holder){
		"creating is forbidden": func(h *holder) { h.Server.Refuse("create", "certificatesigningrequests") },
		"it has expired":        func(h *holder) { h.Now = func() time.Time { return time.Now().Add(2 * time.Hour) } },
		"the server fails": func(h *holder) {
			h.Server.Answer = func(http.ResponseWriter, *http.Request) bool { panic(http.ErrAbortHandler) }
		},
	} {
		h := newHolder(t)
		before := h.kubeconfig(t)
		prepare(h)
		base := t.TempDir()
		_, err := renewal.UseCache(t.Context(), h.Program, h.in.User, func(name string) (store.UserDirectory, error) { return store.UserDirectoryOf(base, "", name) }, "kubectl-csr_onboard")
		if err == nil || !bytes.Equal(before, h.kubeconfig(t)) {
			t.Errorf("%s: %v", about, err)
		}
		if len(onboardtest.Told[destination.CacheFilled](h.World)) != 0 {
			t.Errorf("%s: a cache is filled", about)
		}
	}
}

func TestCredential_ARenewalThatIsDueIsStartedNowAndThen(t *testing.T) {
	t.Parallel()
	c := newCached(t)
	c.passed = 45 * time.Minute
	for i, want := range []int{1, 0} {
		if _, started, err := c.ask(t); err != nil || started != want {
			t.Errorf("the %d. time: %d renewals, %v", i+1, started, err)
		}
	}
	// A failure is told once a day, and tried again after a while.
	c.Server.Refuse("create", "certificatesigningrequests")
	if err := renewal.RenewCached(t.Context(), c.Program, c.cache, time.Second); err == nil {
		t.Error("no failure")
	}
	for range 2 {
		if _, started, err := c.ask(t); err != nil || started != 0 {
			t.Errorf("%d renewals, %v", started, err)
		}
	}
	trouble := onboardtest.Told[renewal.InTrouble](c.World)
	if len(trouble) != 1 || !strings.Contains(trouble[0].Trouble, "cannot renew") || !strings.Contains(trouble[0].Advice, "--renewable") {
		t.Errorf("%+v", trouble)
	}
	c.passed += 2 * time.Minute
	if _, started, err := c.ask(t); err != nil || started != 1 {
		t.Errorf("after a while: %d renewals, %v", started, err)
	}
	if got := renewal.Status(t.Context(), c.Program, []renewal.ContextInput{{User: &pair.KubeconfigUser{Path: c.cache.KubeconfigPath(), Entry: "jane@test", Cache: &c.cache}}})[0]; !got.RenewsItself || !strings.Contains(got.Problem, "it is not renewed: ") {
		t.Errorf("%+v", got)
	}
}

func TestCredential_ARenewalInTheBackground(t *testing.T) {
	t.Parallel()
	c := newCached(t)
	before := c.certificate(t)
	if err := renewal.RenewCached(t.Context(), c.Program, c.cache, time.Second); err != nil || !bytes.Equal(before, c.certificate(t)) {
		t.Errorf("what is not due is renewed: %v", err)
	}
	c.passed = 45 * time.Minute
	if err := renewal.RenewCached(t.Context(), c.Program, c.cache, 50*time.Millisecond); err == nil {
		t.Error("nobody has approved, and it is no error")
	}
	c.Server.Decide(c.Server.Names("certificatesigningrequests")[0], certificatesv1.CertificateApproved)
	if err := renewal.RenewCached(t.Context(), c.Program, c.cache, time.Minute); err != nil || bytes.Equal(before, c.certificate(t)) {
		t.Errorf("%v", err)
	}
	if _, err := os.Stat(c.cache.StatePath()); !os.IsNotExist(err) {
		t.Errorf("the trouble is remembered: %v", err)
	}
}

func TestCredential_ACommandIsToldThatNothingIsLeft(t *testing.T) {
	t.Parallel()
	c := newCached(t)
	c.passed = 2 * time.Hour
	if _, _, err := c.ask(t); err == nil || !strings.Contains(err.Error(), "expired") || !strings.Contains(outcome.Hint(err), "new-user") {
		t.Errorf("%v (%s)", err, outcome.Hint(err))
	}
	if waited := onboardtest.Told[renewal.Awaited](c.World); len(waited) != 0 {
		t.Errorf("it is told to wait: %+v", waited)
	}
}

// TestCredential_ACommandWaitsWhileAnotherProcessRenews is for a certificate that has expired meanwhile.
func TestCredential_ACommandWaitsWhileAnotherProcessRenews(t *testing.T) {
	t.Parallel()
	c := newCached(t)
	c.passed = 2 * time.Hour
	other := c.isBusy(t)
	onTold(c.holder, func(renewal.Awaited) {
		if err := other.Release(); err != nil {
			t.Error(err)
		}
	})
	if _, _, err := c.ask(t); err == nil || !strings.Contains(err.Error(), "expired") {
		t.Errorf("%v", err)
	}
	if waited := onboardtest.Told[renewal.Awaited](c.World); len(waited) != 1 {
		t.Errorf("%+v", waited)
	}
}

// isBusy has another process renew the certificate of the cache, until the lock is released.
func (c *cached) isBusy(t *testing.T) *store.Lock {
	t.Helper()
	held, err := pair.ReadCache(c.cache)
	if err != nil {
		t.Fatal(err)
	}
	lock, err := store.TryLock(store.RenewalOf(c.cache.Renewals(), "jane", held.Certificate.SHA256()).LockPath())
	if err != nil || lock == nil {
		t.Fatalf("%v, %v", lock, err)
	}
	return lock
}

func TestCredential_ACacheThatCannotBeReadIsAnError(t *testing.T) {
	t.Parallel()
	c := newCached(t)
	for about, text := range map[string]string{"empty": "", "no kubeconfig": "text", "another form": "apiVersion: v1\nkind: Config\n"} {
		if err := os.WriteFile(c.cache.KubeconfigPath(), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, _, err := c.ask(t); err == nil || !strings.Contains(err.Error(), "cannot be used") {
			t.Errorf("%s: %v", about, err)
		}
	}
	missing := store.CredentialCacheAt(filepath.Join(t.TempDir(), "missing"))
	if err := renewal.RenewCached(t.Context(), c.Program, missing, time.Second); err == nil || !strings.Contains(outcome.Hint(err), "only on the machine where it was created") {
		t.Errorf("%v", err)
	}
}

func TestCredential_ACacheMovesOnlyWhenAsked(t *testing.T) {
	t.Parallel()
	c := newCached(t)
	moved := clustertest.New(t)
	c.in.User = pair.KubeconfigUser{Context: "jane@test", Path: c.cache.KubeconfigPath(), Entry: "jane@test", Cache: &c.cache}
	c.Cluster = moved.Client(t, "jane")
	if _, err := renewal.Run(t.Context(), c.Program, c.in); err == nil || !strings.Contains(outcome.Hint(err), "--move-cache") {
		t.Errorf("%v", err)
	}
	// The server at the other address does not accept the certificate, and nothing moves.
	c.in.MoveCache = true
	before := read(t, c.cache.KubeconfigPath())
	if _, err := renewal.Run(t.Context(), c.Program, c.in); err == nil || !bytes.Equal(before, read(t, c.cache.KubeconfigPath())) {
		t.Errorf("%v", err)
	}
	// The same server by another name does.
	endpoint := c.Server.Endpoint
	c.Server.Endpoint.Server = strings.Replace(endpoint.Server, "127.0.0.1", "localhost", 1)
	c.Server.Endpoint.ServerName = "127.0.0.1"
	c.Cluster = c.Server.Client(t, "jane")
	if renewed, err := renewal.Run(t.Context(), c.Program, c.in); err != nil || renewed.State != renewal.RenewalPending {
		t.Errorf("%+v, %v", renewed, err)
	}
	if told := onboardtest.Told[renewal.CacheMoved](c.World); len(told) != 1 || told[0].To != c.Server.Endpoint.Server {
		t.Errorf("%+v", told)
	}
	c.Server.Answer = func(rw http.ResponseWriter, _ *http.Request) bool {
		clustertest.Fail(rw, http.StatusBadRequest, metav1.StatusReasonBadRequest)
		return true
	}
	if _, err := renewal.Run(t.Context(), c.Program, c.in); err == nil {
		t.Error("a server that fails renews")
	}
}
