package request

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/pki"
)

var jane = identity.User{Name: "jane", Groups: []string{"dev"}}

func newTestKey(t *testing.T) crypto.Signer {
	t.Helper()
	key, err := pki.NewKey(pki.DefaultKeyAlgorithm)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// stored is an object as the API server would have stored jane's own request,
// changed by the given mutations.
func stored(t *testing.T, key crypto.Signer, user identity.User, mutate ...func(*Request)) *Request {
	t.Helper()
	made, err := pki.NewRequest(key, user)
	if err != nil {
		t.Fatal(err)
	}
	object := Build(made, Terms{Lifetime: DefaultLifetime})
	object.UID = "uid-1"
	object.ResourceVersion = "1"
	object.Spec.Username = user.Name
	for _, change := range mutate {
		change(object)
	}
	return Of(object.CertificateSigningRequest)
}

func withCondition(kind certificatesv1.RequestConditionType, reason, message string) func(*Request) {
	return func(object *Request) {
		object.Status.Conditions = append(object.Status.Conditions, certificatesv1.CertificateSigningRequestCondition{
			Type: kind, Status: corev1.ConditionTrue, Reason: reason, Message: message,
		})
	}
}

func withCertificate(object *Request) {
	object.Status.Certificate = []byte("a certificate")
}

func TestRequest_Lifetimes(t *testing.T) {
	for _, test := range []struct {
		text string
		want time.Duration
	}{
		{"10m", 10 * time.Minute},
		{"90m", 90 * time.Minute},
		{"8h", 8 * time.Hour},
		{"30d", 30 * 24 * time.Hour},
		{"1d12h", 36 * time.Hour},
		{"600s", 10 * time.Minute},
		{"24855d", 24855 * 24 * time.Hour},
	} {
		if got, err := ParseLifetime(test.text); err != nil || got != test.want {
			t.Errorf("ParseLifetime(%q) = %v, %v; want %v", test.text, got, err, test.want)
		}
	}
	for _, text := range []string{"", "0", "0s", "9m", "599s", "-1h", "30", "1.5h", "1h1h", "h", "12h1d", "30 d", "24856d", "999999d", "9999999999s", "99999999999999999999s", "∞"} {
		if got, err := ParseLifetime(text); !errors.Is(err, outcome.ErrUsage) || outcome.Hint(err) == "" {
			t.Errorf("ParseLifetime(%q) = %v, %v; want wrong usage with a hint", text, got, err)
		}
	}
}

func TestRequest_ObjectNames(t *testing.T) {
	key, other := newTestKey(t), newTestKey(t)
	name := ObjectName(jane, key.Public())
	if name != ObjectName(jane, key.Public()) {
		t.Error("the same request has two names")
	}
	if !strings.HasPrefix(name, "jane-") || len(name) != len("jane-0123456789") {
		t.Errorf("the name is %q", name)
	}
	if ObjectName(identity.User{Name: "jane", Groups: []string{"a", "b"}}, key.Public()) != ObjectName(identity.User{Name: "jane", Groups: []string{"b", "a"}}, key.Public()) {
		t.Error("the order of groups makes another name")
	}
	for about, different := range map[string]string{
		"another key":    ObjectName(jane, other.Public()),
		"another group":  ObjectName(identity.User{Name: "jane", Groups: []string{"ops"}}, key.Public()),
		"another name":   ObjectName(identity.User{Name: "Jane", Groups: []string{"dev"}}, key.Public()),
		"another signer": objectNameFor("example.com/signer", jane, key.Public()),
		"shifted border": ObjectName(identity.User{Name: "jane", Groups: []string{"d", "ev"}}, key.Public()),
	} {
		if different == name {
			t.Errorf("%s has the same name", about)
		}
	}
	for _, user := range []string{"csr", "csr-jane", "CSR jane"} {
		if got := ObjectName(identity.User{Name: user}, key.Public()); strings.HasPrefix(got, "csr-") {
			t.Errorf("%q has the name %q, which Amazon EKS never issues for", user, got)
		}
	}
}

func TestRequest_States(t *testing.T) {
	key := newTestKey(t)
	approved := withCondition(certificatesv1.CertificateApproved, "R", "looks good")
	for _, test := range []struct {
		about   string
		mutate  []func(*Request)
		want    State
		message string
		open    bool
	}{
		{"nothing happened", nil, Pending, "", true},
		{"approved", []func(*Request){approved}, Approved, "looks good", true},
		{"signed", []func(*Request){approved, withCertificate}, Issued, "looks good", true},
		{"a certificate without an approval", []func(*Request){withCertificate}, Pending, "", true},
		{"denied", []func(*Request){withCondition(certificatesv1.CertificateDenied, "Reason", "")}, Denied, "Reason", false},
		{"failed after its approval", []func(*Request){approved, withCondition(certificatesv1.CertificateFailed, "R", "no")}, Failed, "no", false},
	} {
		object := stored(t, key, jane, test.mutate...)
		if got := StateOf(object); got != test.want {
			t.Errorf("%s: %s, want %s", test.about, got, test.want)
		}
		if got := StateMessage(object); got != test.message {
			t.Errorf("%s: message %q, want %q", test.about, got, test.message)
		}
		if err := CheckOpen(object); (err == nil) != test.open || err != nil && !errors.Is(err, outcome.ErrRejected) {
			t.Errorf("%s: CheckOpen = %v", test.about, err)
		}
	}
}

func TestRequest_CheckOwnAdoptsNothingForeign(t *testing.T) {
	key := newTestKey(t)
	for _, test := range []struct {
		about  string
		object *Request
		want   string
	}{
		{"our own", stored(t, key, jane), ""},
		{"another key", stored(t, newTestKey(t), jane), "it is for the key"},
		{"another group", stored(t, key, identity.User{Name: "jane", Groups: []string{"ops"}}), "it is for CN=jane, O=ops"},
		{"another signer", stored(t, key, jane, func(o *Request) { o.Spec.SignerName = "example.com/x" }), `the signer "example.com/x"`},
		{"more usages", stored(t, key, jane, func(o *Request) {
			o.Spec.Usages = append(slices.Clone(o.Spec.Usages), certificatesv1.UsageServerAuth)
		}), "its usages"},
		{"no request at all", stored(t, key, jane, func(o *Request) { o.Spec.Request = nil }), "PEM block not found"},
	} {
		err := CheckOwn(test.object, key.Public(), jane, Signer)
		if test.want == "" {
			if err != nil {
				t.Errorf("%s: %v", test.about, err)
			}
			continue
		}
		if !errors.Is(err, outcome.ErrChanged) || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %q in it", test.about, err, test.want)
		}
	}
}

