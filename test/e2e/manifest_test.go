package e2e

import (
	"testing"

	certificatesv1 "k8s.io/api/certificates/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
)

// manifest writes a request as a manifest, which has its name.
func (s *session) manifest(file string, object *certificatesv1.CertificateSigningRequest) {
	s.t.Helper()
	object.TypeMeta = metav1.TypeMeta{APIVersion: "certificates.k8s.io/v1", Kind: "CertificateSigningRequest"}
	encoded, err := yaml.Marshal(object)
	if err != nil {
		s.t.Fatal(err)
	}
	s.write(file, string(encoded))
}

func TestManifest_AnotherRequestUnderItsNameIsNotApproved(t *testing.T) {
	s := newSession(t, shared)
	for name, change := range map[string]func(object *certificatesv1.CertificateSigningRequest){
		"stands-another-key": func(object *certificatesv1.CertificateSigningRequest) {
			object.Spec.Request = built(t, identity.User{Name: object.Name, Groups: []string{"dev"}}).Spec.Request
		},
		"stands-another-user": func(object *certificatesv1.CertificateSigningRequest) {
			object.Spec.Request = built(t, identity.User{Name: "mallory"}).Spec.Request
		},
		"stands-another-signer": func(object *certificatesv1.CertificateSigningRequest) { object.Spec.SignerName = "example.com/another" },
		"stands-more-usages": func(object *certificatesv1.CertificateSigningRequest) {
			object.Spec.Usages = append(object.Spec.Usages, certificatesv1.UsageDigitalSignature)
		},
	} {
		t.Run(name, func(t *testing.T) {
			meant := built(t, identity.User{Name: name, Groups: []string{"dev"}})
			meant.Name = name
			standing := meant.DeepCopy()
			change(standing)
			if _, err := requestsOf(s).Create(t.Context(), standing, metav1.CreateOptions{}); err != nil {
				t.Fatal(err)
			}
			s.manifest("meant.yaml", meant)
			for _, arguments := range [][]string{s.byFingerprint("meant.yaml"), append(s.byFingerprint("meant.yaml"), "--out", "handoff")} {
				s.check(s.run(arguments...), expect{5, []string{`certificate signing request "` + name + `" already exists and is another one`}})
			}
			if state := request.StateOf(s.object("x/" + name)); state != request.Pending {
				t.Errorf("what stands there is %s", state)
			}
			if _, exists := s.readIfThere("handoff"); exists {
				t.Error("a handoff was written")
			}
		})
	}
}

func TestManifest_ItIsSubmittedUnderItsOwnName(t *testing.T) {
	s := newSession(t, shared)
	object := built(t, identity.User{Name: "own-name-user"})
	object.Name, object.Annotations = "a-name-of-its-own", map[string]string{"note": "ours"}
	s.manifest("own.yaml", object)
	s.must(s.byFingerprint("own.yaml")...)
	stored := s.object("x/a-name-of-its-own")
	if state := request.StateOf(stored); state != request.Approved && state != request.Issued {
		t.Errorf("it is %s", state)
	}
	if stored.Annotations["note"] != "ours" {
		t.Errorf("its annotations are %v", stored.Annotations)
	}
	if n := countRequestsOf(s, "own-name-user-"); n != 0 {
		t.Errorf("%d requests were submitted under the derived name", n)
	}
	// The same once more is done already.
	s.must(s.byFingerprint("own.yaml")...)
}
