package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	certificatesv1 "k8s.io/api/certificates/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	clientauthentication "k8s.io/client-go/pkg/apis/clientauthentication/v1"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/test/program"
)

// cached is a holder whose kubeconfig has kubectl take a pair from the cache that is
// in the last third of its life.
func cached(t *testing.T, name string) *session {
	t.Helper()
	s := ending(t, name)
	inCache(s)
	return s
}

// inCache moves the session's pair into a credential cache, and sees to it that
// nothing works in the background when the test ends.
func inCache(s *session) {
	s.t.Helper()
	s.must("renew", "--exec", "--within", "1s")
	user := s.certificate("config").User().Name
	s.t.Cleanup(func() {
		s.until("no renewal runs", func() bool {
			for _, object := range submittedBy(s.t, s.client(), user) {
				_ = s.client().CertificatesV1().CertificateSigningRequests().Delete(context.Background(), object.Name, metav1.DeleteOptions{})
			}
			return len(program.Processes(s.cache())) == 0
		})
	})
}

// cache is the directory of the credential cache that the kubeconfig names.
func (s *session) cache() string {
	s.t.Helper()
	for _, user := range s.load("config").AuthInfos {
		if user.Exec != nil {
			return user.Exec.Args[2]
		}
	}
	s.t.Fatal("no user logs in from a cache")
	return ""
}

// until waits for a condition.
func (s *session) until(what string, holds func() bool) {
	s.t.Helper()
	err := wait.PollUntilContextTimeout(context.Background(), 50*time.Millisecond, patience, true, func(context.Context) (bool, error) { return holds(), nil })
	if err != nil {
		s.t.Fatalf("in vain waited until %s", what)
	}
}

// whoami is a kubectl command of the user's.
func (s *session) whoami() program.Result {
	s.t.Helper()
	return s.kubectl("auth", "whoami", "-o", "jsonpath={.status.userInfo.username}")
}

func TestCredential_FiftyKubectlsAtOnceMakeOneRequest(t *testing.T) {
	s := cached(t, "fifty")
	approvesRequestsOf(t, s.client(), "fifty")
	before := s.certificate("config")
	results := make([]program.Result, 50)
	var all sync.WaitGroup
	for i := range results {
		all.Go(func() { results[i] = s.whoami() })
	}
	all.Wait()
	for _, result := range results {
		if result.Stdout != "fifty" || result.Stderr != "" {
			t.Errorf("exit code %d: %q\n%s", result.Code, result.Stdout, result.Stderr)
		}
	}
	s.until("it is renewed", func() bool { return !cmp.Equal(before.SHA256(), s.certificate("config").SHA256()) })
	checkRenewed(s, before)
	if n := len(submittedBy(t, s.client(), "fifty")); n != 1 {
		t.Errorf("there are %d requests", n)
	}
	s.until("the renewal has tidied up", func() bool {
		left, _ := filepath.Glob(filepath.Join(s.cache(), "renewals", "*"))
		return len(left) == 0
	})
}

func TestCredential_ALateApprovalIsPickedUpByALaterCall(t *testing.T) {
	s := cached(t, "late")
	before := s.certificate("config")
	if who := s.whoami(); who.Stdout != "late" {
		t.Fatalf("exit code %d\n%s", who.Code, who.Stderr)
	}
	// The command is through, and nobody has approved anything.
	var requests []certificatesv1.CertificateSigningRequest
	s.until("the renewal is submitted", func() bool {
		requests = submittedBy(t, s.client(), "late")
		return len(requests) > 0
	})
	if who := s.whoami(); who.Stdout != "late" {
		t.Fatalf("exit code %d\n%s", who.Code, who.Stderr)
	}
	s.admin().must("approve", requests[0].Name, "--yes")
	s.until("it is renewed", func() bool {
		if who := s.whoami(); who.Stdout != "late" {
			t.Fatalf("exit code %d\n%s", who.Code, who.Stderr)
		}
		return !cmp.Equal(before.SHA256(), s.certificate("config").SHA256())
	})
	checkRenewed(s, before)
	if n := len(submittedBy(t, s.client(), "late")); n != 1 {
		t.Errorf("there are %d requests", n)
	}
}