func TestRequest_ApproveAddsOneConditionAndKeepsTheRest(t *testing.T) {
	object := stored(t, newTestKey(t), jane, withCondition("Other", "R", "M"))
	before := object.DeepCopy()
	approved := Approval().Apply(object, "by me")
	if diff := cmp.Diff(before, object.CertificateSigningRequest); diff != "" {
		t.Errorf("the reviewed object was changed:\n%s", diff)
	}
	if approved.UID != object.UID || approved.ResourceVersion != object.ResourceVersion {
		t.Error("the decision does not carry the reviewed object's UID and resourceVersion")
	}
	want := append(slices.Clone(before.Status.Conditions), certificatesv1.CertificateSigningRequestCondition{
		Type: certificatesv1.CertificateApproved, Status: corev1.ConditionTrue, Reason: "CSROnboardApproved", Message: "by me",
	})
	if diff := cmp.Diff(want, approved.Status.Conditions); diff != "" {
		t.Errorf("conditions (-want +got):\n%s", diff)
	}
}

func TestRequest_ADenialIsAnotherConditionAndState(t *testing.T) {
	denied := Of(Denial().Apply(stored(t, newTestKey(t), jane), "no"))
	if state := StateOf(denied); state != Denied || !Denial().Is(state) || Approval().Is(state) {
		t.Errorf("the request is %s", state)
	}
	if c := denied.Status.Conditions[0]; c.Reason != "CSROnboardDenied" || c.Message != "no" {
		t.Errorf("the condition is %v", c)
	}
	for _, state := range []State{Approved, Issued} {
		if !Approval().Is(state) || Denial().Is(state) {
			t.Errorf("%s is not taken for approved", state)
		}
	}
}

