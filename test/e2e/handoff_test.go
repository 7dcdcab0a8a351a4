package e2e

import (
	"bytes"
	"encoding/base64"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/pki"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
	"github.com/csr-onboard/kubectl-csr-onboard/test/controlplane"
	"github.com/csr-onboard/kubectl-csr-onboard/test/program"
)

// withoutCluster is a person at another machine who has no kubeconfig.
func withoutCluster(t *testing.T, plane *controlplane.Plane) *session {
	t.Helper()
	s := newSession(t, plane)
	s.env.Kubeconfig = ""
	return s
}

// bring copies a file from one person's machine to another's.
func bring(from, to *session, file string) {
	from.t.Helper()
	if err := os.WriteFile(to.path(file), from.read(file), 0o600); err != nil {
		from.t.Fatal(err)
	}
}

func TestHandoff_AHandoffKeepsTheKeyWhereItWasMade(t *testing.T) {
	admin, user := newSession(t, shared), withoutCluster(t, shared)
	made := program.Run(t, withoutSockets(t, user.command("new-user", "hanna", "-g", "dev", "--offline", "--dir", ".")))
	if made.Code != 0 || made.Stdout != "hanna.csr\n" {
		t.Fatalf("exit code %d\n%s%s", made.Code, made.Stdout, made.Stderr)
	}
	_, fingerprint, _ := strings.Cut(made.Stderr, "over another channel:")
	fingerprint, _, _ = strings.Cut(strings.TrimSpace(fingerprint), "\n")
	if !strings.Contains(made.Stderr, "approve -f hanna.csr --fingerprint "+fingerprint+" --out hanna.handoff.yaml\n") {
		t.Errorf("the administrator's command is not said:\n%s", made.Stderr)
	}

	bring(user, admin, "hanna.csr")
	admin.check(admin.run("approve", "-f", "hanna.csr", "--yes", "--fingerprint", "SHA256:"+strings.Repeat("A", 43)), expect{5, []string{`the request in "hanna.csr" is for the key SHA256:`}})
	approved := admin.must("approve", "-f", "hanna.csr", "--fingerprint", fingerprint, "--out", "hanna.handoff.yaml", "--external-server", "https://127.0.0.1:1", "--yes")
	bring(admin, user, "hanna.handoff.yaml")
	fetch := append([]string{"fetch", "hanna", "--from", "hanna.handoff.yaml", "--dir", "."}, confirmed(t, shared)...)
	unreached := user.must(fetch...)
	if !strings.Contains(unreached.Stderr, "warning: it is unknown whether the certificate logs in: ") || !strings.Contains(unreached.Stderr, "warning: it has not been tried") {
		t.Errorf("that the cluster cannot be reached is not said:\n%s", unreached.Stderr)
	}

	again := admin.must("approve", "-f", "hanna.csr", "--out", "hanna.handoff.yaml", "--yes")
	if again.Stdout != approved.Stdout {
		t.Errorf("the second run printed %q, the first %q", again.Stdout, approved.Stdout)
	}
	bring(admin, user, "hanna.handoff.yaml")
	fetched := user.must(fetch...)
	if fetched.Stdout != "hanna.kubeconfig\n" || !strings.Contains(fetched.Stderr, "logged in: the cluster knows the holder as hanna (dev, system:authenticated)") {
		t.Errorf("fetch printed %q\n%s", fetched.Stdout, fetched.Stderr)
	}
	if name := selfSubjectReview(t, clientOf(t, user.path("hanna.kubeconfig"))); name != "hanna" {
		t.Errorf("the user is logged in as %q", name)
	}

	// Everything that left their machine.
	key := user.read("hanna.key")
	block, _ := pem.Decode(key)
	secrets := [][]byte{[]byte("PRIVATE"), block.Bytes, []byte(base64.StdEncoding.EncodeToString(block.Bytes)[8:60]), key[40:90]}
	for name, left := range map[string][]byte{
		"hanna.csr": user.read("hanna.csr"), "hanna.handoff.yaml": admin.read("hanna.handoff.yaml"),
		"what was printed": []byte(made.Stdout + made.Stderr + fetched.Stdout + fetched.Stderr),
	} {
		for _, secret := range secrets {
			if bytes.Contains(left, secret) {
				t.Errorf("%s holds the private key", name)
			}
		}
	}
}

func TestHandoff_TheSandboxKillsWhatOpensASocket(t *testing.T) {
	s := newSession(t, shared)
	if result := program.Run(t, withoutSockets(t, s.command("list"))); result.Code == 0 {
		t.Error("a command that needs the cluster succeeded")
	}
}