func TestCredential_ADeniedRenewalIsToldOnce(t *testing.T) {
	s := cached(t, "denied-renewal")
	s.whoami()
	s.until("the renewal is submitted", func() bool { return len(submittedBy(t, s.client(), "denied-renewal")) > 0 })
	s.admin().must("deny", "denied-renewal", "--yes", "--message", "not before Monday")
	var told program.Result
	s.until("it is told", func() bool {
		told = s.whoami()
		if told.Stdout != "denied-renewal" {
			t.Fatalf("exit code %d\n%s", told.Code, told.Stderr)
		}
		return strings.Contains(told.Stderr, "was denied")
	})
	for _, text := range []string{"kubectl csr-onboard: the certificate of", "not before Monday", "hint: ", "renew denied-renewal@csr-onboard --force"} {
		if !strings.Contains(told.Stderr, text) {
			t.Errorf("it does not say %q:\n%s", text, told.Stderr)
		}
	}
	for range 5 {
		if again := s.whoami(); again.Stdout != "denied-renewal" || again.Stderr != "" {
			t.Errorf("exit code %d: %q\n%s", again.Code, again.Stdout, again.Stderr)
		}
	}
	if n := len(submittedBy(t, s.client(), "denied-renewal")); n != 1 {
		t.Errorf("there are %d requests", n)
	}
	// Once it is settled, the person asks again.
	approvesRequestsOf(t, s.client(), "denied-renewal")
	before := s.certificate("config")
	s.must("renew", "--force")
	checkRenewed(s, before)
}

func TestCredential_TheTroubleOfARenewalIsToldWithTheCommandThatMendsIt(t *testing.T) {
	s := cached(t, "unpermitted")
	s.admin().must("offboard", "unpermitted", "--yes")
	s.until("it is told", func() bool {
		who := s.whoami()
		if who.Stdout != "unpermitted" {
			t.Fatalf("exit code %d\n%s", who.Code, who.Stderr)
		}
		return strings.Contains(who.Stderr, "kubectl csr-onboard grant unpermitted --renewable")
	})
}

func TestCredential_AnUnreachableServerGetsThePairThatIsThere(t *testing.T) {
	s := cached(t, "away")
	path := filepath.Join(s.cache(), "kubeconfig")
	config := s.loadFrom(path)
	for _, cluster := range config.Clusters {
		cluster.Server = "https://127.0.0.1:1"
	}
	if err := clientcmd.WriteToFile(*config, path); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		answer := s.must("credential", "--cache", s.cache())
		if answer.Stderr != "" {
			t.Errorf("standard error is %q", answer.Stderr)
		}
		checkAnswer(s, answer.Stdout)
	}
}

// checkAnswer asserts that an answer of the plugin's has the cache's pair, and a time
// to ask again that lies before the certificate's end.
func checkAnswer(s *session, stdout string) {
	s.t.Helper()
	var answer clientauthentication.ExecCredential
	if err := json.Unmarshal([]byte(stdout), &answer); err != nil || answer.Status == nil {
		s.t.Fatalf("%v in %q", err, stdout)
	}
	certificate := s.certificate("config")
	if answer.Status.ClientCertificateData != string(certificate.PEM) {
		s.t.Error("it is another certificate")
	}
	if at := answer.Status.ExpirationTimestamp; at == nil || !at.After(time.Now()) || !at.Time.Before(certificate.Leaf.NotAfter) {
		s.t.Errorf("it is to be asked again at %v, and the certificate ends %s", at, certificate.Leaf.NotAfter)
	}
	if answer.APIVersion != "client.authentication.k8s.io/v1" || answer.Kind != "ExecCredential" {
		s.t.Errorf("it is %s %s", answer.APIVersion, answer.Kind)
	}
}

func TestCredential_ACommandWaitsOnlyWhenNothingIsLeft(t *testing.T) {
	t.Run("in the last seconds", func(t *testing.T) {
		s := holder(t, shared, identity.User{Name: "last-seconds", Groups: []string{"dev"}}, time.Now().Add(-2*time.Hour), time.Now().Add(40*time.Second))
		inCache(s)
		approvesRequestsOf(t, s.client(), "last-seconds")
		before := s.certificate("config")
		who := s.whoami()
		if who.Stdout != "last-seconds" || !strings.Contains(who.Stderr, "waiting for another") {
			t.Errorf("exit code %d: %q\n%s", who.Code, who.Stdout, who.Stderr)
		}
		checkRenewed(s, before)
	})
	t.Run("ended", func(t *testing.T) {
		s := ending(t, "all-ended")
		inCache(s)
		path := filepath.Join(s.cache(), "kubeconfig")
		config := s.loadFrom(path)
		for _, user := range config.AuthInfos {
			key := s.certificate("config").Leaf.PublicKey
			user.ClientCertificateData = authorityFor(t, shared).sign(t, identity.User{Name: "all-ended", Groups: []string{"dev"}}, key, time.Now().Add(-time.Hour), time.Now().Add(-time.Minute))
		}
		if err := clientcmd.WriteToFile(*config, path); err != nil {
			t.Fatal(err)
		}
		s.check(s.run("credential", "--cache", s.cache()), expect{1, []string{"expired", "new-user all-ended -g dev --offline"}})
		if who := s.whoami(); who.Code == 0 || !strings.Contains(who.Stderr, "new-user all-ended -g dev --offline") {
			t.Errorf("exit code %d\n%s", who.Code, who.Stderr)
		}
	})
}

