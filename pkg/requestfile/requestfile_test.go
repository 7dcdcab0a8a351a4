package requestfile_test

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/pki"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/requestfile"
)

func newRequestPEM(t *testing.T) []byte {
	t.Helper()
	key, err := pki.NewKey(pki.DefaultKeyAlgorithm)
	if err != nil {
		t.Fatal(err)
	}
	made, err := pki.NewRequest(key, identity.User{Name: "jane", Groups: []string{"dev"}})
	if err != nil {
		t.Fatal(err)
	}
	return made.PEM()
}

// manifestOf is a manifest as the documentation of Kubernetes has it.
func manifestOf(encoded []byte) string {
	return "apiVersion: certificates.k8s.io/v1\nkind: CertificateSigningRequest\nmetadata:\n  name: jane\nspec:\n" +
		"  request: " + base64.StdEncoding.EncodeToString(encoded) + "\n  signerName: " + request.Signer + "\n  usages:\n  - client auth\n"
}

func utf16Of(text string) []byte {
	var encoded bytes.Buffer
	_ = binary.Write(&encoded, binary.LittleEndian, utf16.Encode([]rune("\uFEFF"+text)))
	return encoded.Bytes()
}

func TestParse_AManifestIsReadInEveryEncoding(t *testing.T) {
	encoded := newRequestPEM(t)
	manifest := manifestOf(encoded)
	_, content, _ := strings.Cut(manifest, "metadata")
	for name, data := range map[string][]byte{
		"as it is":                          []byte(manifest),
		"CRLF, two documents":               []byte(strings.ReplaceAll("---\n"+manifest+"---\n# nothing more\n", "\n", "\r\n")),
		"a byte order mark":                 []byte("\uFEFF" + manifest),
		"UTF-16":                            utf16Of(manifest),
		"UTF-16 with CRLF":                  utf16Of(strings.ReplaceAll(manifest, "\n", "\r\n")),
		"a request that is encoded twice":   []byte(manifestOf([]byte(base64.StdEncoding.EncodeToString(encoded)))),
		"a request with a byte order mark":  []byte(manifestOf([]byte("\uFEFF" + string(encoded)))),
		"a request in UTF-16":               []byte(manifestOf(utf16Of(string(encoded)))),
		"a request under keytool's label":   []byte(manifestOf([]byte(strings.ReplaceAll(string(encoded), "CERTIFICATE REQ", "NEW CERTIFICATE REQ")))),
		"a list of kubectl's":               []byte("apiVersion: v1\nkind: List\nmetadata:\n  resourceVersion: \"\"\nitems:\n- " + strings.ReplaceAll(strings.TrimSpace(manifest), "\n", "\n  ") + "\n"),
		"a list of the API server's":        []byte("apiVersion: certificates.k8s.io/v1\nkind: CertificateSigningRequestList\nitems:\n- " + strings.ReplaceAll("metadata"+content, "\n", "\n  ") + "\n"),
		"a request that is indented by two": []byte(manifestOf([]byte("  " + strings.ReplaceAll(string(encoded), "\n", "\n  ")))),
	} {
		objects, err := requestfile.Parse(data, request.DefaultLifetime)
		if err != nil || len(objects) != 1 {
			t.Errorf("%s: %d objects, %v", name, len(objects), err)
			continue
		}
		if findings := request.ReviewOfFile(objects[0], "x").Findings; len(findings) != 1 || findings[0].Name != request.NoLifetime {
			t.Errorf("%s: %v", name, findings)
		}
		ready, err := request.Submittable(objects[0])
		if err != nil || !bytes.Equal(ready.Spec.Request, encoded) || ready.Name != "jane" {
			t.Errorf("%s: something else would be submitted: %v", name, err)
		}
	}
}

func TestParse_AManifestWithoutASignerMeansTheOneOfABareRequest(t *testing.T) {
	manifest := strings.Replace(manifestOf(newRequestPEM(t)), "  signerName: "+request.Signer+"\n", "", 1)
	objects, err := requestfile.Parse([]byte(manifest), request.DefaultLifetime)
	if err != nil {
		t.Fatal(err)
	}
	if !requestfile.AssumeSigner(objects[0]) || objects[0].Spec.SignerName != request.Signer {
		t.Errorf("the signer is %q", objects[0].Spec.SignerName)
	}
	if requestfile.AssumeSigner(objects[0]) {
		t.Error("a signer that is named is assumed")
	}
	objects, err = requestfile.Parse([]byte(strings.Replace(manifest, "client auth", "server auth", 1)), request.DefaultLifetime)
	if err != nil {
		t.Fatal(err)
	}
	if requestfile.AssumeSigner(objects[0]) || objects[0].Spec.SignerName != "" {
		t.Error("a request for a server is taken for a user's")
	}
	sentence := ""
	for _, finding := range request.ReviewOfFile(objects[0], "x").Findings {
		if finding.Name == request.ForeignSigner {
			sentence = finding.Sentence
		}
	}
	if !strings.Contains(sentence, "signerName: "+request.Signer) {
		t.Errorf("the line to add is not named: %q", sentence)
	}
}