func TestRequest_ASnapshotHoldsOnlyForTheSameUndecidedObject(t *testing.T) {
	key := newTestKey(t)
	review := ReviewOf(stored(t, key, jane))
	relabelled := review.Object.DeepCopy()
	relabelled.Labels = map[string]string{"a": "b"}
	relabelled.ResourceVersion = "2"
	if err := review.CheckSnapshot(Of(relabelled)); err != nil {
		t.Errorf("labels that moved: %v", err)
	}
	terminating := review.Object.DeepCopy()
	terminating.DeletionTimestamp = &metav1.Time{Time: time.Unix(0, 0)}
	if err := review.CheckSnapshot(Of(terminating)); !errors.Is(err, outcome.ErrChanged) {
		t.Errorf("being deleted: %v", err)
	}
	again := review.Object.DeepCopy()
	again.UID = "uid-2"
	if err := review.CheckSnapshot(Of(again)); !errors.Is(err, outcome.ErrChanged) {
		t.Errorf("another UID: %v", err)
	}
	denied := review.Object.DeepCopy()
	withCondition(certificatesv1.CertificateDenied, "R", "bob\x1bsaid no")(Of(denied))
	if err := review.CheckSnapshot(Of(denied)); !errors.Is(err, outcome.ErrChanged) || !strings.Contains(err.Error(), `denied (bob\x1bsaid no)`) {
		t.Errorf("decided by somebody else: %v", err)
	}
}

func TestRequest_Findings(t *testing.T) {
	subject := func(attributes ...pkix.AttributeTypeAndValue) func(*x509.CertificateRequest) {
		return func(r *x509.CertificateRequest) { r.Subject = pkix.Name{ExtraNames: attributes} }
	}
	cn := func(value any) pkix.AttributeTypeAndValue {
		return pkix.AttributeTypeAndValue{Type: asn1.ObjectIdentifier{2, 5, 4, 3}, Value: value}
	}
	basicConstraints := func(value []byte) func(*x509.CertificateRequest) {
		return func(r *x509.CertificateRequest) {
			r.ExtraExtensions = []pkix.Extension{{Id: oidBasicConstraints, Value: value}}
		}
	}
	for _, test := range []struct {
		about  string
		der    func(*x509.CertificateRequest)
		object func(*Request)
		want   []string
	}{
		{"the user's own ordinary request", nil, nil, nil},
		{"two common names", subject(cn("root"), cn("jane")), nil, []string{ManyCommonNames}},
		{"no common name", subject(), nil, []string{identity.EmptyCommonName, RequestedByOther}},
		{"a common name that is a number", subject(cn(7)), nil, []string{identity.EmptyCommonName, NonStringAttribute, RequestedByOther}},
		{"an unknown attribute", subject(cn("jane"), pkix.AttributeTypeAndValue{Type: asn1.ObjectIdentifier{1, 2, 3}, Value: "x"}), nil, []string{UnknownAttribute}},
		{"an organizational unit", subject(cn("jane"), pkix.AttributeTypeAndValue{Type: asn1.ObjectIdentifier{2, 5, 4, 11}, Value: "x"}), nil, []string{UnusualSubject}},
		{"a subject alternative name", func(r *x509.CertificateRequest) { r.DNSNames = []string{"example.com"} }, nil, []string{SANsPresent}},
		{"CA:TRUE", basicConstraints([]byte{0x30, 3, 1, 1, 0xff}), nil, []string{CARequested}},
		{"CA:FALSE", basicConstraints([]byte{0x30, 0}), nil, []string{UnexpectedExtension}},
		{"another extension", func(r *x509.CertificateRequest) {
			r.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 15}, Value: []byte{3, 2, 5, 0xa0}}}
		}, nil, []string{UnexpectedExtension}},
		{"an identifier of another key", func(r *x509.CertificateRequest) {
			r.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 14}, Value: append([]byte{4, 20}, make([]byte, 20)...)}}
		}, nil, []string{UnexpectedExtension}},
		{"server usages", nil, func(o *Request) {
			o.Spec.Usages = []certificatesv1.KeyUsage{"client auth", "server auth"}
		}, []string{WrongUsages}},
		{"no client auth", nil, func(o *Request) {
			o.Spec.Usages = []certificatesv1.KeyUsage{"digital signature"}
		}, []string{WrongUsages}},
		{"the optional usages", nil, func(o *Request) {
			o.Spec.Usages = []certificatesv1.KeyUsage{"client auth", "digital signature", "key encipherment"}
		}, nil},
		{"a foreign signer", nil, func(o *Request) { o.Spec.SignerName = "kubernetes.io/kubelet-serving" }, []string{ForeignSigner}},
		{"a terminating object", nil, func(o *Request) {
			o.DeletionTimestamp = &metav1.Time{Time: time.Unix(0, 0)}
		}, []string{Terminating}},
		{"somebody else submitted it", nil, func(o *Request) { o.Spec.Username = "mallory" }, []string{RequestedByOther}},
		{"no lifetime", nil, func(o *Request) { o.Spec.ExpirationSeconds = nil }, []string{NoLifetime}},
		{"a long lifetime", nil, func(o *Request) { *o.Spec.ExpirationSeconds = 91 * 24 * 60 * 60 }, []string{LongLifetime}},
		{"text around the block", nil, func(o *Request) {
			o.Spec.Request = append([]byte("CN=bob\n"), o.Spec.Request...)
		}, []string{OutsidePEM}},
		{"bytes that are no request", nil, func(o *Request) { o.Spec.Request = []byte("\x1b") }, []string{BadSignature}},
	} {
		t.Run(test.about, func(t *testing.T) {
			object := stored(t, newTestKey(t), identity.User{Name: "jane"})
			if test.der != nil {
				object.Spec.Request = signed(t, newTestKey(t), test.der)
			}
			if test.object != nil {
				test.object(object)
			}
			review := ReviewOf(object)
			var got []string
			for _, finding := range review.Findings {
				got = append(got, finding.Name)
			}
			slices.Sort(got)
			slices.Sort(test.want)
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("findings (-want +got):\n%s\n%v", diff, review.Findings)
			}
		})
	}
}

