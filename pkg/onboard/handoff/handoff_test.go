package handoff_test

import (
	"bytes"
	"context"
	"errors"
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
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/handoff"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/onboardtest"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
)

// giving writes handoffs below a path.
func giving(path string) handoff.Input {
	return handoff.Input{
		Timeout: time.Minute, Path: path, Resume: func(name string) string { return "approve " + name },
		Fetch: func(user, file string, trust handoff.Trust) string {
			return strings.Join(append([]string{"fetch", user, file}, trust.AuthorityFingerprints...), " ")
		},
	}
}

// handed is a cluster with an approved request of jane, what was asked, and the handoff.
func handed(t *testing.T) (*onboardtest.World, onboard.NewUserInput, []byte) {
	t.Helper()
	w, in := onboardtest.New(t), onboardtest.Asked(t, "jane", "dev")
	object := w.Submit(t, in)
	w.Server.Decide(object.Name, certificatesv1.CertificateApproved)
	given, err := handoff.One(t.Context(), w.Program, w.Stored(t, object.Name), giving("-"))
	if err != nil {
		t.Fatal(err)
	}
	return w, in, given.Handoff
}

func fetching(in onboard.NewUserInput, data []byte) handoff.FetchInput {
	return handoff.FetchInput{
		Name: "jane", Directory: in.Directory, Source: "jane.handoff", Data: data, VerifyLogin: true, LoginTimeout: 10 * time.Second,
		Trust: handoff.Trust{Confirm: func(context.Context, string, []handoff.Authority) error { return errUnconfirmed }},
	}
}

// fetch reads what was sent for one cluster, and makes the kubeconfig.
func fetch(t *testing.T, w *onboardtest.World, in handoff.FetchInput) (*onboard.Fetched, error) {
	t.Helper()
	sent, err := handoff.Parse(in)
	if err != nil {
		return nil, err
	}
	return sent.Fetch(t.Context(), w.Program)
}

// decode reads a handoff for one cluster.
func decode(t *testing.T, data []byte) *kubeconfig.Handoff {
	t.Helper()
	handoffs, err := kubeconfig.DecodeHandoff(data)
	if err != nil || len(handoffs) != 1 {
		t.Fatalf("%+v, %v", handoffs, err)
	}
	return &handoffs[0]
}

var errUnconfirmed = errors.New("nobody has confirmed it")