func TestCredential_KubeconfigsThatRenewThemselves(t *testing.T) {
	s := merging(t)
	s.must("new-user", "by-exec", "-g", "dev", "--approve", "--exec", "--merge")
	login := func() string {
		t.Helper()
		return s.kubectl("--context", "by-exec@csr-onboard", "auth", "whoami", "-o", "jsonpath={.status.userInfo.username}").Stdout
	}
	if who := login(); who != "by-exec" {
		t.Errorf("the user logs in as %q", who)
	}
	kept := s.load("config")
	user := kept.AuthInfos["by-exec@csr-onboard"]
	if len(user.ClientKeyData) > 0 || user.Exec == nil || user.Exec.Command != program.Name {
		t.Fatalf("the user's entry is %v", user)
	}
	if len(kept.Contexts) != 2 {
		t.Errorf("there are %d contexts", len(kept.Contexts))
	}
	// Again, into a file of their own, and that again.
	s.must("fetch", "by-exec", "--exec", "--merge")
	if diff := cmp.Diff(kept, s.load("config")); diff != "" {
		t.Errorf("the second time changed it:\n%s", diff)
	}
	for range 2 {
		s.must("fetch", "by-exec", "--exec")
	}
	if who := s.kubectl("--kubeconfig", s.path(".kube", "csr-onboard", "by-exec", "by-exec.kubeconfig"), "auth", "whoami", "-o", "jsonpath={.status.userInfo.username}"); who.Stdout != "by-exec" {
		t.Errorf("the user logs in as %q\n%s", who.Stdout, who.Stderr)
	}
	s.check(s.run("fetch", "by-exec", "--merge"), expect{1, []string{"--context-name"}})

	// A renewed pair is not written over by the one that was fetched before.
	cache := user.Exec.Args[2]
	s.must("grant", "by-exec", "--renewable")
	approvesRequestsOf(t, s.client(), "by-exec")
	s.must("renew", "by-exec@csr-onboard", "--expiration", "40d")
	renewed, err := os.ReadFile(filepath.Join(cache, "kubeconfig"))
	if err != nil {
		t.Fatal(err)
	}
	if again := s.must("fetch", "by-exec", "--exec", "--merge"); !strings.Contains(again.Stderr, "valid for longer") {
		t.Errorf("standard error is %q", again.Stderr)
	}
	if now, err := os.ReadFile(filepath.Join(cache, "kubeconfig")); err != nil || !bytes.Equal(now, renewed) {
		t.Errorf("the renewed pair is gone: %v", err)
	}
	if who := login(); who != "by-exec" {
		t.Errorf("the user logs in as %q", who)
	}
}

// TestCredential_AKeyStaysInTheCache looks for the private key everywhere.
func TestCredential_AKeyStaysInTheCache(t *testing.T) {
	s := cached(t, "kept")
	approvesRequestsOf(t, s.client(), "kept")
	s.whoami()
	before := s.certificate("config")
	s.must("renew")
	checkRenewed(s, before)
	var key []byte
	for _, user := range s.loadFrom(filepath.Join(s.cache(), "kubeconfig")).AuthInfos {
		key = user.ClientKeyData
	}
	if len(key) == 0 {
		t.Fatal("there is no key")
	}
	secret := bytes.Split(key, []byte("\n"))[1]
	inside, err := filepath.Rel(s.env.Home, s.cache())
	if err != nil {
		t.Fatal(err)
	}
	home := os.DirFS(s.env.Home)
	err = fs.WalkDir(home, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		data, err := fs.ReadFile(home, path)
		if err != nil {
			return err
		}
		isInCache := strings.HasPrefix(path, filepath.ToSlash(inside)+"/")
		if bytes.Contains(data, secret) && !isInCache {
			t.Errorf("%s holds the key", path)
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		if isInCache && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s can be read by others: %v", path, info.Mode())
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	for _, file := range []string{"kubeconfig", "answer"} {
		if err := os.Chmod(filepath.Join(s.cache(), file), 0o644); err != nil { //nolint:gosec // Too open is what it is to be.
			t.Fatal(err)
		}
	}
	s.check(s.run("credential", "--cache", s.cache()), expect{1, []string{"can be read by others"}})
}

func TestCredential_CredentialIsNotForPeople(t *testing.T) {
	s := newSession(t, shared)
	s.check(s.run("credential"), expect{2, []string{"--cache is missing", "fetch NAME --exec"}})
	s.check(s.run("credential", "--cache", s.path("nowhere")), expect{1, []string{"credential not found in the cache"}})
	s.check(s.run("credential", "jane"), expect{2, []string{"accepts no arguments"}})
}