func TestRequest_AWeakKeyIsFound(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	object := stored(t, newTestKey(t), jane)
	object.Spec.Request = signed(t, key, func(r *x509.CertificateRequest) { r.Subject.CommonName = "jane" })
	if findings := ReviewOf(object).Findings; len(findings) != 1 || findings[0].Name != WeakKey {
		t.Errorf("findings are %v", findings)
	}
}

// signed is a PEM request for jane with a template's changes.
func signed(t *testing.T, key crypto.Signer, change func(*x509.CertificateRequest)) []byte {
	t.Helper()
	template := &x509.CertificateRequest{Subject: pkix.Name{CommonName: "jane"}}
	change(template)
	der, err := x509.CreateCertificateRequest(rand.Reader, template, key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der})
}

func TestRequest_OnlyNamedFindingsAreAllowed(t *testing.T) {
	node := ReviewOf(stored(t, newTestKey(t), identity.User{Name: "system:node:a", Groups: []string{"system:nodes"}}))
	if err := node.CheckAllowed([]string{identity.SystemUser}); !errors.Is(err, outcome.ErrRefused) || !strings.HasSuffix(err.Error(), "refused: system-group") {
		t.Errorf("one of two findings allowed: %v", err)
	}
	if err := node.CheckAllowed([]string{identity.SystemUser, identity.SystemGroup}); err != nil {
		t.Errorf("both findings allowed: %v", err)
	}
	// What was allowed once, or is shown as allowed, is not allowed from then on.
	node.ShowAllowed([]string{identity.SystemUser, identity.SystemGroup})
	if err := node.CheckAllowed(nil); !errors.Is(err, outcome.ErrRefused) || !strings.HasSuffix(err.Error(), "refused: system-user, system-group") {
		t.Errorf("no finding allowed: %v", err)
	}
	for _, group := range []string{"system:masters", "System:Masters", " system:masters"} {
		masters := ReviewOf(stored(t, newTestKey(t), identity.User{Name: "jane", Groups: []string{"dev", group}}))
		if err := masters.CheckAllowed(Allowable()); !errors.Is(err, outcome.ErrRefused) || outcome.Hint(err) != "" {
			t.Errorf("%q was allowed: %v", group, err)
		}
	}
	if err := CheckAllowable([]string{"bad-signature"}); !errors.Is(err, outcome.ErrUsage) {
		t.Errorf("bad-signature can be allowed: %v", err)
	}
	if warned := ReviewOf(stored(t, newTestKey(t), jane, func(o *Request) { o.Spec.ExpirationSeconds = nil })); warned.CheckAllowed(nil) != nil {
		t.Error("a warning stops an approval")
	}
}

