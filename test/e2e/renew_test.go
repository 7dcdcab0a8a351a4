package e2e

import (
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/pki"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
)

// checkRenewed asserts that a certificate is another of the same user, and logs in.
func checkRenewed(s *session, before *pki.Certificate) {
	s.t.Helper()
	after := s.certificate("config")
	switch {
	case pki.SamePublicKey(before.Leaf.PublicKey, after.Leaf.PublicKey):
		s.t.Error("the key is the one before")
	case before.Leaf.SerialNumber.Cmp(after.Leaf.SerialNumber) == 0:
		s.t.Error("the serial number is the one before")
	case !after.Leaf.NotAfter.After(before.Leaf.NotAfter):
		s.t.Errorf("it ends %s, and the one before ended %s", after.Leaf.NotAfter, before.Leaf.NotAfter)
	}
	if whoami := s.kubectl("auth", "whoami", "-o", "jsonpath={.status.userInfo.username} {.status.userInfo.groups}"); whoami.Stdout != before.User().Name+` ["dev","system:authenticated"]` {
		s.t.Errorf("the user logs in as %q\n%s", whoami.Stdout, whoami.Stderr)
	}
}

// nothingWaits asserts that no key of a renewal is left.
func nothingWaits(s *session) {
	s.t.Helper()
	err := filepath.Walk(s.path(".kube", "csr-onboard"), func(path string, info os.FileInfo, err error) error {
		if err == nil && info.Mode().IsRegular() && strings.Contains(path, "renewals") {
			s.t.Errorf("%s is left", path)
		}
		return err
	})
	if err != nil {
		s.t.Error(err)
	}
}

// nothingMade asserts that csr-onboard has no directory yet.
func nothingMade(s *session) {
	s.t.Helper()
	found, err := filepath.Glob(s.path(".kube", "csr-onboard", "*", "*", "*.key"))
	if err != nil || len(found) > 0 {
		s.t.Errorf("there are %q, %v", found, err)
	}
}

func TestRenew_RenewReplacesKeyAndCertificateInTheKubeconfig(t *testing.T) {
	s := ending(t, "renew-embedded")
	approvesRequestsOf(t, s.client(), "renew-embedded")
	before, config := s.certificate("config"), s.load("config")

	renewed := s.must("renew")
	if renewed.Stdout != "renew-embedded@csr-onboard renewed\n" {
		t.Errorf("standard output is %q", renewed.Stdout)
	}
	checkRenewed(s, before)
	nothingWaits(s)
	if diff := cmp.Diff(config, s.load("config"), cmpopts.IgnoreFields(clientcmdapi.AuthInfo{}, "ClientCertificateData", "ClientKeyData")); diff != "" {
		t.Errorf("the kubeconfig changed beside certificate and key:\n%s", diff)
	}
	if n := len(submittedBy(t, s.client(), "renew-embedded")); n != 1 {
		t.Errorf("there are %d requests", n)
	}
	// A certificate that is good for long is left alone, and nobody is asked.
	at := s.certificate("config").SHA256()
	if unchanged := s.must("renew", "--within", "1m"); unchanged.Stdout != "renew-embedded@csr-onboard unchanged\n" {
		t.Errorf("standard output is %q", unchanged.Stdout)
	}
	if !cmp.Equal(at, s.certificate("config").SHA256()) {
		t.Error("it was renewed again")
	}
}

func TestRenew_RenewOfFilesMakesNewFiles(t *testing.T) {
	s := ending(t, "renew-files")
	approvesRequestsOf(t, s.client(), "renew-files")
	config := s.load("config")
	user := config.AuthInfos["renew-files@csr-onboard"]
	if err := os.Mkdir(s.path("pki"), 0o700); err != nil {
		t.Fatal(err)
	}
	s.write("pki/mine.crt", string(user.ClientCertificateData))
	s.write("pki/mine.key", string(user.ClientKeyData))
	before, key := s.certificate("config"), string(user.ClientKeyData)
	user.ClientCertificateData, user.ClientKeyData = nil, nil
	user.ClientCertificate, user.ClientKey = "pki/mine.crt", s.path("pki", "mine.key")
	if err := clientcmd.WriteToFile(*config, s.path("config")); err != nil {
		t.Fatal(err)
	}

	first := s.must("renew")
	checkRenewed(s, before)
	if !strings.Contains(first.Stderr, "mine.key") || string(s.read("pki/mine.key")) != key {
		t.Errorf("the key before is somebody's file: it stays, and that is told:\n%s", first.Stderr)
	}
	now := s.load("config").AuthInfos["renew-files@csr-onboard"]
	if filepath.Dir(now.ClientCertificate) != "pki" || filepath.Dir(now.ClientKey) != s.path("pki") || len(now.ClientKeyData) > 0 {
		t.Errorf("the kubeconfig names %q and %q", now.ClientCertificate, now.ClientKey)
	}
	if info, err := os.Stat(now.ClientKey); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the new key: %v, %v", info, err)
	}

	// What the program made itself goes with the next.
	s.must("renew")
	if _, err := os.Stat(now.ClientKey); !os.IsNotExist(err) {
		t.Errorf("the key of the certificate between is left: %v", err)
	}
	if names, _ := filepath.Glob(s.path("pki", "*")); len(names) != 4 {
		t.Errorf("there are %q", names)
	}
	nothingWaits(s)
}

