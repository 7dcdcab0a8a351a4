package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/pki"
	"github.com/csr-onboard/kubectl-csr-onboard/test/controlplane"
)

// TestTeamProof_OneLoginProvesATeam has the certificates of a team be of the CA that the API
// server takes, and those of two users of one that has its name and not its key.
func TestTeamProof_OneLoginProvesATeam(t *testing.T) {
	t.Parallel()
	plane := controlplane.Start(t, controlplane.WithoutControllerManager())
	s := newSession(t, plane)
	own := authorityFor(t, plane)
	foreign := namesake(t, own)
	names := writeTeam(s, "proven", 40)
	isForeign := map[string]bool{names[3]: true, names[30]: true}
	signs(t, s, func(user string) *authority {
		if isForeign[user] {
			return foreign
		}
		return own
	})
	// Their key is of another kind, so that no login but their own proves theirs.
	s.write("team.yaml", string(s.read("team.yaml"))+"- {name: other-key, keyAlgorithm: rsa-2048}\n")

	result := s.run("new-user", "-f", "team.yaml", "--approve", "--dir", "T", "-o", "json")
	s.check(result, expect{1, []string{
		"41 users: 39 onboarded, 2 not onboarded", `not onboarded: proven-3 (line 7): logging in as "proven-3" failed`,
		"certificates like it (ECDSA P-256, of the CA ", "certificates like it (RSA 2048, of the CA ",
	}})
	logins := 0
	for _, user := range reportOf(t, result).Users {
		if user.LoggedIn {
			logins++
		}
		switch {
		case isForeign[user.Name]:
			if user.State != "failed" || user.Kubeconfig != "" || user.LoggedIn {
				t.Errorf("%+v", user)
			}
		case user.State != "fetched":
			t.Errorf("%+v", user)
		case user.Name == "other-key" && !user.LoggedIn:
			t.Error("the only certificate for an RSA key was not tried")
		default:
			if who := whoIs(t, s.path(user.Kubeconfig)); who != user.Name {
				t.Errorf("the kubeconfig of %s logs in as %q", user.Name, who)
			}
		}
	}
	// Eight are collected at once, and may all be the first.
	if logins < 2 || logins > 8+1 {
		t.Errorf("%d of 39 certificates logged in", logins)
	}

	writeTeam(s, "untried", 10)
	untried := s.must("new-user", "-f", "team.yaml", "--approve", "--dir", "T", "-o", "json", "--verify-login=false")
	if strings.Contains(untried.Stdout, "loggedIn") || strings.Contains(untried.Stderr, "certificates like it") {
		t.Errorf("%s%s", untried.Stdout, untried.Stderr)
	}
}

// TestTeamProof_WhereNothingIsKnownOfAuthoritiesEachLogsIn has somebody fetch for a team who can
// not read which authorities the API server takes.
func TestTeamProof_WhereNothingIsKnownOfAuthoritiesEachLogsIn(t *testing.T) {
	s := newSession(t, shared)
	names := writeTeam(s, "asking", 20)
	waiting := start(s.as(requester), "new-user", "-f", "team.yaml", "--dir", "T", "--wait", "-o", "json")
	s.until("all are submitted", func() bool {
		submitted := 0
		for _, object := range submittedBy(t, s.client(), requester) {
			if strings.HasPrefix(object.Name, "asking-") {
				submitted++
			}
		}
		return submitted == len(names)
	})
	s.must(append([]string{"approve", "--yes"}, names...)...)
	result := waiting.end()
	s.check(result, expect{0, []string{"20 users: 20 onboarded"}})
	for _, user := range reportOf(t, result).Users {
		if !user.LoggedIn {
			t.Errorf("%s has not logged in", user.Name)
		}
	}
}

// namesake is an authority that calls itself what another does.
func namesake(t *testing.T, other *authority) *authority {
	t.Helper()
	return selfSigned(t, &x509.Certificate{RawSubject: other.certificate.RawSubject})
}

// selfSigned is an authority of a template's subject.
func selfSigned(t *testing.T, template *x509.Certificate) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template.SerialNumber = big.NewInt(1)
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	template.IsCA, template.BasicConstraintsValid, template.KeyUsage = true, true, x509.KeyUsageCertSign
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &authority{certificate: certificate, key: key}
}

// signs signs every request that is approved on a session's plane, as the authority of
// its user, until the test ends.
func signs(t *testing.T, s *session, authorityOf func(user string) *authority) {
	t.Helper()
	certifies(t, s, func(asked *pki.Request) []byte {
		user := asked.User()
		return authorityOf(user.Name).sign(t, user, asked.PublicKey, time.Now().Add(-time.Minute), time.Now().Add(time.Hour))
	})
}
