package e2e

import (
	"context"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"strings"
	"testing"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/pki"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
	"github.com/csr-onboard/kubectl-csr-onboard/test/controlplane"
	"github.com/csr-onboard/kubectl-csr-onboard/test/hostile"
)

// The API server lets a signer store any certificate. Nothing that a certificate says is
// believed, and one that is not what was asked for is used nowhere.

// forgeries are what a signer can put into a certificate, and what the program says of it.
func forgeries(t *testing.T) map[string]struct {
	forge hostile.Forgery
	says  string
} {
	t.Helper()
	another, err := pki.NewKey(pki.DefaultKeyAlgorithm)
	if err != nil {
		t.Fatal(err)
	}
	return map[string]struct {
		forge hostile.Forgery
		says  string
	}{
		"another-key":  {func(_ *x509.Certificate, key *any) { *key = another.Public() }, "the certificate is for another key: SHA256:"},
		"another-user": {func(c *x509.Certificate, _ *any) { c.Subject.CommonName = "mallory" }, "the certificate is for O=dev, CN=mallory, not for "},
		"two-users": {func(c *x509.Certificate, _ *any) {
			for _, name := range []string{c.Subject.CommonName, "mallory"} {
				c.Subject.ExtraNames = append(c.Subject.ExtraNames, pkix.AttributeTypeAndValue{Type: asn1.ObjectIdentifier{2, 5, 4, 3}, Value: name})
			}
		}, "the certificate is for "},
		"masters": {func(c *x509.Certificate, _ *any) {
			c.Subject.Organization = append(c.Subject.Organization, "system:masters")
		}, "system:masters"},
		"fewer-groups":   {func(c *x509.Certificate, _ *any) { c.Subject.Organization = nil }, "the certificate is for "},
		"authority":      {func(c *x509.Certificate, _ *any) { c.IsCA, c.KeyUsage = true, x509.KeyUsageCertSign }, "the certificate is a CA certificate"},
		"server":         {func(c *x509.Certificate, _ *any) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} }, "extended key usage is not client authentication alone"},
		"server-as-well": {func(c *x509.Certificate, _ *any) { c.ExtKeyUsage = append(c.ExtKeyUsage, x509.ExtKeyUsageServerAuth) }, "extended key usage is not client authentication alone"},
		"no-usage":       {func(c *x509.Certificate, _ *any) { c.ExtKeyUsage = nil }, "the certificate has no extended key usage"},
		"expired": {func(c *x509.Certificate, _ *any) {
			c.NotBefore, c.NotAfter = c.NotBefore.Add(-time.Hour), c.NotBefore.Add(-time.Minute)
		}, "the certificate expired "},
		"not-yet": {func(c *x509.Certificate, _ *any) { c.NotBefore = time.Now().Add(30 * time.Minute) }, "the certificate is not valid before "},
	}
}

// signsForged signs every request that is approved on a session's plane, with the forgery
// that is named behind the first dot of the user's name.
func signsForged(t *testing.T, s *session, by map[string]hostile.Forgery) {
	t.Helper()
	authority := authorityFor(t, s.plane)
	certifies(t, s, func(asked *pki.Request) []byte {
		user := asked.User()
		_, name, _ := strings.Cut(user.Name, ".")
		begin, end := time.Now().Add(-time.Minute), time.Now().Add(time.Hour)
		if forge := by[name]; forge != nil {
			return authority.sign(t, user, asked.PublicKey, begin, end, forge)
		}
		return authority.sign(t, user, asked.PublicKey, begin, end)
	})
}

// certifies stores a certificate for every request that is approved on a session's plane,
// until the test ends.
func certifies(t *testing.T, s *session, certificate func(asked *pki.Request) []byte) {
	t.Helper()
	client := s.client()
	watchesRequests(t, client, func(ctx context.Context, object *certificatesv1.CertificateSigningRequest) error {
		if request.StateOf(request.Of(object)) != request.Approved {
			return nil
		}
		asked, err := pki.DecodeRequest(object.Spec.Request)
		if err != nil {
			return err
		}
		object.Status.Certificate = certificate(asked)
		_, err = client.CertificatesV1().CertificateSigningRequests().UpdateStatus(ctx, object, metav1.UpdateOptions{})
		return err
	})
}