// A kubeconfig from elsewhere can name the files that a renewal of another one made.
func TestRenew_RenewRemovesNoFilesOutsideTheKubeconfigsDirectory(t *testing.T) {
	s := ending(t, "renew-outside")
	approvesRequestsOf(t, s.client(), "renew-outside")
	config, outside := s.load("config"), t.TempDir()
	user := config.AuthInfos["renew-outside@csr-onboard"]
	user.ClientCertificate, user.ClientKey = filepath.Join(outside, "mine.crt"), filepath.Join(outside, "mine.key")
	for file, data := range map[string][]byte{user.ClientCertificate: user.ClientCertificateData, user.ClientKey: user.ClientKeyData} {
		if err := os.WriteFile(file, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	user.ClientCertificateData, user.ClientKeyData = nil, nil
	if err := clientcmd.WriteToFile(*config, s.path("config")); err != nil {
		t.Fatal(err)
	}
	s.must("renew")
	s.must("renew")
	if files, _ := filepath.Glob(filepath.Join(outside, "*")); len(files) != 6 {
		t.Errorf("there are %q, want all three pairs", files)
	}
}

// TestRenew_RenewOfOneFileMakesOneFile has certificate and key in one file, as kubelets do.
func TestRenew_RenewOfOneFileMakesOneFile(t *testing.T) {
	s := ending(t, "renew-one-file")
	approvesRequestsOf(t, s.client(), "renew-one-file")
	config := s.load("config")
	user := config.AuthInfos["renew-one-file@csr-onboard"]
	before := s.certificate("config")
	s.write("mine.pem", string(user.ClientCertificateData)+string(user.ClientKeyData))
	user.ClientCertificateData, user.ClientKeyData = nil, nil
	user.ClientCertificate, user.ClientKey = "mine.pem", "mine.pem"
	if err := clientcmd.WriteToFile(*config, s.path("config")); err != nil {
		t.Fatal(err)
	}
	s.must("renew")
	now := s.load("config").AuthInfos["renew-one-file@csr-onboard"]
	if now.ClientCertificate != now.ClientKey || now.ClientKey == "mine.pem" {
		t.Errorf("the kubeconfig names %q and %q", now.ClientCertificate, now.ClientKey)
	}
	if info, err := os.Stat(s.path(now.ClientKey)); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the new file: %v, %v", info, err)
	}
	certificatePEM, _ := pki.SplitPair(s.read(now.ClientCertificate), nil)
	after, err := pki.ParseCertificate(certificatePEM)
	if err != nil {
		t.Fatal(err)
	}
	if pki.SamePublicKey(before.Leaf.PublicKey, after.Leaf.PublicKey) {
		t.Error("the key is the one before")
	}
	if who := whoIs(t, s.path("config")); who != "renew-one-file" {
		t.Errorf("the user logs in as %q", who)
	}
	s.must("status", "--fail-within", "1m")
}

func TestRenew_AKubeconfigThatOthersMayReadIsWarnedOf(t *testing.T) {
	s := ending(t, "renew-open")
	approvesRequestsOf(t, s.client(), "renew-open")
	if err := os.Chmod(s.path("config"), 0o644); err != nil { //nolint:gosec // Too open on purpose.
		t.Fatal(err)
	}
	if renewed := s.must("renew"); !strings.Contains(renewed.Stderr, "can be read by others than its owner") {
		t.Errorf("%s", renewed.Stderr)
	}
}

func TestRenew_RenewWithinAsksNobody(t *testing.T) {
	s := holder(t, shared, identity.User{Name: "renew-within"}, time.Now().Add(-time.Hour), time.Now().Add(8*24*time.Hour))
	for _, within := range []string{"7d", "1/3"} {
		command := withoutSockets(t, s.command("renew", "--within", within))
		if output, err := command.CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", within, err, output)
		}
	}
	s.check(s.run("renew", "--within", "soon"), expect{2, []string{`--within: invalid value "soon"`}})
}

