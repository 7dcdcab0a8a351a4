package e2e

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/pki"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/requestfile"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/store"
	"github.com/csr-onboard/kubectl-csr-onboard/test/controlplane"
	"github.com/csr-onboard/kubectl-csr-onboard/test/program"
)

// impostor is an attacker's API server: it says of everybody that they are one user.
type impostor struct {
	*httptest.Server
	// calls counts what was asked of it.
	calls atomic.Int64
}

func newImpostor(t *testing.T, user string) *impostor {
	t.Helper()
	i := &impostor{}
	i.Server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		i.calls.Add(1)
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusCreated)
		_ = json.NewEncoder(w).Encode(&authenticationv1.SelfSubjectReview{
			TypeMeta: metav1.TypeMeta{APIVersion: "authentication.k8s.io/v1", Kind: "SelfSubjectReview"},
			Status:   authenticationv1.SelfSubjectReviewStatus{UserInfo: authenticationv1.UserInfo{Username: user}},
		})
	}))
	t.Cleanup(i.Close)
	return i
}

// authority is the CA of the impostor's certificate, in PEM.
func (i *impostor) authority() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: i.Certificate().Raw})
}

// newAuthority is a certificate authority of nobody's cluster.
func newAuthority(t *testing.T, name string) *authority {
	t.Helper()
	return selfSigned(t, &x509.Certificate{Subject: pkix.Name{CommonName: name}})
}

func (a *authority) pem() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.certificate.Raw})
}

// handedOff is a user with a handoff of a plane in the file "handoff", and what approve
// said.
func handedOff(t *testing.T, plane *controlplane.Plane, name string) (user *session, approved program.Result) {
	t.Helper()
	admin, user := newSession(t, plane), withoutCluster(t, plane)
	user.must("new-user", name, "-g", "dev", "--offline", "--dir", ".")
	bring(user, admin, name+".csr")
	approved = admin.must(append(admin.byFingerprint(name+".csr"), "--out", "handoff")...)
	bring(admin, user, "handoff")
	return user, approved
}

// byFingerprint are the words that approve a request in a file by the fingerprint of its
// key, also where the cluster knows the user already.
func (s *session) byFingerprint(file string) []string {
	s.t.Helper()
	objects, err := requestfile.Parse(s.read(file), request.DefaultLifetime)
	if err != nil || len(objects) != 1 {
		s.t.Fatalf("%d requests in %s, %v", len(objects), file, err)
	}
	return []string{"approve", "-f", file, "--yes", "--fingerprint", request.ReviewOf(objects[0]).Fingerprint}
}

// confirmed are the flags that confirm the certificate authority of a plane's server.
func confirmed(t *testing.T, plane *controlplane.Plane) []string {
	t.Helper()
	config, err := plane.RESTConfig()
	if err != nil {
		t.Fatal(err)
	}
	authorities, err := pki.ParseAuthorities(config.CAData)
	if err != nil || len(authorities) != 1 {
		t.Fatalf("the plane has %d authorities, %v", len(authorities), err)
	}
	return []string{"--ca-fingerprint", pki.AuthorityFingerprint(authorities[0])}
}

// exchange changes cluster, user and context of the file "handoff".
func (s *session) exchange(change func(cluster *clientcmdapi.Cluster, user *clientcmdapi.AuthInfo, context *clientcmdapi.Context)) {
	s.t.Helper()
	config := s.load("handoff")
	context := config.Contexts[config.CurrentContext]
	change(config.Clusters[context.Cluster], config.AuthInfos[context.AuthInfo], context)
	if err := clientcmd.WriteToFile(*config, s.path("handoff")); err != nil {
		s.t.Fatal(err)
	}
}

// refusesHandoff expects fetch to refuse the handoff, with nothing written.
func (s *session) refusesHandoff(name string, want expect, flags ...string) {
	s.t.Helper()
	s.check(s.run(append([]string{"fetch", name, "--from", "handoff", "--dir", "."}, flags...)...), want)
	if _, exists := s.readIfThere(name + ".kubeconfig"); exists {
		s.t.Error("a kubeconfig was written")
	}
}