func TestParse_WhatAManifestGetsWrongIsSaidWithTheWayToWriteIt(t *testing.T) {
	manifest := manifestOf(newRequestPEM(t))
	for about, test := range map[string]struct{ text, want, hint string }{
		"the removed version":    {strings.Replace(manifest, "/v1\n", "/v1beta1\n", 1), "certificates.k8s.io/v1beta1", "signerName: " + request.Signer},
		"another kind in a list": {"apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: Secret}\n", `its kind is "Secret" of "v1"`, ""},
		"an empty list":          {"apiVersion: v1\nkind: List\nitems: []\n", "it is empty", ""},
		"a request in plain PEM": {"apiVersion: certificates.k8s.io/v1\nkind: CertificateSigningRequest\nspec:\n  request: |\n    -----BEGIN CERTIFICATE REQUEST-----\n    MIIB\n    -----END CERTIFICATE REQUEST-----\n", "illegal base64", "base64 -w0"},
	} {
		_, err := requestfile.Parse([]byte(test.text), request.DefaultLifetime)
		if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(outcome.Hint(err), test.hint) {
			t.Errorf("%s: %v, hint %q", about, err, outcome.Hint(err))
		}
	}
}

func TestParse_KeytoolsRequestHasNothingToRefuse(t *testing.T) {
	data, err := os.ReadFile(filepath.Join("..", "..", "test", "fixture", "foreign", "keytool.csr"))
	if err != nil {
		t.Fatal(err)
	}
	objects, err := requestfile.Parse(data, request.DefaultLifetime)
	if err != nil {
		t.Fatal(err)
	}
	if findings := request.ReviewOfFile(objects[0], "keytool.csr").Findings; len(findings) > 0 {
		t.Errorf("it finds %v", findings)
	}
}

// A manifest's document that is cut in the middle of a line must not be taken for a
// shorter request.
func TestParse_AManifestThatIsCutOffIsNotRead(t *testing.T) {
	manifest := manifestOf(newRequestPEM(t))
	at := strings.Index(manifest, "signerName")
	if _, err := requestfile.Parse([]byte(manifest[:at-100]), request.DefaultLifetime); err == nil {
		t.Error("it is read")
	}
}

// garbage is a block of the right type with content that is not a request.
func garbage() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: []byte("hostile")})
}

func TestParse_DataThatIsNoRequestIsAnErrorInEveryForm(t *testing.T) {
	for about, test := range map[string]struct {
		data []byte
		says string
	}{
		"PEM":                   {garbage(), ""},
		"a manifest":            {[]byte(manifestOf(garbage())), "the manifest's spec.request"},
		"a second manifest":     {[]byte(manifestOf(newRequestPEM(t)) + "---\n" + manifestOf(garbage())), "the manifest's spec.request"},
		"a manifest with a key": {[]byte(manifestOf(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: []byte("hostile")}))), ""},
	} {
		objects, err := requestfile.Parse(test.data, request.DefaultLifetime)
		if err == nil || objects != nil || !strings.Contains(err.Error(), test.says) || strings.Contains(err.Error(), "hostile") {
			t.Errorf("%s: %v, %v", about, objects, err)
		}
	}
}

func TestParse_AManifestDoesNotExpandWithoutBound(t *testing.T) {
	manifest := "apiVersion: certificates.k8s.io/v1\nkind: CertificateSigningRequest\nmetadata:\n  annotations:\n    a: &a '" + strings.Repeat("x", 64<<10) + "'\n"
	for i := range 1_000 {
		manifest += fmt.Sprintf("    b%d: *a\n", i)
	}
	if _, err := requestfile.Parse([]byte(manifest), request.DefaultLifetime); err == nil || !strings.Contains(err.Error(), "more than 16 MiB") {
		t.Errorf("%v", err)
	}
}