func TestHandoff_RequestsOfOtherProgramsAreWelcome(t *testing.T) {
	foreign := filepath.Join("..", "fixture", "foreign")
	for _, test := range []struct {
		file  string
		user  string
		allow []string
	}{
		{"openssl.csr", "olivia", nil},
		{"openssl-der.p10", "olaf", nil},
		{"openssl-new-header.csr", "oscar", nil},
		{"cfssl.csr", "cfssl-user", nil},
		{"keytool.csr", "amy", nil},
		{"kubeadm-admin.csr", "kubernetes-admin", []string{"admin-group"}},
		{"step.csr", "stepuser", []string{"sans-present"}},
		{"certtool.csr", "gert", []string{"outside-pem", "unexpected-extension"}},
	} {
		t.Run(test.file, func(t *testing.T) {
			s := newSession(t, shared)
			data, err := os.ReadFile(filepath.Join(foreign, test.file))
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(s.path(test.file), data, 0o600); err != nil {
				t.Fatal(err)
			}
			arguments := append(s.byFingerprint(test.file), "--out", "out.yaml")
			if len(test.allow) > 0 {
				s.check(s.run(arguments...), expect{6, []string{test.file + `" is refused: ` + strings.Join(test.allow, ", ")}})
			}
			for _, name := range test.allow {
				arguments = append(arguments, "--allow", name)
			}
			approved := s.must(arguments...)
			if user := request.ReviewOf(s.object(approved.Stdout)).User.Name; user != test.user {
				t.Errorf("the user is %q", user)
			}
			config, err := clientcmd.LoadFromFile(s.path("out.yaml"))
			if err != nil {
				t.Fatal(err)
			}
			for _, user := range config.AuthInfos {
				certificate, err := pki.ParseCertificate(user.ClientCertificateData)
				if err != nil || certificate.User().Name != test.user || len(user.ClientKeyData) > 0 {
					t.Errorf("the handoff holds %v, %v", certificate, err)
				}
			}
		})
	}
}

