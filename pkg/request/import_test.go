package request

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/pki"
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
		"  request: " + base64.StdEncoding.EncodeToString(encoded) + "\n  signerName: " + Signer + "\n  usages:\n  - client auth\n"
}

func utf16Of(text string) []byte {
	var encoded bytes.Buffer
	_ = binary.Write(&encoded, binary.LittleEndian, utf16.Encode([]rune("\uFEFF"+text)))
	return encoded.Bytes()
}

func TestImport_AManifestIsReadInEveryEncoding(t *testing.T) {
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
		objects, err := Import(data, DefaultLifetime)
		if err != nil || len(objects) != 1 {
			t.Errorf("%s: %d objects, %v", name, len(objects), err)
			continue
		}
		if findings := ReviewOfFile(objects[0], "x").Findings; len(findings) != 1 || findings[0].Name != NoLifetime {
			t.Errorf("%s: %v", name, findings)
		}
		ready, err := Submittable(objects[0])
		if err != nil || !bytes.Equal(ready.Spec.Request, encoded) || ready.Name != "jane" {
			t.Errorf("%s: something else would be submitted: %v", name, err)
		}
	}
}

func TestImport_AManifestWithoutASignerMeansTheOneOfABareRequest(t *testing.T) {
	manifest := strings.Replace(manifestOf(newRequestPEM(t)), "  signerName: "+Signer+"\n", "", 1)
	objects, err := Import([]byte(manifest), DefaultLifetime)
	if err != nil {
		t.Fatal(err)
	}
	if !AssumeSigner(objects[0]) || objects[0].Spec.SignerName != Signer {
		t.Errorf("the signer is %q", objects[0].Spec.SignerName)
	}
	if AssumeSigner(objects[0]) {
		t.Error("a signer that is named is assumed")
	}
	objects, err = Import([]byte(strings.Replace(manifest, "client auth", "server auth", 1)), DefaultLifetime)
	if err != nil {
		t.Fatal(err)
	}
	if AssumeSigner(objects[0]) || objects[0].Spec.SignerName != "" {
		t.Error("a request for a server is taken for a user's")
	}
	sentence := ""
	for _, finding := range ReviewOfFile(objects[0], "x").Findings {
		if finding.Name == ForeignSigner {
			sentence = finding.Sentence
		}
	}
	if !strings.Contains(sentence, "signerName: "+Signer) {
		t.Errorf("the line to add is not named: %q", sentence)
	}
}

func TestImport_WhatAManifestGetsWrongIsSaidWithTheWayToWriteIt(t *testing.T) {
	manifest := manifestOf(newRequestPEM(t))
	for about, test := range map[string]struct{ text, want, hint string }{
		"the removed version":    {strings.Replace(manifest, "/v1\n", "/v1beta1\n", 1), "certificates.k8s.io/v1beta1", "signerName: " + Signer},
		"another kind in a list": {"apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: Secret}\n", `its kind is "Secret" of "v1"`, ""},
		"an empty list":          {"apiVersion: v1\nkind: List\nitems: []\n", "it is empty", ""},
		"a request in plain PEM": {"apiVersion: certificates.k8s.io/v1\nkind: CertificateSigningRequest\nspec:\n  request: |\n    -----BEGIN CERTIFICATE REQUEST-----\n    MIIB\n    -----END CERTIFICATE REQUEST-----\n", "illegal base64", "base64 -w0"},
	} {
		_, err := Import([]byte(test.text), DefaultLifetime)
		if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(outcome.Hint(err), test.hint) {
			t.Errorf("%s: %v, hint %q", about, err, outcome.Hint(err))
		}
	}
}

func TestImport_KeytoolsRequestHasNothingToRefuse(t *testing.T) {
	data, err := os.ReadFile(filepath.Join("..", "..", "test", "fixture", "foreign", "keytool.csr"))
	if err != nil {
		t.Fatal(err)
	}
	objects, err := Import(data, DefaultLifetime)
	if err != nil {
		t.Fatal(err)
	}
	if findings := ReviewOfFile(objects[0], "keytool.csr").Findings; len(findings) > 0 {
		t.Errorf("it finds %v", findings)
	}
}

// A manifest's document that is cut in the middle of a line must not be taken for a
// shorter request.
func TestImport_AManifestThatIsCutOffIsNotRead(t *testing.T) {
	manifest := manifestOf(newRequestPEM(t))
	at := strings.Index(manifest, "signerName")
	if _, err := Import([]byte(manifest[:at-100]), DefaultLifetime); err == nil {
		t.Error("it is read")
	}
}