func TestRenew_RenewWithinAFractionOfTheLifetime(t *testing.T) {
	now := time.Now()
	s := holder(t, shared, identity.User{Name: "renew-fraction", Groups: []string{"dev"}}, now.Add(-6*time.Hour), now.Add(2*time.Hour))
	approvesRequestsOf(t, s.client(), "renew-fraction")
	if unchanged := s.must("renew", "--within", "1/5"); unchanged.Stdout != "renew-fraction@csr-onboard unchanged\n" {
		t.Errorf("with a quarter left, a fifth renews it: %q", unchanged.Stdout)
	}
	if renewed := s.must("renew", "--within", "1/3"); renewed.Stdout != "renew-fraction@csr-onboard renewed\n" {
		t.Errorf("with a quarter left, a third does not renew it: %q", renewed.Stdout)
	}
}

func TestRenew_APendingRenewalIsFinishedByTheNextRun(t *testing.T) {
	s := ending(t, "renew-pending")
	before := s.certificate("config")
	for range 2 {
		if pending := s.must("renew", "--wait=false"); pending.Stdout != "renew-pending@csr-onboard pending\n" {
			t.Fatalf("standard output is %q", pending.Stdout)
		}
	}
	s.check(s.run("renew", "--timeout", "300ms"), expect{124, []string{"nobody has decided", "renew renew-pending@csr-onboard"}})
	if !cmp.Equal(before.SHA256(), s.certificate("config").SHA256()) {
		t.Error("the kubeconfig was changed")
	}
	if who := whoIs(t, s.path("config")); who != "renew-pending" {
		t.Errorf("the present certificate logs in as %q", who)
	}
	requests := submittedBy(t, s.client(), "renew-pending")
	if len(requests) != 1 {
		t.Fatalf("there are %d requests", len(requests))
	}
	s.admin().must("approve", requests[0].Name, "--yes")
	s.must("renew")
	checkRenewed(s, before)
	nothingWaits(s)
	if n := len(submittedBy(t, s.client(), "renew-pending")); n != 1 {
		t.Errorf("there are %d requests", n)
	}
}

func TestRenew_RenewApprovesForWhoMay(t *testing.T) {
	s := ending(t, "renew-approve")
	s.check(s.run("renew", "--approve"), expect{1, []string{"cannot approve"}})
	if n := len(submittedBy(t, s.client(), "renew-approve")); n != 0 {
		t.Errorf("%d requests were made", n)
	}
	admin := s.admin()
	admin.shell("kubectl create clusterrolebinding renew-approve --clusterrole=cluster-admin --user=renew-approve")
	before := s.certificate("config")
	s.must("renew", "--approve", "--expiration", "15m", "--wait=false")
	checkRenewed(s, before)
	if lifetime := s.certificate("config").AskedLifetime(); lifetime != 15*time.Minute {
		t.Errorf("it is good for %s", lifetime)
	}

	// Somebody who left, and has rights by a binding that was made later, does not stay so.
	admin.must("offboard", "renew-approve", "--yes")
	admin.shell("kubectl create clusterrolebinding renew-approve-again --clusterrole=cluster-admin --user=renew-approve")
	before = s.certificate("config")
	s.check(s.run("renew", "--approve"), expect{6, []string{"user-offboarded"}})
	if !bytes.Equal(s.certificate("config").SHA256(), before.SHA256()) {
		t.Error("the certificate was renewed")
	}
}

