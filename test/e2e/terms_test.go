package e2e

import (
	"bytes"
	"context"
	"os"
	"strings"
	"testing"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/pki"
)

func TestTerms_ARequestUnderANameOfOnesOwnIsFoundByItsUser(t *testing.T) {
	s := newSession(t, shared)
	submitted := s.must("new-user", "nora", "-g", "dev", "--request-name", "team-blue.nora", "--dir", "D")
	if got := objectName(submitted.Stdout); got != "team-blue.nora" {
		t.Fatalf("the request's name is %q", got)
	}
	if want := "kubectl csr-onboard fetch team-blue.nora --dir D"; !strings.Contains(submitted.Stderr, want) {
		t.Errorf("what to do next does not hold %q:\n%s", want, submitted.Stderr)
	}
	again := s.must("new-user", "nora", "-g", "dev", "--request-name", "team-blue.nora", "--dir", "D")
	if !strings.Contains(again.Stdout, "unchanged") {
		t.Errorf("run again it says %q", again.Stdout)
	}
	s.must("approve", "nora", "--yes")
	s.must("fetch", "nora", "--dir", "D")

	// By the request's name, in a place of its own: as somebody who cannot list.
	s.must("fetch", "team-blue.nora", "--dir", "D", "--out", s.path("second.kubeconfig"))
	whoami := s.kubectl("--kubeconfig", s.path("second.kubeconfig"), "auth", "whoami", "-o", "jsonpath={.status.userInfo.username}")
	if whoami.Stdout != "nora" {
		t.Errorf("whoami says %q\n%s", whoami.Stdout, whoami.Stderr)
	}

	// Another key under the same name is another request.
	s.check(s.run("new-user", "nora", "-g", "dev", "--request-name", "team-blue.nora", "--dir", "E"),
		expect{5, []string{`certificate signing request "team-blue.nora" was not created with this key`}})
}

func TestTerms_TwoRequestsForOneKeyAreToldApartByTheirNames(t *testing.T) {
	s := newSession(t, shared)
	s.must("new-user", "nadja", "--request-name", "nadja-one", "--dir", "D")
	s.must("new-user", "nadja", "--request-name", "nadja-two", "--dir", "D")
	s.check(s.run("fetch", "nadja", "--dir", "D"), expect{2, []string{
		`2 certificate signing requests are for the key of "nadja"`, "hint: name the one that is meant: kubectl csr-onboard fetch nadja-one"}})
	s.must("approve", "nadja-two", "--yes")
	s.must("fetch", "nadja-two", "--dir", "D")
}

func TestTerms_AnotherSignerSignsWhatItWasAskedFor(t *testing.T) {
	const signer = "example.com/user-signer"
	s := newSession(t, shared)
	submitted := s.must("new-user", "noel", "-g", "dev", "--signer-name", signer, "--dir", "D")
	object := s.object(submitted.Stdout)
	if object.Spec.SignerName != signer {
		t.Fatalf("the signer is %q", object.Spec.SignerName)
	}
	if want := "approve " + object.Name + " --allow foreign-signer"; !strings.Contains(submitted.Stderr, want) {
		t.Errorf("what to do next does not hold %q:\n%s", want, submitted.Stderr)
	}
	s.check(s.run("approve", object.Name, "--yes"), expect{6, []string{"is refused: foreign-signer"}})
	s.must("approve", object.Name, "--allow", "foreign-signer", "--yes")

	unanswered := s.run("fetch", "noel", "--dir", "D", "--timeout", "1s")
	s.check(unanswered, expect{124, []string{object.Name}})
	s.signAs(object.Name)
	fetched := s.must("fetch", "noel", "--dir", "D")
	if want := "logged in: the cluster knows the holder as noel (dev, system:authenticated)"; !strings.Contains(fetched.Stderr, want) {
		t.Errorf("fetch does not say %q:\n%s", want, fetched.Stderr)
	}
}

func TestTerms_AWholeRunWithAnotherSignerWaitsForThatOne(t *testing.T) {
	const signer = "example.com/user-signer"
	s := newSession(t, shared)
	stop := s.signEverything(signer)
	s.must("new-user", "nick", "--signer-name", signer, "--approve", "--dir", "D")
	s.write("team.csv", "name,groups\nnatasha,dev\nnigel,dev\n")
	s.must("new-user", "-f", "team.csv", "--signer-name", signer, "--approve", "--dir", "T")
	stop()
	for _, user := range []string{"natasha", "nigel"} {
		whoami := s.kubectl("--kubeconfig", s.path("T", user+".kubeconfig"), "auth", "whoami", "-o", "jsonpath={.status.userInfo.username}")
		if whoami.Stdout != user {
			t.Errorf("whoami says %q, want %q\n%s", whoami.Stdout, user, whoami.Stderr)
		}
	}
}