func TestHandoff_WhatCanBeSentToBeApproved(t *testing.T) {
	s, user := newSession(t, shared), withoutCluster(t, shared)
	manifest := user.must("new-user", "hilde", "--offline", "--dir", ".", "-o", "yaml", "--expiration", "8h").Stdout
	json := user.must("new-user", "hugo", "--offline", "--dir", ".", "-o", "json").Stdout
	user.must("new-user", "heidi", "--offline", "--dir", ".")
	write := func(name, content string) {
		if err := os.MkdirAll(filepath.Dir(s.path(name)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(s.path(name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	crlf := strings.ReplaceAll(string(user.read("heidi.csr")), "\n", "\r\n")
	write("in/hilde.yaml", manifest+"---\n"+json)
	write("in/heidi.csr", crlf)
	write("in/broken.csr", crlf[:100])
	write("in/notes.txt", "no request")
	write("in/old.handoff.yaml", "no request")

	result := s.run("approve", "-f", "in", "--yes", "--out", "out/")
	s.check(result, expect{1, []string{
		`error: no certificate signing request in "in/broken.csr": complete PEM block not found`,
		`warning: not read in "in", by their names: "notes.txt", "old.handoff.yaml"; to read one, name it: --filename FILE`,
	}})
	if strings.Count(result.Stdout, " approved\n") != 3 {
		t.Errorf("it prints\n%s", result.Stdout)
	}
	for _, name := range []string{"hilde", "hugo", "heidi"} {
		if _, exists := s.readIfThere("out", name+".handoff.yaml"); !exists {
			t.Errorf("there is no handoff for %s", name)
		}
	}
	if lifetime := request.LifetimeOf(s.object(strings.Split(result.Stdout, "\n")[1])); lifetime.Hours() != 8 {
		t.Errorf("the manifest's lifetime became %s", lifetime)
	}

	user.must("new-user", "hedwig", "--offline", "--dir", ".")
	piped := s.command("approve", "-f", "-", "--yes", "--out", "-")
	piped.Stdin = bytes.NewReader(user.read("hedwig.csr"))
	if handoff := program.Run(t, piped); handoff.Code != 0 || !strings.HasPrefix(handoff.Stdout, "# This is for hedwig: ") {
		t.Errorf("exit code %d\n%s%s", handoff.Code, handoff.Stdout, handoff.Stderr)
	}

	write("key.csr", string(user.read("hedwig.csr"))+string(user.read("hedwig.key")))
	s.check(s.run("approve", "-f", "key.csr", "--yes"), expect{1, []string{"it holds a private key", "hint: a private key must stay with its owner"}})
	write("pod.yaml", "apiVersion: v1\nkind: Pod\n")
	s.check(s.run("approve", "-f", "pod.yaml", "--yes"), expect{1, []string{`its kind is "Pod" of "v1"`}})
	write("extra.yaml", strings.Replace(manifest, "\nspec:\n", "\nspec:\n  reqest: x\n", 1))
	s.check(s.run("approve", "-f", "extra.yaml", "--yes"), expect{1, []string{`unknown field "reqest"`}})
	write("masters.yaml", strings.ReplaceAll(manifest, "kube-apiserver-client", "kube-apiserver-client-kubelet"))
	s.check(s.run("approve", "-f", "masters.yaml", "--yes"), expect{5, []string{"already exists and is another one: the signer is not the same"}})
	if preview := s.must("approve", "-f", "in/heidi.csr", "--dry-run=client", "-o", "json"); !strings.Contains(preview.Stdout, `"state": "Issued"`) {
		t.Errorf("the dry run prints\n%s", preview.Stdout)
	}
}

func TestHandoff_AnApprovalFromAFileGoesOnWhereItWas(t *testing.T) {
	t.Parallel()
	plane := controlplane.Start(t, controlplane.WithoutControllerManager())
	admin, user := newSession(t, plane), withoutCluster(t, plane)
	user.must("new-user", "herta", "--offline", "--dir", ".")
	bring(user, admin, "herta.csr")
	if preview := admin.must("approve", "-f", "herta.csr", "--dry-run=client"); !strings.HasPrefix(preview.Stdout, "certificate signing request in herta.csr\n") {
		t.Errorf("the dry run prints\n%s", preview.Stdout)
	}
	admin.must("approve", "-f", "herta.csr", "--dry-run=server", "--yes")
	if listed := admin.must("list", "-o", "name").Stdout; listed != "" {
		t.Errorf("a dry run made %s", listed)
	}
	admin.check(admin.run("approve", "-f", "herta.csr", "--yes", "--out", "herta.yaml", "--timeout", "1s"), expect{124, []string{"approved, but no signer has answered", "hint: no certificate was received; to continue to wait: kubectl csr-onboard approve herta-"}})
	if err := plane.StartComponent(t.Context(), controlplane.ControllerManager); err != nil {
		t.Fatal(err)
	}
	admin.must("approve", "-f", "herta.csr", "--yes", "--out", "herta.yaml")
	bring(admin, user, "herta.yaml")
	user.must(append([]string{"fetch", "herta", "--from", "herta.yaml", "--dir", "."}, confirmed(t, plane)...)...)

	if err := os.WriteFile(admin.path("notes.yaml"), []byte("apiVersion: v1\nkind: Config\nclusters: [{name: other, cluster: {server: x}}]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	user.must("new-user", "holger", "--offline", "--dir", ".")
	bring(user, admin, "holger.csr")
	admin.check(admin.run("approve", "-f", "holger.csr", "--yes", "--out", "notes.yaml"), expect{1, []string{`the kubeconfig "notes.yaml" already exists, and its cluster "other" would be lost`}})
	if listed := admin.must("list", "-o", "name").Stdout; strings.Contains(listed, "holger") {
		t.Error("the request was submitted although its handoff cannot be written")
	}
}

func TestHandoff_AHandoffThatIsNotRightIsRefused(t *testing.T) {
	t.Parallel()
	admin, user := newSession(t, shared), withoutCluster(t, shared)
	handoffOf := func(name string) *clientcmdapi.Config {
		user.must("new-user", name, "--offline", "--dir", name, "-g", "dev")
		if err := os.WriteFile(admin.path(name+".csr"), user.read(name, name+".csr"), 0o600); err != nil {
			t.Fatal(err)
		}
		admin.must("approve", "-f", name+".csr", "--yes", "--out", name+".yaml")
		config, err := clientcmd.LoadFromFile(admin.path(name + ".yaml"))
		if err != nil {
			t.Fatal(err)
		}
		return config
	}
	own, other := handoffOf("irma"), handoffOf("ilse")
	forged := strings.NewReplacer("dev", "ops")
	elsewhere := newSession(t, controlplane.Start(t))
	elsewhere.must("new-user", "irma", "--approve", "--dir", ".")
	elsewhereConfig, err := clientcmd.LoadFromFile(elsewhere.path("irma.kubeconfig"))
	if err != nil {
		t.Fatal(err)
	}
	theOnly := func(config *clientcmdapi.Config) (*clientcmdapi.Cluster, *clientcmdapi.AuthInfo) {
		context := config.Contexts[config.CurrentContext]
		return config.Clusters[context.Cluster], config.AuthInfos[context.AuthInfo]
	}
	_, othersUser := theOnly(other)
	elsewhereCluster, _ := theOnly(elsewhereConfig)
	for _, test := range []struct {
		about  string
		change func(cluster *clientcmdapi.Cluster, user *clientcmdapi.AuthInfo)
		want   string
	}{
		{"another user's", func(_ *clientcmdapi.Cluster, user *clientcmdapi.AuthInfo) {
			user.ClientCertificateData = othersUser.ClientCertificateData
		}, "the certificate is for another key: "},
		{"forged", func(_ *clientcmdapi.Cluster, user *clientcmdapi.AuthInfo) {
			user.ClientCertificateData = changed(t, user.ClientCertificateData, func(der []byte) { der[len(der)-5] ^= 1 })
		}, `logging in as "irma" failed: `},
		{"with other groups", func(_ *clientcmdapi.Cluster, user *clientcmdapi.AuthInfo) {
			user.ClientCertificateData = changed(t, user.ClientCertificateData, func(der []byte) { copy(der, forged.Replace(string(der))) })
		}, "the certificate is for "},
		{"of another cluster", func(cluster *clientcmdapi.Cluster, _ *clientcmdapi.AuthInfo) {
			cluster.Server, cluster.CertificateAuthorityData = elsewhereCluster.Server, elsewhereCluster.CertificateAuthorityData
		}, "another certificate authority (CA) than --ca-fingerprint says"},
		{"of another address", func(cluster *clientcmdapi.Cluster, _ *clientcmdapi.AuthInfo) {
			cluster.Server = elsewhereCluster.Server
		}, "the certificate of " + elsewhereCluster.Server + " is not trusted"},
		{"with a program in it", func(_ *clientcmdapi.Cluster, user *clientcmdapi.AuthInfo) {
			user.Exec = &clientcmdapi.ExecConfig{Command: "/bin/true", APIVersion: "client.authentication.k8s.io/v1", InteractiveMode: clientcmdapi.NeverExecInteractiveMode}
		}, "another way to log in besides the certificate"},
		{"with a key in it", func(_ *clientcmdapi.Cluster, user *clientcmdapi.AuthInfo) {
			user.ClientKeyData = []byte("key")
		}, "it contains a private key, which only the user should have"},
		{"with a file in it", func(cluster *clientcmdapi.Cluster, _ *clientcmdapi.AuthInfo) {
			cluster.CertificateAuthorityData, cluster.CertificateAuthority = nil, "/etc/passwd"
		}, "or names a file"},
		{"without TLS", func(cluster *clientcmdapi.Cluster, _ *clientcmdapi.AuthInfo) {
			cluster.Server = "http://127.0.0.1:1"
		}, "invalid server: it must be a URL that begins with https://"},
	} {
		t.Run(test.about, func(t *testing.T) {
			config := own.DeepCopy()
			test.change(theOnly(config))
			encoded, err := clientcmd.Write(*config)
			if err != nil {
				t.Fatal(err)
			}
			refusesHandoff(t, user, string(encoded), test.want)
		})
	}
	whole := string(admin.read("irma.yaml"))
	refusesHandoff(t, user, whole[:len(whole)/2], `the handoff "-" cannot be used: `)
	refusesHandoff(t, user, "", "it has 0 clusters, 0 users and 0 contexts")
	user.check(user.run("fetch", "irma", "--from", "missing.yaml", "--dir", "irma"), expect{1, []string{`"missing.yaml": no such file or directory`}})
	user.check(user.run("fetch", "nobody", "--from", admin.path("irma.yaml"), "--dir", "irma"), expect{1, []string{`private key of "nobody" not found`}})
}

// TestHandoff_AForgedCertificateIsRefusedWithoutACluster has the cluster's authority, which is
// in the handoff, not have signed the certificate, and nobody there to log in to.
func TestHandoff_AForgedCertificateIsRefusedWithoutACluster(t *testing.T) {
	t.Parallel()
	plane := controlplane.Start(t, controlplane.WithOneAuthority())
	user, _ := handedOff(t, plane, "forgery")
	genuine := string(user.read("handoff"))
	key, err := pki.ParseKey(user.read("forgery.key"))
	if err != nil {
		t.Fatal(err)
	}
	for about, forged := range map[string]func(certificate []byte) []byte{
		"a signature that is broken": func(certificate []byte) []byte {
			return changed(t, certificate, func(der []byte) { der[len(der)-5] ^= 1 })
		},
		"an authority of the same name": func([]byte) []byte {
			by := namesake(t, authorityFor(t, plane))
			return by.sign(t, identity.User{Name: "forgery", Groups: []string{"dev"}}, key.Public(), time.Now().Add(-time.Minute), time.Now().Add(time.Hour))
		},
	} {
		user.write("handoff", genuine)
		user.exchange(func(cluster *clientcmdapi.Cluster, login *clientcmdapi.AuthInfo, _ *clientcmdapi.Context) {
			cluster.Server, login.ClientCertificateData = "https://127.0.0.1:1", forged(login.ClientCertificateData)
		})
		before := snapshot(t, user.path("."))
		for _, flags := range [][]string{confirmed(t, plane), append(confirmed(t, plane), "--verify-login=false")} {
			user.refusesHandoff("forgery", expect{1, []string{"as its issuer and is not signed by it", "hint: nothing was written"}}, flags...)
		}
		if after := snapshot(t, user.path(".")); after != before {
			t.Errorf("%s: the directory was %s and is %s", about, before, after)
		}
	}
	user.write("handoff", genuine)
	user.must(append([]string{"fetch", "forgery", "--from", "handoff", "--dir", "."}, confirmed(t, plane)...)...)
}

// refusesHandoff expects a handoff to be refused, and their directory to stay as it was.
func refusesHandoff(t *testing.T, user *session, handoff, want string) {
	t.Helper()
	before := snapshot(t, user.path("irma"))
	fetch := user.command(append([]string{"fetch", "irma", "--from", "-", "--dir", "irma"}, confirmed(t, shared)...)...)
	fetch.Stdin = strings.NewReader(handoff)
	code := 1
	if strings.Contains(want, "--ca-fingerprint") {
		code = 5
	}
	user.check(program.Run(t, fetch), expect{code, []string{want}})
	if after := snapshot(t, user.path("irma")); after != before {
		t.Errorf("the user's directory was %s and is %s", before, after)
	}
}

// snapshot is every file of a directory, with mode and content.
func snapshot(t *testing.T, directory string) string {
	t.Helper()
	entries, err := os.ReadDir(directory)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, entry := range entries {
		info, err := entry.Info()
		if err != nil {
			t.Fatal(err)
		}
		content, err := os.ReadFile(filepath.Join(directory, entry.Name()))
		if err != nil {
			t.Fatal(err)
		}
		b.WriteString(entry.Name() + info.Mode().String() + info.ModTime().String() + identity.Digest(20, content) + "\n")
	}
	return b.String()
}

// changed is a certificate in PEM with other bytes in it.
func changed(t *testing.T, certificate []byte, change func(der []byte)) []byte {
	t.Helper()
	block, _ := pem.Decode(certificate)
	if block == nil {
		t.Fatal("there is no certificate")
	}
	change(block.Bytes)
	return pem.EncodeToMemory(block)
}

func TestHandoff_ABareCertificateNeedsToKnowItsCluster(t *testing.T) {
	admin, user := newSession(t, shared), withoutCluster(t, shared)
	user.must("new-user", "inga", "--offline", "--dir", ".")
	bring(user, admin, "inga.csr")
	approved := admin.must("approve", "-f", "inga.csr", "--yes", "--wait")
	config, err := clientcmd.LoadFromFile(shared.Kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	for _, cluster := range config.Clusters {
		if err := os.WriteFile(user.path("ca.crt"), cluster.CertificateAuthorityData, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(user.path("inga.crt"), admin.object(approved.Stdout).Status.Certificate, 0o600); err != nil {
		t.Fatal(err)
	}
	user.check(user.run("fetch", "inga", "--from", "inga.crt", "--dir", "."), expect{2, []string{"a bare certificate does not say which cluster it is for", "--server URL and --certificate-authority FILE"}})
	fetched := user.must("fetch", "inga", "--from", "inga.crt", "--dir", ".", "--server", shared.Server, "--certificate-authority", "ca.crt", "--cluster-name", "prod")
	if !strings.Contains(fetched.Stderr, "context inga@prod") {
		t.Errorf("fetch says\n%s", fetched.Stderr)
	}
	if name := selfSubjectReview(t, clientOf(t, user.path("inga.kubeconfig"))); name != "inga" {
		t.Errorf("the user is logged in as %q", name)
	}
	user.check(user.run("fetch", "inga", "--from", "inga.kubeconfig", "--dir", ".", "--certificate-authority", "ca.crt"), expect{2, []string{"is for a bare certificate"}})
}