func TestRenew_RenewIsRefusedInWords(t *testing.T) {
	s := ending(t, "renew-refused")
	unchanged := string(s.read("config"))
	admin := s.admin()

	t.Run("system:masters, for whom no server takes a request", func(t *testing.T) {
		masters := newSession(t, shared)
		masters.check(masters.run("renew"), expect{6, []string{`system-group: the certificate of "administrator" is in the group system:masters`, "kubeadm certs renew"}})
		nothingMade(masters)
	})
	t.Run("a cache that there is not", func(*testing.T) {
		s.check(s.run("renew", "--move-cache", "--timeout", "1s"), expect{2, []string{"--move-cache does nothing", "has no credential cache"}})
	})
	t.Run("without the permission", func(t *testing.T) {
		admin.must("offboard", "renew-refused", "--yes")
		s.check(s.run("renew"), expect{1, []string{`"renew-refused" cannot renew`, "kubectl csr-onboard grant renew-refused --renewable"}})
		nothingWaits(s)
		if listed := s.must("status", "-o", "json"); strings.Contains(listed.Stdout, "Pending") {
			t.Errorf("a renewal that was never asked for is pending:\n%s", listed.Stdout)
		}
		admin.must("grant", "renew-refused", "--renewable", "--allow", "user-offboarded")
		// The API server learns of a binding by a watch.
		for range 100 {
			if s.kubectl("auth", "can-i", "create", "certificatesigningrequests").Code == 0 {
				return
			}
		}
		t.Fatal("the user may still not renew")
	})
	t.Run("denied", func(t *testing.T) {
		s.must("renew", "--wait=false")
		admin.must("deny", "renew-refused", "--yes", "--message", "ask me first")
		for range 2 {
			s.check(s.run("renew"), expect{3, []string{"ask me first", "is valid until", "--force"}})
		}
		if n := len(submittedBy(t, s.client(), "renew-refused")); n != 1 {
			t.Errorf("there are %d requests", n)
		}
		if who := whoIs(t, s.path("config")); who != "renew-refused" {
			t.Errorf("the present certificate logs in as %q", who)
		}
		s.must("renew", "--wait=false", "--force")
		if n := len(submittedBy(t, s.client(), "renew-refused")); n != 2 {
			t.Errorf("there are %d requests", n)
		}
	})
	t.Run("no such context", func(*testing.T) {
		s.check(s.run("renew", "nowhere"), expect{2, []string{`context "nowhere" not found`}})
		s.check(s.run("renew", "one", "two"), expect{2, []string{"one CONTEXT"}})
		s.check(s.run("renew", "one", "--all"), expect{2, []string{"exclude each other"}})
		s.check(s.run("renew", "--wait=false", "--timeout", "1m"), expect{2, []string{"--timeout"}})
		s.check(s.run("renew", "--allow", "admin-group"), expect{2, []string{"--approve"}})
		for flag, value := range map[string]string{"--server": "https://127.0.0.1:1", "--as-group": "g", "--client-key": "k", "--certificate-authority": "c", "--proxy-url": "http://127.0.0.1:1"} {
			s.check(s.run("renew", flag, value), expect{2, []string{flag + " does nothing with renew"}})
			s.check(s.run("status", flag, value), expect{2, []string{flag + " does nothing with status"}})
		}
	})
	if string(s.read("config")) != unchanged {
		t.Error("the kubeconfig was changed")
	}
}

func TestRenew_ACertificateThatHasEndedIsToldWhatToDo(t *testing.T) {
	s := holder(t, shared, identity.User{Name: "renew-ended", Groups: []string{"dev"}}, time.Now().Add(-time.Hour), time.Now().Add(-time.Minute))
	s.check(s.run("renew"), expect{1, []string{`"renew-ended"`, "ended", "new-user renew-ended -g dev --offline"}})
}

func TestRenew_ATokenIsNotRenewed(t *testing.T) {
	s := ending(t, "renew-token")
	config := s.load("config")
	config.AuthInfos["renew-token@csr-onboard"] = &clientcmdapi.AuthInfo{Token: "secret"}
	if err := clientcmd.WriteToFile(*config, s.path("config")); err != nil {
		t.Fatal(err)
	}
	s.check(s.run("renew"), expect{1, []string{"does not log in with a client certificate"}})
	s.check(s.run("renew", "--all"), expect{1, []string{"no context"}})
}