func TestBadSigner_ACertificateThatWasNotAskedForIsUsedNowhere(t *testing.T) {
	t.Parallel()
	plane := controlplane.Start(t, controlplane.WithoutControllerManager())
	s := newSession(t, plane)
	by := map[string]hostile.Forgery{}
	for name, forgery := range forgeries(t) {
		by[name] = forgery.forge
	}
	signsForged(t, s, by)
	for name, forgery := range forgeries(t) {
		t.Run(name, func(t *testing.T) {
			s := newSession(t, plane)
			refused := expect{1, []string{"the certificate in certificate signing request", "cannot be used: ", forgery.says, "hint: "}}
			s.check(s.run("new-user", "direct."+name, "-g", "dev", "--approve", "--dir", "D"), refused)

			s.must("new-user", "fetched."+name, "-g", "dev", "--dir", "D")
			s.must("approve", "fetched."+name, "--yes")
			// Whether it logs in would say the same of some of them.
			s.check(s.run("fetch", "fetched."+name, "--dir", "D", "--verify-login=false"), refused)
			s.check(s.run("fetch", "fetched."+name, "--dir", "D", "--verify-login=false", "--merge"), refused)

			s.must("new-user", "handed."+name, "-g", "dev", "--offline", "--dir", "D")
			s.check(s.run(append(s.byFingerprint("D/handed."+name+".csr"), "--out", "handoff")...), refused)
			if _, exists := s.readIfThere("handoff"); exists {
				t.Error("a handoff was written")
			}

			s.write("team.yaml", teamHeader+"- {name: member."+name+", groups: [dev]}\n- {name: honest-"+name+", groups: [dev]}\n")
			result := s.run("new-user", "-f", "team.yaml", "--approve", "--dir", "D", "--verify-login=false")
			s.check(result, expect{1, []string{"not onboarded: member." + name, forgery.says, "1 onboarded, 1 not onboarded"}})
			if listing := s.listing("D"); strings.Count(listing, ".kubeconfig\n") != 1 || !strings.Contains(listing, "honest-"+name+".kubeconfig\n") {
				t.Errorf("other kubeconfigs were written than the one of the user whose certificate is good:\n%s", listing)
			}
		})
		t.Run(name+"/renew", func(t *testing.T) {
			user := identity.User{Name: "renewed." + name, Groups: []string{"dev"}}
			s := holder(t, plane, user, time.Now().Add(-time.Hour), time.Now().Add(8*time.Minute))
			approvesRequestsOf(t, s.client(), user.Name)
			before := string(s.read("config"))
			s.check(s.run("renew"), expect{1, []string{"cannot be used: ", forgery.says, "to request another: kubectl csr-onboard renew " + user.Name + "@csr-onboard --force"}})
			if string(s.read("config")) != before {
				t.Error("the kubeconfig was changed")
			}
			if who := whoIs(t, s.path("config")); who != user.Name {
				t.Errorf("the present certificate logs in as %q", who)
			}
		})
	}
}

// TestBadSigner_WhatIsNoCertificateIsNotWritten has a front exchange the certificate: the API
// server stores no text of another kind.
func TestBadSigner_WhatIsNoCertificateIsNotWritten(t *testing.T) {
	s := newSession(t, shared)
	key, err := pki.NewKey(pki.DefaultKeyAlgorithm)
	if err != nil {
		t.Fatal(err)
	}
	encoded, err := pki.EncodeKey(key)
	if err != nil {
		t.Fatal(err)
	}
	s.must("new-user", "no-certificate", "--dir", "D")
	s.must("approve", "no-certificate", "--yes")
	front := s.behindFront()
	for about, text := range map[string][]byte{"no PEM": []byte("\x1b[2Jhello"), "a private key": encoded, "an authority": authorityFor(t, shared).pem()} {
		front.Follow(&hostile.Rule{Do: hostile.Edit(hostile.Certified(text))})
		result := s.run("fetch", "no-certificate", "--dir", "D")
		s.check(result, expect{1, []string{"cannot be used: "}})
		if strings.Contains(result.Stderr, "\x1b") || strings.Contains(result.Stderr, "BEGIN") {
			t.Errorf("%s is printed:\n%s", about, result.Stderr)
		}
		if listing := s.listing("D"); strings.Contains(listing, ".kubeconfig\n") {
			t.Errorf("with %s a kubeconfig was written:\n%s", about, listing)
		}
	}
	front.Follow()
	s.must("fetch", "no-certificate", "--dir", "D")
}
