package destination_test

import (
	"bytes"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cluster/clustertest"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/kubeconfig"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/destination"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/event"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/pki"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/store"
)

// delivering writes what jane was issued.
type delivering struct {
	server    *clustertest.Server
	directory store.UserDirectory
	issued    destination.Issued
	told      []event.Event
}

func newDelivering(t *testing.T) *delivering {
	t.Helper()
	d := &delivering{server: clustertest.New(t)}
	var err error
	if d.directory, err = store.UserDirectoryOf(t.TempDir(), "", "jane"); err != nil {
		t.Fatal(err)
	}
	d.issued = d.pair(t, time.Hour, "jane")
	return d
}

func (d *delivering) pair(t *testing.T, lifetime time.Duration, name string) destination.Issued {
	t.Helper()
	credentials := d.server.CredentialsFor(t, lifetime, name)
	certificate, err := pki.ParseCertificate(credentials.Certificate)
	if err != nil {
		t.Fatal(err)
	}
	return destination.Issued{Certificate: certificate, Credentials: credentials, LoggedIn: true}
}

func (d *delivering) to(in destination.Input) *destination.Destination {
	return destination.New(d.server.Endpoint, in, d.directory, identity.User{Name: "jane"})
}

// deliver checks first, as every use case does.
func (d *delivering) deliver(t *testing.T, in destination.Input) (destination.Written, error) {
	t.Helper()
	to := d.to(in)
	if err := to.CheckEarly(t.Context()); err != nil {
		return destination.Written{}, err
	}
	return to.Deliver(t.Context(), destination.Run{UserAgent: "test", Now: time.Now, Tell: func(e event.Event) { d.told = append(d.told, e) }}, d.issued)
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func decode(t *testing.T, text []byte) *clientcmdapi.Config {
	t.Helper()
	config, err := kubeconfig.Decode(text)
	if err != nil {
		t.Fatal(err)
	}
	return config
}

func TestDestination_AKubeconfigIsWhatWasAskedFor(t *testing.T) {
	d := newDelivering(t)
	written, err := d.deliver(t, destination.Input{ClusterName: "c", ContextName: "x", Namespace: "n", ExternalServer: "HTTPS://k8s.example.com"})
	if err != nil || written.Path != d.directory.KubeconfigPath() || written.Context != "x" {
		t.Fatalf("%+v, %v", written, err)
	}
	config := decode(t, read(t, written.Path))
	if config.CurrentContext != "x" || config.Contexts["x"].Namespace != "n" || config.Contexts["x"].Cluster != "c" || config.Clusters["c"].Server != "https://k8s.example.com" || !bytes.Equal(config.AuthInfos["x"].ClientKeyData, d.issued.Credentials.Key) {
		t.Errorf("%+v", config)
	}
	// What is its own is replaced, what is not is not.
	if _, err := d.deliver(t, destination.Input{ClusterName: "c", ContextName: "x"}); err != nil {
		t.Errorf("%v", err)
	}
	if _, err := d.deliver(t, destination.Input{ContextName: "other"}); err == nil || !strings.Contains(err.Error(), "would be lost") {
		t.Errorf("%v", err)
	}
	if err := os.WriteFile(written.Path, []byte("text"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := d.deliver(t, destination.Input{}); err == nil || !strings.Contains(outcome.Hint(err), "move it away") {
		t.Errorf("%v (%s)", err, outcome.Hint(err))
	}
}

func TestDestination_ALaterPairStays(t *testing.T) {
	for _, in := range []destination.Input{{}, {CertificateOnly: true}} {
		d := newDelivering(t)
		written, err := d.deliver(t, in)
		if err != nil {
			t.Fatal(err)
		}
		before := read(t, written.Path)
		d.issued = d.pair(t, 30*time.Minute, "jane")
		if _, err := d.deliver(t, in); err == nil || !bytes.Equal(before, read(t, written.Path)) {
			t.Errorf("%+v: %v", in, err)
		}
		in.Overwrite = true
		if _, err := d.deliver(t, in); err != nil || bytes.Equal(before, read(t, written.Path)) {
			t.Errorf("%+v: %v", in, err)
		}
	}
}

func TestDestination_ACertificateAloneReplacesOnlyTheUsers(t *testing.T) {
	d := newDelivering(t)
	in := destination.Input{CertificateOnly: true}
	written, err := d.deliver(t, in)
	if err != nil || !written.CertificateOnly || written.Path != d.directory.CertificatePath() || !bytes.Equal(read(t, written.Path), d.issued.Certificate.PEM) {
		t.Fatalf("%+v, %v", written, err)
	}
	for about, text := range map[string][]byte{"another user's": d.pair(t, time.Hour, "sam").Certificate.PEM, "text": []byte("text")} {
		if err := os.WriteFile(written.Path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := d.deliver(t, in); err == nil || !bytes.Equal(text, read(t, written.Path)) {
			t.Errorf("%s: %v", about, err)
		}
	}
	in.Path = "-"
	if written, err := d.deliver(t, in); err != nil || !bytes.Equal(written.InHand, d.issued.Certificate.PEM) || written.Path != "" {
		t.Errorf("%+v, %v", written, err)
	}
}

func TestDestination_AMergeKeepsWhatIsThere(t *testing.T) {
	d := newDelivering(t)
	path := filepath.Join(t.TempDir(), "config")
	const text = "apiVersion: v1\nkind: Config\nclusters: [{name: mine, cluster: {server: https://mine}}]\nusers: [{name: me, user: {token: t}}]\ncontexts: [{name: mine, context: {cluster: mine, user: me}}]\ncurrent-context: mine\n"
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil { //nolint:gosec // That others read it is told.
		t.Fatal(err)
	}
	in := destination.Input{Path: path, Merge: true, Visible: decode(t, []byte(text))}
	written, err := d.deliver(t, in)
	if err != nil || written.Path != path {
		t.Fatalf("%v", err)
	}
	config := decode(t, read(t, path))
	if config.CurrentContext != "mine" || config.AuthInfos["me"].Token != "t" || config.AuthInfos[written.Context] == nil {
		t.Errorf("%+v", config)
	}
	in.SetCurrent = true
	if _, err := d.deliver(t, in); err != nil || decode(t, read(t, path)).CurrentContext != written.Context {
		t.Errorf("%v", err)
	}
	isTold := false
	for _, e := range d.told {
		_, isPrivacy := e.(destination.KubeconfigNotPrivate)
		isTold = isTold || isPrivacy
	}
	if !isTold {
		t.Error("it is not told that others read the private key")
	}
	if err := os.WriteFile(path, []byte("text"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := d.deliver(t, in); err == nil || string(read(t, path)) != "text" {
		t.Errorf("%v", err)
	}
	d.issued = d.pair(t, time.Hour, "jane")
	if _, err := d.deliver(t, destination.Input{CertificateOnly: true, Merge: true, Path: filepath.Join(t.TempDir(), "config")}); err == nil {
		t.Error("a certificate is merged into a kubeconfig")
	}
}

func TestDestination_ACacheKeepsThePairThatIsValidForLonger(t *testing.T) {
	d := newDelivering(t)
	in := destination.Input{Exec: true, ExecCommand: "kubectl-csr_onboard"}
	written, err := d.deliver(t, in)
	if err != nil {
		t.Fatal(err)
	}
	user := decode(t, read(t, written.Path)).AuthInfos[written.Context]
	if user.Exec == nil || len(user.ClientKeyData) != 0 || bytes.Contains(read(t, written.Path), []byte("PRIVATE")) {
		t.Errorf("%+v", user)
	}
	cache := store.CredentialCacheAt(kubeconfig.CacheOf(user))
	before := read(t, cache.KubeconfigPath())
	d.issued = d.pair(t, 30*time.Minute, "jane")
	if _, err := d.deliver(t, in); err != nil || !bytes.Equal(before, read(t, cache.KubeconfigPath())) {
		t.Errorf("%v", err)
	}
	if certificate := d.to(in).Complete(time.Now()); certificate == nil || certificate.Leaf.NotAfter.Before(time.Now().Add(40*time.Minute)) {
		t.Errorf("the file is not complete: %v", certificate)
	}
	in.Overwrite = true
	if _, err := d.deliver(t, in); err != nil || bytes.Equal(before, read(t, cache.KubeconfigPath())) {
		t.Errorf("%v", err)
	}
}

// renewed is what a renewal in the background writes to a cache.
func (d *delivering) renewed(t *testing.T, cache store.CredentialCache, endpoint kubeconfig.Endpoint, lifetime time.Duration) []byte {
	t.Helper()
	encoded, err := kubeconfig.Encode(kubeconfig.Assemble(endpoint, d.pair(t, lifetime, "jane").Credentials, kubeconfig.Names{Cluster: endpoint.Cluster, Context: "jane"}, ""))
	if err == nil {
		err = cache.UpdateKubeconfig(t.Context(), func([]byte) ([]byte, error) { return encoded, nil })
	}
	if err != nil {
		t.Error(err)
	}
	return encoded
}

// TestDestination_APairThatIsRenewedWhileTheCacheIsFilledStays has a renewal in the background write
// to the cache after the pair in it was judged.
func TestDestination_APairThatIsRenewedWhileTheCacheIsFilledStays(t *testing.T) {
	for about, test := range map[string]struct {
		// before and meanwhile are how long the pairs are valid that the cache has.
		before, meanwhile time.Duration
		isOverwritten     bool
		isKept            bool
	}{
		"later than the new one":           {before: 20 * time.Minute, meanwhile: 5 * time.Hour, isKept: true},
		"earlier than the new one":         {before: 20 * time.Minute, meanwhile: 25 * time.Minute},
		"later, and is to be overwritten":  {before: 5 * time.Hour, meanwhile: 6 * time.Hour, isOverwritten: true},
		"later, after one that is as well": {before: 5 * time.Hour, meanwhile: 6 * time.Hour, isKept: true},
	} {
		t.Run(about, func(t *testing.T) {
			d := newDelivering(t)
			in := destination.Input{Exec: true, ExecCommand: "kubectl-csr_onboard", ContextName: "jane", Overwrite: test.isOverwritten}
			d.issued = d.pair(t, test.before, "jane")
			written, err := d.deliver(t, in)
			if err != nil {
				t.Fatal(err)
			}
			cache := store.CredentialCacheAt(kubeconfig.CacheOf(decode(t, read(t, written.Path)).AuthInfos[written.Context]))
			d.issued, d.told = d.pair(t, 30*time.Minute, "jane"), nil
			var renewed []byte
			now := func() time.Time {
				// The pair that was there was read.
				if renewed == nil {
					renewed = d.renewed(t, cache, d.server.Endpoint, test.meanwhile)
				}
				return time.Now()
			}
			if _, err := d.to(in).Deliver(t.Context(), destination.Run{UserAgent: "test", Now: now, Tell: func(e event.Event) { d.told = append(d.told, e) }}, d.issued); err != nil {
				t.Fatal(err)
			}
			if isKept := bytes.Equal(renewed, read(t, cache.KubeconfigPath())); isKept != test.isKept {
				t.Errorf("the renewed pair is kept: %v", isKept)
			}
			var kept, filled int
			for _, e := range d.told {
				switch e.(type) {
				case destination.CacheKept:
					kept++
				case destination.CacheFilled:
					filled++
				}
			}
			if kept+filled != 1 || (kept == 1) != test.isKept {
				t.Errorf("kept %d times, filled %d times", kept, filled)
			}
		})
	}
}

// TestDestination_APairThatIsRenewedWhileTheOneBeforeLogsInStays is about a cache whose API server has
// another address now, so that the pair that is kept is written again.
func TestDestination_APairThatIsRenewedWhileTheOneBeforeLogsInStays(t *testing.T) {
	d := newDelivering(t)
	in := destination.Input{Exec: true, ExecCommand: "kubectl-csr_onboard", ContextName: "jane"}
	d.issued = d.pair(t, 30*time.Minute, "jane")
	cache, err := destination.CacheFor(d.directory, d.server.Endpoint, identity.User{Name: "jane"})
	if err != nil {
		t.Fatal(err)
	}
	if err := cache.Prepare(); err != nil {
		t.Fatal(err)
	}
	known := d.server.Endpoint
	d.renewed(t, cache, known, time.Hour)
	var renewed []byte
	d.server.Answer = func(_ http.ResponseWriter, r *http.Request) bool {
		if renewed == nil && strings.HasSuffix(r.URL.Path, "/selfsubjectreviews") {
			renewed = d.renewed(t, cache, known, 5*time.Hour)
		}
		return false
	}
	d.server.Endpoint.ServerName = "127.0.0.1"
	if _, err := d.deliver(t, in); err != nil {
		t.Fatal(err)
	}
	_, _, want, err := kubeconfig.DecodeOwn(renewed)
	if err != nil {
		t.Fatal(err)
	}
	endpoint, _, got, err := kubeconfig.DecodeOwn(read(t, cache.KubeconfigPath()))
	if err != nil || !bytes.Equal(got.Key, want.Key) || endpoint.ServerName != "127.0.0.1" {
		t.Errorf("the renewed pair is kept: %v, for the server name %q, %v", bytes.Equal(got.Key, want.Key), endpoint.ServerName, err)
	}
}

func TestDestination_ACacheThatChangesAllTheTimeIsLeft(t *testing.T) {
	d := newDelivering(t)
	in := destination.Input{Exec: true, ExecCommand: "kubectl-csr_onboard", ContextName: "jane"}
	written, err := d.deliver(t, in)
	if err != nil {
		t.Fatal(err)
	}
	cache := store.CredentialCacheAt(kubeconfig.CacheOf(decode(t, read(t, written.Path)).AuthInfos[written.Context]))
	d.issued = d.pair(t, 2*time.Hour, "jane")
	var renewed []byte
	now := func() time.Time {
		renewed = d.renewed(t, cache, d.server.Endpoint, time.Hour)
		return time.Now()
	}
	_, err = d.to(in).Deliver(t.Context(), destination.Run{UserAgent: "test", Now: now, Tell: func(event.Event) {}}, d.issued)
	if err == nil || !strings.Contains(err.Error(), "change it all the time") || outcome.Hint(err) == "" || !bytes.Equal(renewed, read(t, cache.KubeconfigPath())) {
		t.Errorf("%v", err)
	}
}

func TestDestination_CompleteIsWhatWouldBeWritten(t *testing.T) {
	d := newDelivering(t)
	written, err := d.deliver(t, destination.Input{})
	if err != nil {
		t.Fatal(err)
	}
	if d.to(destination.Input{}).Complete(time.Now()) == nil {
		t.Error("what was written is not complete")
	}
	for about, is := range map[string]bool{
		"another namespace": d.to(destination.Input{Namespace: "n"}).Complete(time.Now()) != nil,
		"another name":      d.to(destination.Input{ContextName: "x"}).Complete(time.Now()) != nil,
		"expired":           d.to(destination.Input{}).Complete(time.Now().Add(2*time.Hour)) != nil,
		"another user":      destination.New(d.server.Endpoint, destination.Input{Path: written.Path, ContextName: written.Context}, d.directory, identity.User{Name: "sam"}).Complete(time.Now()) != nil,
		"more groups":       destination.New(d.server.Endpoint, destination.Input{}, d.directory, identity.User{Name: "jane", Groups: []string{"dev"}}).Complete(time.Now()) != nil,
		"a certificate":     d.to(destination.Input{CertificateOnly: true}).Complete(time.Now()) != nil,
		"from a cache":      d.to(destination.Input{Exec: true, ExecCommand: "c"}).Complete(time.Now()) != nil,
		"no file":           d.to(destination.Input{Path: filepath.Join(t.TempDir(), "no")}).Complete(time.Now()) != nil,
	} {
		if is {
			t.Errorf("%s: it is complete", about)
		}
	}
}

func TestDestination_AnAddressIsWarnedOf(t *testing.T) {
	for about, test := range map[string]struct {
		endpoint   kubeconfig.Endpoint
		forAnother bool
		want       int
	}{
		"one's own":             {kubeconfig.Endpoint{Server: "https://127.0.0.1"}, false, 0},
		"another's, loopback":   {kubeconfig.Endpoint{Server: "https://127.0.0.1"}, true, 1},
		"another's, localhost":  {kubeconfig.Endpoint{Server: "https://localhost:6443"}, true, 1},
		"another's":             {kubeconfig.Endpoint{Server: "https://k8s.example.com"}, true, 0},
		"one's own, unverified": {kubeconfig.Endpoint{Server: "https://127.0.0.1", InsecureSkipVerify: true}, false, 1},
	} {
		told := 0
		destination.WarnOf(func(event.Event) { told++ }, test.endpoint, test.forAnother)
		if told != test.want {
			t.Errorf("%s: %d warnings, want %d", about, told, test.want)
		}
	}
}