// signAs plays the signer of a request: it stores a certificate of the cluster's
// authority.
func (s *session) signAs(name string) {
	s.t.Helper()
	requests := s.client().CertificatesV1().CertificateSigningRequests()
	object, err := requests.Get(s.t.Context(), name, metav1.GetOptions{})
	if err != nil {
		s.t.Fatal(err)
	}
	if err := s.sign(object); err != nil {
		s.t.Fatal(err)
	}
}

func (s *session) sign(object *certificatesv1.CertificateSigningRequest) error {
	certificate, err := os.ReadFile(s.plane.CertificateAuthority)
	if err != nil {
		return err
	}
	key, err := os.ReadFile(strings.TrimSuffix(s.plane.CertificateAuthority, ".crt") + ".key")
	if err != nil {
		return err
	}
	authority, err := pki.NewAuthority(certificate, key, nil, time.Now())
	if err != nil {
		return err
	}
	request, err := pki.ParseRequest(object.Spec.Request)
	if err != nil {
		return err
	}
	signed, err := authority.Sign(request, time.Hour, time.Now())
	if err != nil {
		return err
	}
	object.Status.Certificate = signed.PEM
	_, err = s.client().CertificatesV1().CertificateSigningRequests().UpdateStatus(context.Background(), object, metav1.UpdateOptions{})
	return err
}

// signEverything plays a signer until it is stopped.
func (s *session) signEverything(signer string) (stop func()) {
	s.t.Helper()
	ctx, cancel := context.WithCancel(s.t.Context())
	watch, err := s.client().CertificatesV1().CertificateSigningRequests().Watch(ctx, metav1.ListOptions{FieldSelector: "spec.signerName=" + signer})
	if err != nil {
		s.t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() {
		for event := range watch.ResultChan() {
			object, isRequest := event.Object.(*certificatesv1.CertificateSigningRequest)
			if !isRequest || len(object.Status.Certificate) > 0 || len(object.Status.Conditions) == 0 {
				continue
			}
			if err := s.sign(object); err != nil {
				ended <- err
				return
			}
		}
		ended <- nil
	}()
	return func() {
		cancel()
		if err := <-ended; err != nil {
			s.t.Errorf("the signer: %v", err)
		}
	}
}

func TestTerms_TheCertificateAloneIsWrittenAndReplacesNothingElse(t *testing.T) {
	s := newSession(t, shared)
	s.must("new-user", "nils", "-g", "dev", "--dir", "D")
	s.must("approve", "nils", "--yes")
	fetched := s.must("fetch", "nils", "--dir", "D", "--certificate-only")
	if want := "D/nils.crt\n"; fetched.Stdout != want {
		t.Errorf("it printed %q, want %q", fetched.Stdout, want)
	}
	written := s.read("D", "nils.crt")
	certificate, err := pki.ParseCertificate(written)
	if err != nil || certificate.User().Name != "nils" {
		t.Fatalf("what was written: %v, %v", certificate, err)
	}
	if _, exists := s.readIfThere("D", "nils.kubeconfig"); exists {
		t.Error("there is a kubeconfig as well")
	}
	if bytes.Contains(written, []byte("PRIVATE")) {
		t.Error("the private key is in it")
	}
	s.must("fetch", "nils", "--dir", "D", "--certificate-only")
	if out := s.must("fetch", "nils", "--dir", "D", "--certificate-only", "--out", "-"); out.Stdout != string(written) {
		t.Errorf("on standard output it is\n%s", out.Stdout)
	}
	report := s.must("fetch", "nils", "--dir", "D", "--certificate-only", "-o", "json")
	if want := `"certificateFile": "D/nils.crt"`; !strings.Contains(report.Stdout, want) {
		t.Errorf("the report does not hold %s:\n%s", want, report.Stdout)
	}
	s.write("other", "not a certificate\n")
	s.check(s.run("fetch", "nils", "--dir", "D", "--certificate-only", "--out", s.path("other")),
		expect{1, []string{"already exists, and is not a certificate of \"nils\""}})
	if kept := string(s.read("other")); kept != "not a certificate\n" {
		t.Errorf("the other file is %q now", kept)
	}
	approved := s.must("new-user", "ninon", "--approve", "--certificate-only", "--dir", "D")
	if want := "D/ninon.crt\n"; approved.Stdout != want {
		t.Errorf("new-user --approve printed %q, want %q", approved.Stdout, want)
	}
}
