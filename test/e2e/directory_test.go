package e2e

import (
	"encoding/pem"
	"os"
	"strings"
	"testing"

	"k8s.io/client-go/tools/clientcmd"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/pki"
)

// TestDirectory_ARequestThatIsNotOfTheKeyNextToItIsNotFetchedFor has something else stand in
// the place of the request in a user's directory.
func TestDirectory_ARequestThatIsNotOfTheKeyNextToItIsNotFetchedFor(t *testing.T) {
	s := newSession(t, shared)
	s.must("new-user", "beside", "-g", "dev", "--dir", "D")
	s.must("approve", "beside", "--yes")
	own, key := string(s.read("D", "beside.csr")), string(s.read("D", "beside.key"))
	parsed, err := pki.ParseKey([]byte(key))
	if err != nil {
		t.Fatal(err)
	}
	sameKey := func(user identity.User) string {
		made, err := pki.NewRequest(parsed, user)
		if err != nil {
			t.Fatal(err)
		}
		return string(made.PEM())
	}
	handed := newSession(t, shared)
	for about, test := range map[string]struct{ text, says string }{
		"for another key":        {string(built(t, identity.User{Name: "beside", Groups: []string{"dev"}}).Spec.Request), `the request "D/beside.csr" is for another key than "D/beside.key"`},
		"for another user":       {sameKey(identity.User{Name: "mallory", Groups: []string{"dev"}}), `the request "D/beside.csr" is for CN=mallory, O=dev, not for "beside"`},
		"damaged":                {strings.Replace(own, "M", "!", 5), `the request "D/beside.csr" cannot be used`},
		"of a changed signature": {string(changed(t, []byte(own), func(der []byte) { der[len(der)-1] ^= 1 })), `the request "D/beside.csr" cannot be used`},
		"empty":                  {"", `the request "D/beside.csr" cannot be used`},
		"missing":                {"-", `no request found next to the key of "beside"`},
	} {
		s.write("D/beside.csr", test.text)
		if about == "missing" {
			if err := os.Remove(s.path("D", "beside.csr")); err != nil {
				t.Fatal(err)
			}
		}
		handed.write("handoff", "not looked at")
		for _, arguments := range [][]string{{"fetch", "beside", "--dir", "D"}, {"fetch", "beside", "--dir", "D", "--merge"}, {"fetch", "beside", "--dir", "D", "--from", handed.path("handoff")}} {
			s.check(s.run(arguments...), expect{1, []string{test.says, "again with the same groups"}})
		}
		if listing := s.listing("D"); strings.Contains(listing, "kubeconfig") {
			t.Errorf("%s: a kubeconfig was written:\n%s", about, listing)
		}
		if string(s.read("D", "beside.key")) != key {
			t.Errorf("%s: the key was changed", about)
		}
	}
	// The hint is right.
	if err := os.RemoveAll(s.path("D", "beside.csr")); err != nil {
		t.Fatal(err)
	}
	s.must("new-user", "beside", "-g", "dev", "--dir", "D")
	s.must("fetch", "beside", "--dir", "D")
}

func TestDirectory_AKubeconfigWhoseKeyIsAnothersIsNotRenewed(t *testing.T) {
	s := ending(t, "mismatched")
	key, err := pki.NewKey(pki.DefaultKeyAlgorithm)
	if err != nil {
		t.Fatal(err)
	}
	encoded, err := pki.EncodeKey(key)
	if err != nil {
		t.Fatal(err)
	}
	config := s.load("config")
	own := config.AuthInfos["mismatched@csr-onboard"].ClientKeyData
	says := map[string]string{
		string(encoded): "private key does not match public key",
		string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: []byte("damaged")})): "failed to parse private key",
	}
	for text, want := range says {
		config.AuthInfos["mismatched@csr-onboard"].ClientKeyData = []byte(text)
		if err := clientcmd.WriteToFile(*config, s.path("config")); err != nil {
			t.Fatal(err)
		}
		before := string(s.read("config"))
		for _, arguments := range [][]string{{"renew"}, {"renew", "--exec"}, {"renew", "--wait=false", "--force"}} {
			result := s.run(arguments...)
			s.check(result, expect{2, []string{want}})
			if strings.Contains(result.Stderr, strings.Split(text, "\n")[1]) {
				t.Error("the key was printed")
			}
		}
		if string(s.read("config")) != before {
			t.Error("the kubeconfig was changed")
		}
	}
	if n := len(submittedBy(t, s.client(), "mismatched")); n != 0 {
		t.Errorf("%d requests were submitted", n)
	}
	nothingMade(s)
	config.AuthInfos["mismatched@csr-onboard"].ClientKeyData = own
	if err := clientcmd.WriteToFile(*config, s.path("config")); err != nil {
		t.Fatal(err)
	}
	s.must("renew", "--wait=false")
}