func TestParse_AnObjectIsMadeReadyWithoutWhatItsSenderCannotSay(t *testing.T) {
	encoded := newRequestPEM(t)
	manifest := strings.Replace(manifestOf(encoded), "metadata:\n", "metadata:\n  labels: {team: blue}\n  annotations: {note: x}\n  uid: u\n", 1)
	manifest = strings.Replace(manifest, "spec:\n", "spec:\n  expirationSeconds: 3600\n  username: mallory\n  groups: [system:masters]\n", 1)
	objects, err := requestfile.Parse([]byte(manifest), request.DefaultLifetime)
	if err != nil || len(objects) != 1 {
		t.Fatalf("%d objects, %v", len(objects), err)
	}
	ready, err := request.Submittable(objects[0])
	if err != nil {
		t.Fatal(err)
	}
	want := metav1.ObjectMeta{Name: "jane", Labels: map[string]string{"team": "blue", request.UserLabel: request.UserLabelValue("jane")}, Annotations: map[string]string{"note": "x"}}
	if diff := cmp.Diff(want, ready.ObjectMeta); diff != "" {
		t.Errorf("metadata (-want +got):\n%s", diff)
	}
	if ready.Spec.Username != "" || ready.Spec.Groups != nil || *ready.Spec.ExpirationSeconds != 3600 || ready.Spec.SignerName != request.Signer {
		t.Errorf("the spec is %+v", ready.Spec)
	}
	unnamed, err := requestfile.Parse([]byte(strings.Replace(manifestOf(encoded), "  name: jane\n", "", 1)), request.DefaultLifetime)
	if err != nil {
		t.Fatal(err)
	}
	if ready, err = request.Submittable(unnamed[0]); err != nil || !request.ReviewOf(ready).HasDerivedName() || !strings.HasPrefix(ready.Name, "jane-") {
		t.Errorf("without a name: %v", err)
	}
	if _, err := request.Submittable(request.Of(request.NewObject("jane", nil, 0))); err == nil {
		t.Error("a request that cannot be decoded is ready")
	}
}

func TestParse_ABareRequestGetsTheLifetimeAndAManifestKeepsItsOwn(t *testing.T) {
	encoded := newRequestPEM(t)
	bare, err := requestfile.Parse(encoded, time.Hour)
	if err != nil || request.LifetimeOf(bare[0]) != time.Hour || bare[0].Spec.SignerName != request.Signer {
		t.Fatalf("%v", err)
	}
	for _, test := range []struct {
		own, wanted, want time.Duration
		isRefused         bool
	}{
		{0, time.Hour, time.Hour, false}, {time.Hour, time.Hour, time.Hour, false}, {2 * time.Hour, time.Hour, 2 * time.Hour, true},
	} {
		object := request.Of(request.NewObject("jane", encoded, 0))
		if test.own > 0 {
			object.Spec.ExpirationSeconds = request.ExpirationSeconds(test.own)
		}
		err := requestfile.SetLifetime(object, test.wanted)
		if request.LifetimeOf(object) != test.want || errors.Is(err, outcome.ErrUsage) != test.isRefused {
			t.Errorf("%s over %s: %s, %v", test.wanted, test.own, request.LifetimeOf(object), err)
		}
	}
}

func TestParse_WhatIsNoRequestIsNotParsed(t *testing.T) {
	encoded := newRequestPEM(t)
	made, err := pki.NewKey(pki.DefaultKeyAlgorithm)
	if err != nil {
		t.Fatal(err)
	}
	key, err := pki.EncodeKey(made)
	if err != nil {
		t.Fatal(err)
	}
	for about, test := range map[string]struct{ text, want string }{
		"nothing":                 {"", "it is empty"},
		"comments":                {"# nothing\n---\n", "it is empty"},
		"another kind":            {strings.Replace(manifestOf(encoded), "kind: C", "kind: X", 1), "its kind is"},
		"another version":         {strings.Replace(manifestOf(encoded), "certificates.k8s.io/v1", "certificates.k8s.io/v2", 1), `of "certificates.k8s.io/v2"`},
		"the version of another":  {strings.NewReplacer("certificates.k8s.io/v1", "certificates.k8s.io/v1beta1", "kind: C", "kind: X").Replace(manifestOf(encoded)), "its kind is"},
		"an unknown field":        {manifestOf(encoded) + "  unknown: x\n", "cannot be read"},
		"a private key":           {string(key), "private key"},
		"a private key inside":    {manifestOf(key), "the manifest's spec.request"},
		"a second that is broken": {manifestOf(encoded) + "---\nx: [\n", ""},
		"no request in it":        {manifestOf([]byte("x")), "the manifest's spec.request"},
		"no YAML":                 {"a: b: c: secret\n", "invalid YAML"},
	} {
		objects, err := requestfile.Parse([]byte(test.text), request.DefaultLifetime)
		if err == nil || objects != nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %d objects, %v, want %q", about, len(objects), err, test.want)
		}
	}
	if _, err := requestfile.Parse(key, request.DefaultLifetime); outcome.Hint(err) == "" {
		t.Errorf("a private key: no hint with %v", err)
	}
	two, err := requestfile.Parse([]byte(manifestOf(encoded)+"---\n# between\n---\n"+manifestOf(encoded)), request.DefaultLifetime)
	if err != nil || len(two) != 2 {
		t.Errorf("two manifests: %d, %v", len(two), err)
	}
}