func TestEndpoints_AnExchangedEndpointOfAHandoffIsNotBelieved(t *testing.T) {
	user, approved := handedOff(t, shared, "endpoint-exchanged")
	evil := newImpostor(t, "endpoint-exchanged")
	user.exchange(func(cluster *clientcmdapi.Cluster, _ *clientcmdapi.AuthInfo, _ *clientcmdapi.Context) {
		cluster.Server, cluster.CertificateAuthorityData = evil.URL, evil.authority()
	})
	user.refusesHandoff("endpoint-exchanged", expect{2, []string{evil.URL, pki.AuthorityFingerprint(evil.Certificate()), "no terminal is available", "--ca-fingerprint"}})

	_, command, _ := strings.Cut(approved.Stderr, "the user runs:")
	_, fingerprint, hasFingerprint := strings.Cut(command, "--ca-fingerprint ")
	if fingerprint, _, _ = strings.Cut(fingerprint, "\n"); !hasFingerprint || !strings.Contains(approved.Stderr, "fingerprint of the CA:   "+fingerprint) {
		t.Fatalf("approve does not say the command with the CA's fingerprint:\n%s", approved.Stderr)
	}
	user.refusesHandoff("endpoint-exchanged", expect{5, []string{"another certificate authority (CA) than --ca-fingerprint says"}}, "--ca-fingerprint", fingerprint)

	t.Run("with a certificate of the attacker's CA", func(t *testing.T) {
		attacker := newAuthority(t, "kubernetes-of-somebody-else")
		user.exchange(func(cluster *clientcmdapi.Cluster, login *clientcmdapi.AuthInfo, _ *clientcmdapi.Context) {
			certificate, err := pki.ParseCertificate(login.ClientCertificateData)
			if err != nil {
				t.Fatal(err)
			}
			login.ClientCertificateData = attacker.sign(t, certificate.User(), certificate.Leaf.PublicKey, time.Now().Add(-time.Minute), time.Now().Add(time.Hour))
			cluster.CertificateAuthorityData = append(attacker.pem(), evil.authority()...)
		})
		user.refusesHandoff("endpoint-exchanged", expect{2, []string{"--ca-fingerprint"}})
		user.refusesHandoff("endpoint-exchanged", expect{5, []string{"another certificate authority"}}, "--ca-fingerprint", fingerprint)
	})
	if calls := evil.calls.Load(); calls > 0 {
		t.Errorf("the attacker's server was asked %d times", calls)
	}
}

func TestEndpoints_AFingerprintOfACAIsComparedWhole(t *testing.T) {
	user, approved := handedOff(t, shared, "endpoint-whole")
	_, command, _ := strings.Cut(approved.Stderr, "--ca-fingerprint ")
	fingerprint, _, _ := strings.Cut(command, "\n")
	other := strings.Repeat("A", 43)
	for _, wrong := range []string{"SHA256:", "SHA256", other[:20], fingerprint[:20], fingerprint + "A", "SHA1:" + other} {
		user.refusesHandoff("endpoint-whole", expect{2, []string{"ca-fingerprint"}}, "--ca-fingerprint", wrong)
	}
	user.refusesHandoff("endpoint-whole", expect{5, []string{"ca-fingerprint"}}, "--ca-fingerprint", "SHA256:"+other)
	user.refusesHandoff("endpoint-whole", expect{2, []string{"--ca-fingerprint"}}, "--ca-fingerprint", "")
	user.refusesHandoff("endpoint-whole", expect{5, []string{"another certificate authority"}}, "--ca-fingerprint", fingerprint, "--ca-fingerprint", "SHA256:"+other)
	user.check(user.run("fetch", "endpoint-whole", "--ca-fingerprint", fingerprint), expect{2, []string{"--ca-fingerprint does nothing without --from"}})
	user.refusesHandoff("endpoint-whole", expect{5, []string{"it names the API server " + shared.Server + ", and --server another"}}, "--ca-fingerprint", fingerprint, "--server", "https://127.0.0.1:1")
	user.refusesHandoff("endpoint-whole", expect{2, []string{"--tls-server-name does nothing with the handoff"}}, "--ca-fingerprint", fingerprint, "--tls-server-name", "x")
	fetched := user.must("fetch", "endpoint-whole", "--from", "handoff", "--dir", ".", "--ca-fingerprint", fingerprint, "--server", shared.Server)
	if strings.Contains(fetched.Stderr, "was not confirmed") || !strings.Contains(fetched.Stderr, "logged in") {
		t.Errorf("fetch says\n%s", fetched.Stderr)
	}
}