func TestHandoff_ItIsWrittenAndFetched(t *testing.T) {
	w, in := onboardtest.New(t), onboardtest.Asked(t, "jane", "dev")
	object := w.Submit(t, in)
	w.Server.Decide(object.Name, certificatesv1.CertificateApproved)
	directory := t.TempDir()
	all, err := handoff.Each(t.Context(), w.Program, []*request.Request{w.Stored(t, object.Name)}, giving(directory))
	if err != nil || len(all) != 1 || filepath.Dir(all[0].Path) != directory {
		t.Fatalf("%+v, %v", all, err)
	}
	text, err := os.ReadFile(all[0].Path)
	if err != nil || bytes.Contains(text, []byte("PRIVATE")) || bytes.Contains(text, []byte("client-key")) || !bytes.Contains(text, []byte("Nothing in it is secret")) {
		t.Errorf("%s, %v", text, err)
	}
	confirm := onboardtest.Told[handoff.ToConfirm](w)
	if len(confirm) != 1 || len(confirm[0].Endpoints) != 1 || len(confirm[0].Endpoints[0].Authorities) != 1 ||
		!confirm[0].Endpoints[0].Authorities[0].HasSigned || !strings.Contains(confirm[0].Command, confirm[0].Endpoints[0].Authorities[0].Fingerprint) {
		t.Errorf("%+v", confirm)
	}
	fetched, err := fetch(t, w, fetching(in, text))
	if err != nil || !fetched.LoggedIn || fetched.User.Name != "jane" {
		t.Errorf("%+v, %v", fetched, err)
	}
	named := onboardtest.Told[handoff.EndpointNamed](w)
	if len(named) != 1 || !named[0].RestsOnFile || named[0].Server != w.Server.Endpoint.Server {
		t.Errorf("%+v", named)
	}
	// What is there is written again, and what is not its own is not.
	if err := handoff.Check(t.Context(), w.Program, all[0].User, giving(all[0].Path)); err != nil {
		t.Errorf("%v", err)
	}
	if err := os.WriteFile(all[0].Path, []byte("apiVersion: v1\nkind: Config\nusers: [{name: other, user: {token: t}}]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := handoff.Check(t.Context(), w.Program, all[0].User, giving(all[0].Path)); err == nil {
		t.Error("a kubeconfig of somebody else's is overwritten")
	}
}

func TestHandoff_OneFailureAmongSeveralIsTold(t *testing.T) {
	w := onboardtest.New(t)
	denied, approved := w.Submit(t, onboardtest.Asked(t, "sam")), w.Submit(t, onboardtest.Asked(t, "jane"))
	w.Server.Decide(denied.Name, certificatesv1.CertificateDenied)
	w.Server.Decide(approved.Name, certificatesv1.CertificateApproved)
	all, err := handoff.Each(t.Context(), w.Program, []*request.Request{w.Stored(t, denied.Name), w.Stored(t, approved.Name)}, giving(t.TempDir()))
	if !errors.Is(err, outcome.ErrRejected) || len(all) != 1 || len(onboardtest.Told[handoff.NotHandedOff](w)) != 1 {
		t.Errorf("%+v, %v", all, err)
	}
	if progress := onboardtest.Told[onboard.Progress](w); len(progress) != 3 || progress[2].Failed != 1 {
		t.Errorf("%+v", progress)
	}
	if _, err := handoff.Each(t.Context(), w.Program, []*request.Request{w.Stored(t, denied.Name)}, giving(t.TempDir())); !errors.Is(err, outcome.ErrRejected) {
		t.Errorf("%v", err)
	}
}

// TestHandoff_AFileThatWasChangedIsNotUsed is for somebody on the way.
func TestHandoff_AFileThatWasChangedIsNotUsed(t *testing.T) {
	other := clustertest.New(t)
	for about, test := range map[string]struct {
		change func(*testing.T, *onboardtest.World, *handoff.FetchInput, *kubeconfig.Handoff)
		want   error
		says   string
	}{
		"another server's authority": {func(_ *testing.T, _ *onboardtest.World, _ *handoff.FetchInput, h *kubeconfig.Handoff) {
			h.Endpoint.CertificateAuthority = other.Endpoint.CertificateAuthority
		}, nil, "certificate"},
		"two authorities": {func(_ *testing.T, _ *onboardtest.World, _ *handoff.FetchInput, h *kubeconfig.Handoff) {
			h.Endpoint.CertificateAuthority = append(bytes.Clone(h.Endpoint.CertificateAuthority), other.Endpoint.CertificateAuthority...)
		}, nil, ""},
		"the certificate of another key": {func(t *testing.T, w *onboardtest.World, _ *handoff.FetchInput, h *kubeconfig.Handoff) {
			t.Helper()
			h.Certificate = w.Server.Credentials(t, "jane", "dev").Certificate
		}, nil, "key"},
		"the certificate of another user": {func(t *testing.T, w *onboardtest.World, _ *handoff.FetchInput, h *kubeconfig.Handoff) {
			t.Helper()
			h.Certificate = w.Server.Credentials(t, "sam").Certificate
		}, nil, ""},
		"another fingerprint": {func(_ *testing.T, _ *onboardtest.World, in *handoff.FetchInput, _ *kubeconfig.Handoff) {
			in.Trust.AuthorityFingerprints = []string{"SHA256:" + strings.Repeat("A", 43)}
		}, outcome.ErrChanged, "another certificate authority"},
		"another server": {func(_ *testing.T, _ *onboardtest.World, in *handoff.FetchInput, _ *kubeconfig.Handoff) {
			in.Trust.Server = "https://other.example.com"
		}, outcome.ErrChanged, "it names the API server"},
		"a proxy": {func(_ *testing.T, _ *onboardtest.World, _ *handoff.FetchInput, h *kubeconfig.Handoff) {
			h.Endpoint.ProxyURL = "http://proxy.example.com"
		}, outcome.ErrUsage, "it names a proxy"},
		"no proxy": {func(_ *testing.T, _ *onboardtest.World, in *handoff.FetchInput, _ *kubeconfig.Handoff) {
			in.Trust.Proxy = "http://proxy.example.com"
		}, outcome.ErrUsage, "--proxy-url"},
		"no check of the server": {func(_ *testing.T, _ *onboardtest.World, _ *handoff.FetchInput, h *kubeconfig.Handoff) {
			h.Endpoint.CertificateAuthority, h.Endpoint.InsecureSkipVerify = nil, true
		}, outcome.ErrUsage, "skips the check"},
		"a check that was not to be": {func(_ *testing.T, _ *onboardtest.World, in *handoff.FetchInput, _ *kubeconfig.Handoff) {
			in.Trust.Insecure = true
		}, outcome.ErrUsage, "does nothing"},
		"no authority": {func(_ *testing.T, _ *onboardtest.World, _ *handoff.FetchInput, h *kubeconfig.Handoff) {
			h.Endpoint.CertificateAuthority = nil
		}, errUnconfirmed, ""},
		"no key": {func(t *testing.T, _ *onboardtest.World, in *handoff.FetchInput, _ *kubeconfig.Handoff) {
			t.Helper()
			in.Directory = onboardtest.Directory(t, t.TempDir(), "jane")
		}, nil, `private key of "jane" not found`},
		"the request of another user": {func(_ *testing.T, _ *onboardtest.World, in *handoff.FetchInput, _ *kubeconfig.Handoff) {
			in.Name = "sam"
		}, nil, `not for "sam"`},
		"it does not log in": {func(_ *testing.T, w *onboardtest.World, _ *handoff.FetchInput, _ *kubeconfig.Handoff) {
			w.Server.Answer = func(rw http.ResponseWriter, _ *http.Request) bool {
				clustertest.Fail(rw, http.StatusUnauthorized, metav1.StatusReasonUnauthorized)
				return true
			}
		}, nil, "logging in"},
		"another cluster at the address": {func(_ *testing.T, _ *onboardtest.World, _ *handoff.FetchInput, h *kubeconfig.Handoff) {
			h.Endpoint.Server = other.Endpoint.Server
		}, nil, "unknown authority"},
	} {
		t.Run(about, func(t *testing.T) {
			w, in, data := handed(t)
			decoded := decode(t, data)
			var err error
			asked := fetching(in, nil)
			test.change(t, w, &asked, decoded)
			asked.Data, err = kubeconfig.EncodeHandoff(kubeconfig.Assemble(decoded.Endpoint, kubeconfig.Credentials{Certificate: decoded.Certificate}, kubeconfig.NamesFor("jane", "test", ""), ""))
			if err != nil {
				t.Fatal(err)
			}
			_, err = fetch(t, w, asked)
			if err == nil || test.want != nil && !errors.Is(err, test.want) || !strings.Contains(err.Error(), test.says) {
				t.Errorf("%v, want %q", err, test.says)
			}
			if _, err := os.Stat(in.Directory.KubeconfigPath()); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("a kubeconfig is written: %v", err)
			}
		})
	}
}