func TestRenew_RenewAllGoesOnAfterAFailure(t *testing.T) {
	s := ending(t, "renew-all")
	approvesRequestsOf(t, s.client(), "renew-all")
	before := s.certificate("config")
	config := s.load("config")
	context := config.Contexts["renew-all@csr-onboard"]
	// Two contexts of one user, one that logs in with a token, one whose server is
	// away.
	config.Contexts["a-second"] = &clientcmdapi.Context{Cluster: context.Cluster, AuthInfo: context.AuthInfo, Namespace: "other"}
	config.AuthInfos["token"] = &clientcmdapi.AuthInfo{Token: "secret"}
	config.Contexts["token"] = &clientcmdapi.Context{Cluster: context.Cluster, AuthInfo: "token"}
	config.Clusters["away"] = &clientcmdapi.Cluster{Server: "https://127.0.0.1:1"}
	config.AuthInfos["away"] = config.AuthInfos["renew-all@csr-onboard"].DeepCopy()
	config.Contexts["away"] = &clientcmdapi.Context{Cluster: "away", AuthInfo: "away"}
	// The same entry at a server that is away, which comes first.
	config.Contexts["a-away"] = &clientcmdapi.Context{Cluster: "away", AuthInfo: context.AuthInfo}
	config.CurrentContext = "a-away"
	if err := clientcmd.WriteToFile(*config, s.path("config")); err != nil {
		t.Fatal(err)
	}
	result := s.run("renew", "--all")
	s.check(result, expect{1, []string{"not renewed: away", "cannot be reached"}})
	if result.Stdout != "a-second renewed\n" {
		t.Errorf("standard output is %q", result.Stdout)
	}
	if !strings.Contains(result.Stderr, "not renewed: a-away: ") {
		t.Errorf("it does not say that a-away was tried:\n%s", result.Stderr)
	}
	after := s.load("config")
	after.CurrentContext = "renew-all@csr-onboard"
	delete(after.AuthInfos, "away")
	delete(after.AuthInfos, "token")
	if err := clientcmd.WriteToFile(*after, s.path("config")); err != nil {
		t.Fatal(err)
	}
	checkRenewed(s, before)
}

// TestRenew_RenewKilledAtRandomMoments kills renew at random moments: whatever it was doing,
// the kubeconfig logs in with the pair that is in it. What is kept aside until then is proven by
// TestRenewalPromise_ARunThatIsKilledBeforeTheProofKeepsThePairBefore, where the new one fails.
func TestRenew_RenewKilledAtRandomMoments(t *testing.T) {
	s := ending(t, "renew-killed")
	client := s.client()
	approvesRequestsOf(t, client, "renew-killed")
	byFile := ending(t, "renew-killed-files")
	approvesRequestsOf(t, client, "renew-killed-files")
	config := byFile.load("config")
	user := config.AuthInfos["renew-killed-files@csr-onboard"]
	byFile.write("mine.crt", string(user.ClientCertificateData))
	byFile.write("mine.key", string(user.ClientKeyData))
	user.ClientCertificateData, user.ClientKeyData = nil, nil
	user.ClientCertificate, user.ClientKey = "mine.crt", "mine.key"
	if err := clientcmd.WriteToFile(*config, byFile.path("config")); err != nil {
		t.Fatal(err)
	}
	cached := ending(t, "renew-killed-cached")
	approvesRequestsOf(t, client, "renew-killed-cached")
	cached.must("renew", "--exec", "--within", "1m")

	killed, renewals := 0, 0
	for i := 0; killed < killings(); i++ {
		one := []*session{s, byFile, cached}[i%3]
		whole := 400 * time.Millisecond
		if one == cached {
			whole = 200 * time.Millisecond
		}
		before := one.certificate("config").SHA256()
		if one.env.KillAfter(t, time.Duration(rand.Int64N(int64(whole))), "renew", "--expiration", "10m") { //nolint:gosec // Nothing secret.
			killed++
		}
		if !cmp.Equal(before, one.certificate("config").SHA256()) {
			renewals++
		}
		if whoami := one.kubectl("auth", "whoami", "-o", "jsonpath={.status.userInfo.username}"); !strings.HasPrefix(whoami.Stdout, "renew-killed") {
			t.Fatalf("after %d kills nobody logs in: %q\n%s", killed, whoami.Stdout, whoami.Stderr)
		}
	}
	t.Logf("%d runs were killed, and %d put a new certificate into the kubeconfig", killed, renewals)
	for _, one := range []*session{s, byFile, cached} {
		// What the last killed run submitted is collected, and can end in the second
		// that the certificate before it ends.
		one.must("renew", "--expiration", "10m")
		before := one.certificate("config")
		one.must("renew", "--expiration", "20m")
		checkRenewed(one, before)
		nothingWaits(one)
		err := filepath.Walk(one.path("."), func(path string, _ os.FileInfo, err error) error {
			if strings.HasSuffix(path, ".tmp") || strings.HasSuffix(path, ".lock") {
				t.Errorf("%s is left", path)
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
	}
	for _, object := range submittedBy(t, client, "renew-killed") {
		if state := request.StateOf(request.Of(&object)); state != request.Issued && state != request.Approved {
			t.Errorf("%s is %s", object.Name, state)
		}
	}
}