// TestEndpoints_AHandoffOfOneCANeedsNoFlag has a cluster as kubeadm makes it: one CA for server and
// clients.
func TestEndpoints_AHandoffOfOneCANeedsNoFlag(t *testing.T) {
	t.Parallel()
	plane := controlplane.Start(t, controlplane.WithOneAuthority())
	const name = "endpoint-kubeadm"
	user, _ := handedOff(t, plane, name)
	fetched := user.must("fetch", name, "--from", "handoff", "--dir", ".")
	for _, text := range []string{plane.Server, "fingerprint " + confirmed(t, plane)[1], "it has signed the certificate", "warning: the CA was not confirmed", "--ca-fingerprint", "logged in"} {
		if !strings.Contains(fetched.Stderr, text) {
			t.Errorf("fetch does not say %q:\n%s", text, fetched.Stderr)
		}
	}
	if err := os.Remove(user.path(name + ".kubeconfig")); err != nil {
		t.Fatal(err)
	}
	evil := newImpostor(t, name)
	original := user.read("handoff")
	for about, change := range map[string]func(*clientcmdapi.Cluster){
		"server and CA": func(cluster *clientcmdapi.Cluster) {
			cluster.Server, cluster.CertificateAuthorityData = evil.URL, evil.authority()
		},
		"server and one more CA": func(cluster *clientcmdapi.Cluster) {
			cluster.Server, cluster.CertificateAuthorityData = evil.URL, append(cluster.CertificateAuthorityData, evil.authority()...)
		},
	} {
		t.Run(about, func(t *testing.T) {
			user.write("handoff", string(original))
			user.exchange(func(cluster *clientcmdapi.Cluster, _ *clientcmdapi.AuthInfo, _ *clientcmdapi.Context) {
				change(cluster)
			})
			user.refusesHandoff(name, expect{2, []string{"--ca-fingerprint"}})
			user.refusesHandoff(name, expect{5, []string{"another certificate authority"}}, confirmed(t, plane)...)
		})
	}
	t.Run("the server alone", func(*testing.T) {
		user.write("handoff", string(original))
		user.exchange(func(cluster *clientcmdapi.Cluster, _ *clientcmdapi.AuthInfo, _ *clientcmdapi.Context) {
			cluster.Server = evil.URL
		})
		user.refusesHandoff(name, expect{1, []string{"is not trusted"}})
	})
	if calls := evil.calls.Load(); calls > 0 {
		t.Errorf("the attacker's server was asked %d times", calls)
	}
}

