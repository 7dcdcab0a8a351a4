package e2e

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"strings"
	"testing"

	certificatesv1 "k8s.io/api/certificates/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/pki"
)

// makeByHand creates and approves a request as the Kubernetes documentation teaches it:
// an RSA key as openssl genrsa writes it, a request of openssl req, a manifest with the
// usage "client auth", and kubectl certificate approve. It returns key and request in PEM.
func makeByHand(s *session, name string, groups ...string) (key, request string) {
	s.t.Helper()
	made, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		s.t.Fatal(err)
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: name, Organization: groups}}, made)
	if err != nil {
		s.t.Fatal(err)
	}
	key = string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(made)}))
	request = string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}))
	_, err = s.client().CertificatesV1().CertificateSigningRequests().Create(context.Background(), &certificatesv1.CertificateSigningRequest{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: certificatesv1.CertificateSigningRequestSpec{
			Request: []byte(request), SignerName: certificatesv1.KubeAPIServerClientSignerName, Usages: []certificatesv1.KeyUsage{certificatesv1.UsageClientAuth},
		},
	}, metav1.CreateOptions{})
	if err != nil {
		s.t.Fatal(err)
	}
	if approved := s.kubectl("certificate", "approve", name); approved.Code != 0 {
		s.t.Fatal(approved.Stderr)
	}
	return key, request
}

func TestByHand_ARequestMadeByHandIsCompleted(t *testing.T) {
	for _, test := range []struct {
		name, user string
		flags      []string
		// inDirectory puts key and request where new-user would have put them.
		inDirectory bool
	}{
		{"key and request are named", "by-hand-both", []string{"--key", "my.pem", "--request-name", "by-hand-both"}, false},
		{"the key is named", "by-hand-key", []string{"--key", "my.pem"}, false},
		{"the request is named", "by-hand-name", []string{"--request-name", "by-hand-name"}, true},
		{"the files have the user's name", "by-hand-files", nil, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newSession(t, shared)
			key, request := makeByHand(s, test.user, "dev")
			if test.inDirectory {
				s.write(test.user+".key", key)
				s.write(test.user+".csr", request)
			} else {
				s.write("my.pem", key)
			}
			arguments := append([]string{"fetch", test.user, "--dir", "."}, test.flags...)
			for range 2 {
				if fetched := s.must(arguments...); fetched.Stdout != test.user+".kubeconfig\n" {
					t.Errorf("it prints %q", fetched.Stdout)
				}
			}
			whoami := s.kubectl("--kubeconfig", test.user+".kubeconfig", "auth", "whoami", "-o", "jsonpath={.status.userInfo.username} {.status.userInfo.groups}")
			if whoami.Stdout != test.user+` ["dev","system:authenticated"]` {
				t.Errorf("logged in as %q\n%s", whoami.Stdout, whoami.Stderr)
			}
		})
	}
}

func TestByHand_ARequestMadeByHandForAnotherKeyOrUserIsNotCompleted(t *testing.T) {
	s := newSession(t, shared)
	key, _ := makeByHand(s, "by-hand-mine")
	s.write("mine.pem", key)
	makeByHand(s, "by-hand-theirs")
	unused, err := pki.NewKey(pki.DefaultKeyAlgorithm)
	if err != nil {
		t.Fatal(err)
	}
	encoded, err := pki.EncodeKey(unused)
	if err != nil {
		t.Fatal(err)
	}
	s.write("unused.pem", string(encoded))
	fetch := func(arguments ...string) []string { return append([]string{"fetch", "--dir", "D"}, arguments...) }
	for _, test := range []struct {
		arguments []string
		want      expect
	}{
		{fetch("by-hand-theirs", "--key", "mine.pem", "--request-name", "by-hand-theirs"), expect{5, []string{"was not created with this key: it is for the key SHA256:", "hint: somebody else created it"}}},
		{fetch("by-hand-other", "--key", "mine.pem", "--request-name", "by-hand-mine"), expect{2, []string{`is for the user "by-hand-mine", not for "by-hand-other"`, "fetch by-hand-mine"}}},
		{fetch("by-hand-mine", "--key", "mine.pem", "--request-name", "by-hand-none"), expect{4, []string{"by-hand-none"}}},
		{fetch("by-hand-theirs", "--key", "mine.pem"), expect{2, []string{`is for the user "by-hand-mine", not for "by-hand-theirs"`}}},
		{fetch("by-hand-mine", "--key", "unused.pem"), expect{4, []string{"certificate signing request for the key SHA256:"}}},
		{fetch("by-hand-mine", "--key", "none.pem"), expect{2, []string{`--key "none.pem"`}}},
		{fetch("by-hand-mine", "--key", ""), expect{2, []string{"--key is empty"}}},
		{fetch("by-hand-mine", "--key", "mine.pem", "--from", "x"), expect{2, []string{"--key and --from exclude each other"}}},
		// Without the flags, the hint names them.
		{fetch("by-hand-mine"), expect{1, []string{"hint: name the file with the private key", "fetch by-hand-mine --key FILE --request-name by-hand-mine"}}},
	} {
		s.check(s.run(test.arguments...), test.want)
		if found, exists := s.readIfThere("D", "by-hand-mine.kubeconfig"); exists || strings.Contains(found, "client-key-data") {
			t.Errorf("%q wrote a kubeconfig", test.arguments)
		}
	}
}
