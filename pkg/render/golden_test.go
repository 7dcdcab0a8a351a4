package render

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"flag"
	"io"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/access"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/pki"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
)

var update = flag.Bool("update", false, "write testdata/*.golden as the program prints it now")

// golden is a text that is compared with testdata/NAME.golden: parts, each below a line that says
// what it is about.
type golden struct {
	name string
	text strings.Builder
}

// add prints a part. The golden file shows an escape character, and the end of a line that
// has blanks before it, in a form that editors keep.
func (g *golden) add(t *testing.T, about string, print func(io.Writer) error) {
	t.Helper()
	var printed bytes.Buffer
	if err := print(&printed); err != nil {
		t.Errorf("%s: %v", about, err)
	}
	g.text.WriteString("# " + about + "\n" + strings.ReplaceAll(strings.ReplaceAll(printed.String(), "\x1b", "<ESC>"), " \n", " <END>\n") + "\n")
}

func (g *golden) compare(t *testing.T) {
	t.Helper()
	path := filepath.Join("testdata", g.name+".golden")
	if *update {
		if err := os.WriteFile(path, []byte(g.text.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	wanted, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	got, want := strings.Split(g.text.String(), "\n"), strings.Split(string(wanted), "\n")
	for i := range max(len(got), len(want)) {
		if i >= len(got) || i >= len(want) || got[i] != want[i] {
			t.Fatalf("%s:%d:\n got %q\nwant %q\n(go test ./pkg/render -update writes what is printed now)", path, i+1, got[i:min(i+1, len(got))], want[i:min(i+1, len(want))])
		}
	}
}

// forms are those of which every golden file has one.
var forms = []string{"json", "yaml"}

// now is the time in every golden file.
var now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func clock() time.Time { return now }

const (
	// hostile is what somebody may call anything, to clear a screen, to turn text around, or to
	// begin a line of their own.
	hostile = "jane\x1b[2J\u202eenaj\nerror: x"
	// hidden are the characters of it that must not reach a terminal.
	hidden = "\x1b\u202e"
)

// keyOf is always the same key for a number.
func keyOf(number byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{number}, ed25519.SeedSize))
}

// object is a pending request, submitted by the user sam an hour ago.
func object(t *testing.T, name string, user identity.User, change func(*certificatesv1.CertificateSigningRequest)) *request.Request {
	t.Helper()
	wanted, err := pki.NewRequest(keyOf(1), user)
	if err != nil {
		t.Fatal(err)
	}
	built := request.Build(wanted, request.Terms{Lifetime: 8 * time.Hour, Signer: request.Signer})
	stored := built.DeepCopy()
	stored.Name, stored.UID, stored.ResourceVersion = name, "5f1f7a9e-0000-4000-8000-000000000001", "17"
	stored.CreationTimestamp = metav1.NewTime(now.Add(-time.Hour))
	stored.Spec.Username, stored.Spec.Groups = "sam", []string{"leads", authenticated}
	if change != nil {
		change(stored)
	}
	return request.Of(stored)
}

const authenticated = "system:authenticated"

func jane() identity.User {
	return identity.User{Name: "jane", Groups: []string{"developers", "on call"}}
}

// hasCondition decides a request.
func hasCondition(kind certificatesv1.RequestConditionType, message string) func(*certificatesv1.CertificateSigningRequest) {
	return func(o *certificatesv1.CertificateSigningRequest) {
		o.Status.Conditions = append(o.Status.Conditions, certificatesv1.CertificateSigningRequestCondition{
			Type: kind, Status: corev1.ConditionTrue, Reason: "ByTest", Message: message, LastUpdateTime: metav1.NewTime(now.Add(-time.Minute)),
		})
	}
}

// certificateOf is a certificate for a user from a day ago until notAfter, always the same one.
func certificateOf(t *testing.T, user identity.User, notAfter time.Time) *pki.Certificate {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(0x2f), Subject: pkix.Name{CommonName: user.Name, Organization: user.Groups},
		NotBefore: now.Add(-24 * time.Hour), NotAfter: notAfter,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, &x509.Certificate{Subject: pkix.Name{CommonName: "kubernetes"}}, keyOf(1).Public(), keyOf(2))
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := pki.ParseCertificate(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	if err != nil {
		t.Fatal(err)
	}
	return certificate
}

// reviews are requests in every state, and with everything that a review can say.
func reviews(t *testing.T) []*request.Review {
	t.Helper()
	signed := certificateOf(t, jane(), now.Add(7*time.Hour)).PEM
	all := []*request.Review{
		request.ReviewOf(object(t, "jane-pending", jane(), nil)),
		request.ReviewOf(object(t, "jane-approved", jane(), hasCondition(certificatesv1.CertificateApproved, "approved by sam"))),
		request.ReviewOf(object(t, "jane-denied", jane(), hasCondition(certificatesv1.CertificateDenied, "ask\x1b[2J first"))),
		request.ReviewOf(object(t, "jane-issued", jane(), func(o *certificatesv1.CertificateSigningRequest) {
			hasCondition(certificatesv1.CertificateApproved, "")(o)
			o.Status.Certificate = signed
		})),
		request.ReviewOf(object(t, "jane-ended", jane(), func(o *certificatesv1.CertificateSigningRequest) {
			hasCondition(certificatesv1.CertificateApproved, "")(o)
			o.Status.Certificate = certificateOf(t, jane(), now.Add(-time.Hour)).PEM
		})),
		request.ReviewOf(object(t, "admin", identity.User{Name: "system:admin", Groups: []string{"system:masters"}}, func(o *certificatesv1.CertificateSigningRequest) {
			o.Spec.ExpirationSeconds = nil
			o.Spec.Usages = append(o.Spec.Usages, certificatesv1.UsageServerAuth)
		})),
		request.ReviewOf(object(t, "hostile", identity.User{Name: hostile, Groups: []string{"a,b", hostile}}, func(o *certificatesv1.CertificateSigningRequest) {
			o.Spec.Username, o.Spec.SignerName, o.Spec.Usages = hostile, hostile, []certificatesv1.KeyUsage{hostile}
			hasCondition(certificatesv1.CertificateFailed, hostile)(o)
		})),
		request.ReviewOf(object(t, "long", identity.User{Name: strings.Repeat("long", 40), Groups: []string{strings.Repeat("group", 40)}}, nil)),
		request.ReviewOf(request.Of(&certificatesv1.CertificateSigningRequest{
			ObjectMeta: metav1.ObjectMeta{Name: "unreadable", CreationTimestamp: metav1.NewTime(now.Add(-48 * time.Hour))},
			Spec:       certificatesv1.CertificateSigningRequestSpec{Request: []byte("text"), SignerName: request.Signer},
		})),
	}
	accepted := request.ReviewOf(object(t, "accepted", identity.User{Name: "system:jane"}, nil))
	accepted.ShowAllowed([]string{identity.SystemUser})
	renewed := request.ReviewOf(object(t, "jane-renewed", jane(), func(o *certificatesv1.CertificateSigningRequest) {
		o.Spec.Username, o.Spec.Groups = jane().Name, []string{"developers", "on call", authenticated}
		o.Spec.Extra = map[string]certificatesv1.ExtraValue{"authentication.kubernetes.io/credential-id": {"X509SHA256=" + strings.Repeat("ab", 32)}}
	}))
	file := request.ReviewOfFile(object(t, "", jane(), nil), "in/"+hostile+".csr")
	unchecked := request.ReviewOf(object(t, "jane-unchecked", jane(), nil))
	unchecked.NotChecked = "known-user: forbidden"
	unchecked.Holdings = []access.Certificates{{User: "jane", Live: 2, Until: now.Add(24 * time.Hour), Revoked: 1}, {User: hostile}}
	renewed.Holdings = []access.Certificates{{User: "jane", Live: 1, Until: now.Add(time.Hour)}}
	return append(all, renewed, file, unchecked, accepted)
}

// checkHidden fails if a character is printed that a terminal obeys or hides.
func checkHidden(t *testing.T, about, printed string) {
	t.Helper()
	if strings.ContainsAny(printed, hidden) || strings.Contains(printed, "\nerror: x") {
		t.Errorf("%s: it is printed as it came: %q", about, printed)
	}
}