// TestEndpoints_AServerWithACAOfItsOwnIsConfirmed has a cluster as k3s and Rancher have it: clients and
// server have different authorities.
func TestEndpoints_AServerWithACAOfItsOwnIsConfirmed(t *testing.T) {
	const name = "endpoint-k3s"
	server := newImpostor(t, name)
	withOwnCA := func(t *testing.T) *session {
		user, _ := handedOff(t, shared, name)
		user.exchange(func(cluster *clientcmdapi.Cluster, _ *clientcmdapi.AuthInfo, _ *clientcmdapi.Context) {
			cluster.Server, cluster.CertificateAuthorityData = server.URL, server.authority()
		})
		return user
	}
	fingerprint := pki.AuthorityFingerprint(server.Certificate())
	t.Run("by the flag", func(t *testing.T) {
		withOwnCA(t).must("fetch", name, "--from", "handoff", "--dir", ".", "--ca-fingerprint", fingerprint)
	})
	for typed, want := range map[string]int{"y\r": 0, "n\r": 1, "\r": 1, ctrlC: 130} {
		t.Run("at a terminal, typing "+strings.TrimSpace(typed), func(t *testing.T) {
			user := withOwnCA(t)
			before := server.calls.Load()
			screen, code := atTerminal(t, user, "that the administrator told you", typed, "fetch", name, "--from", "handoff", "--dir", ".")
			if code != want || !strings.Contains(screen, fingerprint) || !strings.Contains(screen, server.URL) {
				t.Errorf("exit code %d, want %d\n%s", code, want, screen)
			}
			if _, exists := user.readIfThere(name + ".kubeconfig"); exists != (want == 0) {
				t.Errorf("a kubeconfig was written: %v", exists)
			}
			if asked := server.calls.Load() > before; asked != (want == 0) {
				t.Errorf("the server was asked: %v", asked)
			}
		})
	}
}