// TestHandoff_AForgedCertificateIsNoticedWithoutACluster is for an authority of the same name.
func TestHandoff_AForgedCertificateIsNoticedWithoutACluster(t *testing.T) {
	w, in, data := handed(t)
	decoded := decode(t, data)
	var err error
	// Every authority of these servers has the same name.
	decoded.Endpoint.CertificateAuthority = clustertest.New(t).Endpoint.CertificateAuthority
	decoded.Endpoint.Server = "https://127.0.0.1:1"
	asked := fetching(in, nil)
	asked.Trust.Confirm = func(context.Context, string, []handoff.Authority) error { return nil }
	if asked.Data, err = kubeconfig.EncodeHandoff(kubeconfig.Assemble(decoded.Endpoint, kubeconfig.Credentials{Certificate: decoded.Certificate}, kubeconfig.NamesFor("jane", "test", ""), "")); err != nil {
		t.Fatal(err)
	}
	if _, err := fetch(t, w, asked); err == nil || !strings.Contains(err.Error(), "cannot be used") {
		t.Errorf("%v", err)
	}
}

// TestHandoff_AnInterruptionSaysNothingOfTheHandoff is for Ctrl-C at the question.
func TestHandoff_AnInterruptionSaysNothingOfTheHandoff(t *testing.T) {
	w, in, data := handed(t)
	decoded := decode(t, data)
	decoded.Endpoint.CertificateAuthority = nil
	asked := fetching(in, nil)
	asked.Trust.Confirm = func(context.Context, string, []handoff.Authority) error {
		return outcome.Errorf(outcome.ErrInterrupted, "interrupted while asking")
	}
	var err error
	if asked.Data, err = kubeconfig.EncodeHandoff(kubeconfig.Assemble(decoded.Endpoint, kubeconfig.Credentials{Certificate: decoded.Certificate}, kubeconfig.NamesFor("jane", "test", ""), "")); err != nil {
		t.Fatal(err)
	}
	if _, err := fetch(t, w, asked); !errors.Is(err, outcome.ErrInterrupted) || err.Error() != "interrupted while asking" || outcome.Hint(err) != "" {
		t.Errorf("%v, %q", err, outcome.Hint(err))
	}
}