func TestRequest_Spans(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"0s": 0, "90m": 90 * time.Minute, "1d12h": 36 * time.Hour, "2h30m15s": 2*time.Hour + 30*time.Minute + 15*time.Second,
		"24855d": 24855 * 24 * time.Hour, "007d": 7 * 24 * time.Hour,
	} {
		if span, err := ParseSpan(text); err != nil || span != want {
			t.Errorf("%s: %s and %v, want %s", text, span, err, want)
		}
	}
	for _, text := range []string{"", "7", "d", "7 d", "-7d", "+7d", "7d7d", "7h1d", "1.5h", "7D", "7d\n", "0x7d", "٧d", "24856d", "99999999999999999999999s"} {
		if span, err := ParseSpan(text); !errors.Is(err, outcome.ErrUsage) {
			t.Errorf("%q: %s and %v", text, span, err)
		}
	}
}

func TestRequest_ARequestIsDecodedOnceForTheSameBytes(t *testing.T) {
	mine := stored(t, newTestKey(t), jane)
	decoded, err := mine.PKCS10()
	if err != nil {
		t.Fatal(err)
	}
	if again, err := mine.With(mine.DeepCopy()).PKCS10(); err != nil || again != decoded {
		t.Errorf("another copy of the object is decoded again (%v)", err)
	}
	mallorys := stored(t, newTestKey(t), identity.User{Name: "mallory", Groups: []string{"system:masters"}})
	replaced := mine.DeepCopy()
	replaced.Spec.Request = mallorys.Spec.Request
	if got := ReviewOf(mine.With(replaced)).User.Name; got != "mallory" {
		t.Errorf("an object with another request is reviewed as %s's", got)
	}
	broken := mine.DeepCopy()
	broken.Spec.Request = broken.Spec.Request[:len(broken.Spec.Request)/2]
	if _, err := mine.With(broken).PKCS10(); err == nil {
		t.Error("an object with half a request is taken for the whole one")
	}
}

func TestRequest_ARequestThatWasReplacedIsNotTakenForTheOneThatWasDecoded(t *testing.T) {
	made, err := pki.NewRequest(newTestKey(t), jane)
	if err != nil {
		t.Fatal(err)
	}
	replaced := Build(made, Terms{Lifetime: DefaultLifetime})
	if user := ReviewOf(replaced).User; !user.Equal(jane) {
		t.Errorf("it is reviewed as %s's", user)
	}
	replaced.Spec.Request = stored(t, newTestKey(t), identity.User{Name: "mallory"}).Spec.Request
	if user := ReviewOf(replaced).User; user.Name != "mallory" {
		t.Errorf("after its request was replaced, it is reviewed as %s's", user)
	}
	replaced.Spec.Request = replaced.Spec.Request[:len(replaced.Spec.Request)/2]
	if review := ReviewOf(replaced); review.IsDecoded() {
		t.Errorf("half a request is reviewed as %s's", review.User)
	}
}

func TestRequest_AForgottenRequestIsDecodedAgain(t *testing.T) {
	listed := stored(t, newTestKey(t), jane)
	before, err := listed.PKCS10()
	if err != nil {
		t.Fatal(err)
	}
	listed.Forget()
	after, err := listed.PKCS10()
	if err != nil || !after.User().Equal(jane) {
		t.Errorf("it is for %v, %v", after.User(), err)
	}
	if before == after {
		t.Error("what was decoded was kept")
	}
}

func TestRequest_WhatIsBuiltOfARequestInTextHoldsTheRequestAlone(t *testing.T) {
	made, err := pki.NewRequest(newTestKey(t), jane)
	if err != nil {
		t.Fatal(err)
	}
	inText, err := pki.ParseRequest(append([]byte("CN=bob\n"), made.PEM()...))
	if err != nil || !inText.OutsidePEM {
		t.Fatalf("the text is not found: %v", err)
	}
	built, err := Build(inText, Terms{Lifetime: DefaultLifetime}).PKCS10()
	if err != nil || built.OutsidePEM || !bytes.Equal(built.DER, made.DER) {
		t.Errorf("it is not the request alone: %v", err)
	}
	if !inText.OutsidePEM {
		t.Error("the request that it was built of was changed")
	}
}

func TestRequest_AHintForAHostileNameIsHarmlessInAShell(t *testing.T) {
	object := stored(t, newTestKey(t), jane, withCondition(certificatesv1.CertificateDenied, "No", "no"))
	object.Name = "x;reboot"
	if hint := outcome.Hint(CheckOpen(object)); !strings.Contains(hint, "kubectl delete csr 'x;reboot'") {
		t.Errorf("the hint is %q", hint)
	}
}