func TestEndpoints_WhatAHandoffMaySayOnlyWithAFlag(t *testing.T) {
	user, _ := handedOff(t, shared, "endpoint-flags")
	original, confirmed := user.read("handoff"), confirmed(t, shared)
	for _, test := range []struct {
		about   string
		change  func(cluster *clientcmdapi.Cluster, context *clientcmdapi.Context)
		want    expect
		accepts []string
	}{
		{"a server that is not verified", func(cluster *clientcmdapi.Cluster, _ *clientcmdapi.Context) {
			cluster.CertificateAuthorityData, cluster.InsecureSkipTLSVerify = nil, true
		}, expect{2, []string{"--insecure-skip-tls-verify"}}, []string{"--insecure-skip-tls-verify"}},
		{"a CA that is not checked", func(cluster *clientcmdapi.Cluster, _ *clientcmdapi.Context) {
			cluster.InsecureSkipTLSVerify = true
		}, expect{1, []string{"skips the check"}}, nil},
		{"the system's CAs", func(cluster *clientcmdapi.Cluster, _ *clientcmdapi.Context) {
			cluster.CertificateAuthorityData = nil
		}, expect{2, []string{"--server URL"}}, []string{"--server", shared.Server, "--verify-login=false"}},
		{"a proxy", func(cluster *clientcmdapi.Cluster, _ *clientcmdapi.Context) {
			cluster.ProxyURL = "http://127.0.0.1:1"
		}, expect{2, []string{"it names a proxy", "--proxy-url http://127.0.0.1:1"}}, append([]string{"--proxy-url", "http://127.0.0.1:1"}, confirmed...)},
		{"a proxy with a password", func(cluster *clientcmdapi.Cluster, _ *clientcmdapi.Context) {
			cluster.ProxyURL = "http://eve:secret@127.0.0.1:1"
		}, expect{1, []string{"user name or a password"}}, nil},
		{"a namespace with an escape", func(_ *clientcmdapi.Cluster, context *clientcmdapi.Context) {
			context.Namespace = "dev\x1b[2J"
		}, expect{1, []string{`invalid namespace "dev\x1b[2J"`}}, nil},
	} {
		t.Run(test.about, func(t *testing.T) {
			user.write("handoff", string(original))
			user.exchange(func(cluster *clientcmdapi.Cluster, _ *clientcmdapi.AuthInfo, context *clientcmdapi.Context) {
				test.change(cluster, context)
			})
			user.refusesHandoff("endpoint-flags", test.want)
			if test.accepts == nil {
				return
			}
			user.must(append([]string{"fetch", "endpoint-flags", "--from", "handoff", "--dir", "."}, test.accepts...)...)
			if err := os.Remove(user.path("endpoint-flags.kubeconfig")); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// TestEndpoints_AForeignKubeconfigDoesNotTakeACacheOver has a kubeconfig of an attacker, whose user
// logs in from somebody else's credential cache.
func TestEndpoints_AForeignKubeconfigDoesNotTakeACacheOver(t *testing.T) {
	s := cached(t, "endpoint-cache")
	evil := newImpostor(t, "endpoint-cache")
	for about, change := range map[string]func(*clientcmdapi.Cluster){
		"another server and CA": func(cluster *clientcmdapi.Cluster) {
			cluster.Server, cluster.CertificateAuthorityData = evil.URL, evil.authority()
		},
		"another server":          func(cluster *clientcmdapi.Cluster) { cluster.Server = evil.URL },
		"another CA":              func(cluster *clientcmdapi.Cluster) { cluster.CertificateAuthorityData = evil.authority() },
		"another tls-server-name": func(cluster *clientcmdapi.Cluster) { cluster.TLSServerName = "kubernetes" },
		"a proxy":                 func(cluster *clientcmdapi.Cluster) { cluster.ProxyURL = "http://127.0.0.1:1" },
		"no check": func(cluster *clientcmdapi.Cluster) {
			cluster.Server, cluster.CertificateAuthorityData, cluster.InsecureSkipTLSVerify = evil.URL, nil, true
		},
	} {
		t.Run(about, func(t *testing.T) {
			foreign := s.load("config")
			for _, cluster := range foreign.Clusters {
				change(cluster)
			}
			if err := clientcmd.WriteToFile(*foreign, s.path("foreign.kc")); err != nil {
				t.Fatal(err)
			}
			before := s.read(s.inHome(s.cache(), "kubeconfig"))
			for _, arguments := range [][]string{
				{"renew"}, {"renew", "--all"}, {"renew", "--exec"}, {"renew", "--force"}, {"renew", "--wait=false"},
			} {
				s.check(s.run(append(arguments, "--kubeconfig", "foreign.kc")...), expect{1, []string{"was created for the API server", "--move-cache"}})
			}
			status := s.must("status", "--kubeconfig", "foreign.kc", "-o", "json")
			if strings.Contains(status.Stdout, `"live": "yes"`) {
				t.Errorf("status believes the attacker's server:\n%s", status.Stdout)
			}
			if !bytes.Equal(before, s.read(s.inHome(s.cache(), "kubeconfig"))) {
				t.Error("the cache was changed")
			}
		})
	}
	if calls := evil.calls.Load(); calls > 0 {
		t.Errorf("the attacker's server was asked %d times", calls)
	}
	if who := s.whoami(); who.Stdout != "endpoint-cache" {
		t.Errorf("exit code %d: %q\n%s", who.Code, who.Stdout, who.Stderr)
	}
}

// inHome is an absolute path as one in the session's directory.
func (s *session) inHome(parts ...string) string {
	s.t.Helper()
	path, err := filepath.Rel(s.env.Directory, filepath.Join(parts...))
	if err != nil {
		s.t.Fatal(err)
	}
	return path
}

func TestEndpoints_ARenewedPairSurvivesAFetch(t *testing.T) {
	const name = "later-pair"
	for about, test := range map[string]struct {
		first, again []string
		file         string
	}{
		"in a kubeconfig of its own": {
			[]string{"new-user", name, "-g", "dev", "--approve", "--renewable", "--dir", "D", "--expiration", "1h"},
			[]string{"fetch", name, "--dir", "D"}, "D/" + name + ".kubeconfig",
		},
		"by the credential plugin": {
			[]string{"new-user", name, "-g", "dev", "--approve", "--renewable", "--dir", "D", "--expiration", "1h"},
			[]string{"fetch", name, "--dir", "D", "--exec"}, "D/" + name + ".kubeconfig",
		},
		"among other entries": {
			[]string{"new-user", name, "-g", "dev", "--approve", "--renewable", "--dir", "D", "--expiration", "1h", "--merge"},
			[]string{"fetch", name, "--dir", "D", "--merge"}, "config",
		},
	} {
		t.Run(about, func(t *testing.T) {
			s := merging(t)
			s.must(test.first...)
			approvesRequestsOf(t, s.client(), name)
			s.must("renew", name+"@csr-onboard", "--kubeconfig", test.file, "--expiration", "2h")
			renewed := s.read(test.file)
			s.check(s.run(test.again...), expect{1, []string{"certificate for another key that expires later", "it was kept", "--overwrite"}})
			if !bytes.Equal(renewed, s.read(test.file)) {
				t.Error("the renewed pair is gone")
			}
			s.must(append(test.again, "--overwrite")...)
			if bytes.Equal(renewed, s.read(test.file)) {
				t.Error("--overwrite changed nothing")
			}
		})
	}
}

func TestEndpoints_ARenewedPairSurvivesTheOtherWaysToReplaceIt(t *testing.T) {
	const name = "later-pair-other"
	s := newSession(t, shared)
	s.must("new-user", name, "-g", "dev", "--approve", "--renewable", "--dir", "D", "--expiration", "1h", "--exec")
	s.env.Kubeconfig = s.path("D", name+".kubeconfig")
	approvesRequestsOf(t, s.client(), name)
	s.must("renew", "--expiration", "2h")
	exec := s.read("D", name+".kubeconfig")
	admin := s.admin()

	t.Run("fetch without the credential plugin", func(t *testing.T) {
		s.check(admin.run("fetch", name, "--dir", "D"), expect{1, []string{"expires later", "--overwrite"}})
		if !bytes.Equal(exec, s.read("D", name+".kubeconfig")) {
			t.Error("the kubeconfig does not log in from the cache any more")
		}
	})
	t.Run("a cache of a server that does not answer", func(t *testing.T) {
		const name = "later-pair-away"
		user, _ := handedOff(t, shared, name)
		user.exchange(func(cluster *clientcmdapi.Cluster, _ *clientcmdapi.AuthInfo, _ *clientcmdapi.Context) {
			cluster.Server = "https://127.0.0.1:1"
		})
		fetch := append([]string{"fetch", name, "--from", "handoff", "--dir", ".", "--exec"}, confirmed(t, shared)...)
		user.must(fetch...)
		var cache store.CredentialCache
		for _, login := range user.load(name + ".kubeconfig").AuthInfos {
			cache = store.CredentialCacheAt(login.Exec.Args[2])
		}
		config := user.loadFrom(cache.KubeconfigPath())
		for _, login := range config.AuthInfos {
			login.ClientCertificateData, login.ClientKeyData = laterPair(t, name)
		}
		if err := clientcmd.WriteToFile(*config, cache.KubeconfigPath()); err != nil {
			t.Fatal(err)
		}
		user.check(user.run(fetch...), expect{1, []string{"expires later", "unknown whether it logs in"}})
		if diff := cmp.Diff(config.AuthInfos, user.loadFrom(cache.KubeconfigPath()).AuthInfos, cmpopts.IgnoreFields(clientcmdapi.AuthInfo{}, "LocationOfOrigin")); diff != "" {
			t.Errorf("the cache was changed:\n%s", diff)
		}
	})
	t.Run("a certificate alone", func(t *testing.T) {
		later, _ := laterPair(t, name)
		s.write("D/"+name+".crt", string(later))
		s.check(admin.run("fetch", name, "--dir", "D", "--certificate-only"), expect{1, []string{"expires later", "--overwrite"}})
		if !bytes.Equal(later, s.read("D", name+".crt")) {
			t.Error("the certificate was replaced")
		}
		admin.must("fetch", name, "--dir", "D", "--certificate-only", "--overwrite")
	})
}

// laterPair is a certificate that is valid for longer than those the tests ask for, and its
// key.
func laterPair(t *testing.T, name string) (certificate, encodedKey []byte) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if encodedKey, err = pki.EncodeKey(key); err != nil {
		t.Fatal(err)
	}
	user := identity.User{Name: name, Groups: []string{"dev"}}
	return authorityFor(t, shared).sign(t, user, key.Public(), time.Now().Add(-time.Hour), time.Now().Add(1000*time.Hour)), encodedKey
}