func TestHandoff_AClusterThatIsAwayIsTold(t *testing.T) {
	w, in, data := handed(t)
	decoded := decode(t, data)
	decoded.Endpoint.Server = "https://127.0.0.1:1"
	asked := fetching(in, decoded.Certificate)
	asked.Endpoint = &decoded.Endpoint
	fetched, err := fetch(t, w, asked)
	if err != nil || fetched.LoggedIn || len(onboardtest.Told[handoff.ClusterUnreachable](w)) != 1 {
		t.Errorf("%+v, %v", fetched, err)
	}
}

// TestHandoff_TheUsersOwnFilesAreNamedBeforeAFileThatCannotBeRead is for what the user can repair.
func TestHandoff_TheUsersOwnFilesAreNamedBeforeAFileThatCannotBeRead(t *testing.T) {
	w, in, data := handed(t)
	endpoint := decode(t, data).Endpoint
	for about, asked := range map[string]handoff.FetchInput{
		"a handoff":     fetching(in, []byte("x")),
		"a certificate": {Name: "jane", Directory: in.Directory, Source: "jane.crt", Data: []byte("x"), Endpoint: &endpoint},
	} {
		if _, err := fetch(t, w, asked); err == nil || !strings.Contains(err.Error(), "cannot be used") {
			t.Errorf("%s: %v", about, err)
		}
		asked.Name = "sam"
		if _, err := fetch(t, w, asked); err == nil || !strings.Contains(err.Error(), `not for "sam"`) {
			t.Errorf("%s: %v", about, err)
		}
		// Without a key here, those of several clusters may be below, whose names nobody knows.
		elsewhere := asked
		elsewhere.Name, elsewhere.Directory = "jane", in.Directory.ForCluster("test")
		if _, err := fetch(t, w, elsewhere); err == nil || !strings.Contains(err.Error(), "cannot be used") {
			t.Errorf("%s, without a key: %v", about, err)
		}
	}
}
