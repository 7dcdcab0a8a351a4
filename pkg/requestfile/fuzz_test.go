package requestfile_test

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/pki"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/requestfile"
)

// FuzzParse reads whatever somebody sends as a file: what it takes is ready to be
// submitted as soon as it can be decoded, and holds no private key.
func FuzzParse(f *testing.F) {
	key, err := pki.NewKey(pki.DefaultKeyAlgorithm)
	if err != nil {
		f.Fatal(err)
	}
	made, err := pki.NewRequest(key, identity.User{Name: "jane", Groups: []string{"dev"}})
	if err != nil {
		f.Fatal(err)
	}
	encoded := made.PEM()
	f.Add(encoded)
	f.Add([]byte(strings.ReplaceAll(string(encoded), "CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST")))
	f.Add([]byte("apiVersion: certificates.k8s.io/v1\nkind: CertificateSigningRequest\nspec:\n  request: " + base64.StdEncoding.EncodeToString(encoded)))
	f.Fuzz(func(t *testing.T, data []byte) {
		objects, err := requestfile.Parse(data, request.DefaultLifetime)
		if err != nil {
			return
		}
		for _, object := range objects {
			if strings.Contains(string(object.Spec.Request), "PRIVATE KEY-----") {
				t.Error("a private key was taken")
			}
			ready, err := request.Submittable(object)
			if err != nil {
				continue
			}
			parsed, err := pki.DecodeRequest(ready.Spec.Request)
			if err != nil || parsed.OutsidePEM || ready.Name == "" || request.CheckSubmitted(ready, object) != nil {
				t.Errorf("it is not ready to be submitted: %v", err)
			}
		}
	})
}
