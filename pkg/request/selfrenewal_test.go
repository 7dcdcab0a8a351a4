package request

import (
	"strings"
	"testing"

	certificatesv1 "k8s.io/api/certificates/v1"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/access"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
)

func TestSelfRenewal_ARenewalIsHersWithHerCertificateForNoMoreThanSheHas(t *testing.T) {
	id := "X509SHA256=" + strings.Repeat("0f", 32)
	spec := func(change func(*certificatesv1.CertificateSigningRequestSpec)) func(*Request) {
		return func(object *Request) {
			object.Spec.Username = "jane"
			object.Spec.Groups = []string{"dev", "ops", "system:authenticated"}
			object.Spec.Extra = map[string]certificatesv1.ExtraValue{access.CredentialIDKey: {id}}
			change(&object.Spec)
		}
	}
	credentials := func(ids ...string) func(*certificatesv1.CertificateSigningRequestSpec) {
		return func(s *certificatesv1.CertificateSigningRequestSpec) { s.Extra[access.CredentialIDKey] = ids }
	}
	for name, test := range map[string]struct {
		groups []string
		change func(*certificatesv1.CertificateSigningRequestSpec)
		want   bool
	}{
		"the same groups":        {[]string{"dev", "ops"}, func(*certificatesv1.CertificateSigningRequestSpec) {}, true},
		"fewer groups":           {[]string{"ops"}, func(*certificatesv1.CertificateSigningRequestSpec) {}, true},
		"no group":               {nil, func(*certificatesv1.CertificateSigningRequestSpec) {}, true},
		"another group":          {[]string{"dev", "admins"}, func(*certificatesv1.CertificateSigningRequestSpec) {}, false},
		"somebody else's":        {[]string{"dev"}, func(s *certificatesv1.CertificateSigningRequestSpec) { s.Username = "eve" }, false},
		"without a certificate":  {[]string{"dev"}, func(s *certificatesv1.CertificateSigningRequestSpec) { s.Extra = nil }, false},
		"with a token":           {[]string{"dev"}, credentials("JTI=0f0f"), false},
		"with two credentials":   {[]string{"dev"}, credentials(id, id), false},
		"with no id":             {[]string{"dev"}, credentials("X509SHA256="), false},
		"with a hostile id":      {[]string{"dev"}, credentials(id + "\x1b[2J"), false},
		"with a line behind it":  {[]string{"dev"}, credentials(id + "\n"), false},
		"with another digest":    {[]string{"dev"}, credentials("X509SHA512=" + strings.Repeat("0f", 32)), false},
		"with a long identifier": {[]string{"dev"}, credentials(id + "0f"), false},
	} {
		t.Run(name, func(t *testing.T) {
			object := stored(t, newTestKey(t), identity.User{Name: "jane", Groups: test.groups}, spec(test.change))
			review := ReviewOf(object)
			if is := review.SelfRenewal != nil; is != test.want {
				t.Fatalf("a renewal of the user's own: %v, want %v", is, test.want)
			}
			if test.want && review.SelfRenewal.CredentialID != id {
				t.Errorf("the credential is %q", review.SelfRenewal.CredentialID)
			}
		})
	}
}
