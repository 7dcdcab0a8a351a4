package request

import (
	"errors"
	"strings"
	"testing"

	certificatesv1 "k8s.io/api/certificates/v1"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/pki"
)

func TestByHand_UserByHandTakesWhatLogsInWithTheKeyAndNothingElse(t *testing.T) {
	user := identity.User{Name: "jane", Groups: []string{"dev", "ops"}}
	newKey := func() (key any, object *Request) {
		made, err := pki.NewKey(pki.DefaultKeyAlgorithm)
		if err != nil {
			t.Fatal(err)
		}
		parsed, err := pki.NewRequest(made, user)
		if err != nil {
			t.Fatal(err)
		}
		return made.Public(), Build(parsed, Terms{Lifetime: DefaultLifetime})
	}
	const signature, encipherment, server = certificatesv1.UsageDigitalSignature, certificatesv1.UsageKeyEncipherment, certificatesv1.UsageServerAuth
	for _, test := range []struct {
		name   string
		usages []certificatesv1.KeyUsage
		// refused is part of the error; "" for none.
		refused string
	}{
		{"client auth", []certificatesv1.KeyUsage{certificatesv1.UsageClientAuth}, ""},
		{"what older documentation teaches", []certificatesv1.KeyUsage{signature, encipherment, certificatesv1.UsageClientAuth}, ""},
		{"server auth as well", []certificatesv1.KeyUsage{certificatesv1.UsageClientAuth, server}, "its usages are"},
		{"no client auth", []certificatesv1.KeyUsage{signature, encipherment}, "its usages are"},
	} {
		key, object := newKey()
		object.Spec.Usages = test.usages
		got, err := UserByHand(object, key)
		switch {
		case test.refused == "" && (err != nil || !got.Equal(user)):
			t.Errorf("%s: %v, %v", test.name, got, err)
		case test.refused != "" && (!errors.Is(err, outcome.ErrChanged) || !strings.Contains(err.Error(), test.refused)):
			t.Errorf("%s: %v, want %q", test.name, err, test.refused)
		}
	}

	_, object := newKey()
	other, _ := newKey()
	if _, err := UserByHand(object, other); !errors.Is(err, outcome.ErrChanged) || !strings.Contains(outcome.Hint(err), "somebody else created it") {
		t.Errorf("another key: %v, hint %q", err, outcome.Hint(err))
	}
}

func TestByHand_SomebodyElseMadeItIsSaidOfAnotherKeyOnly(t *testing.T) {
	key, err := pki.NewKey(pki.DefaultKeyAlgorithm)
	if err != nil {
		t.Fatal(err)
	}
	user := identity.User{Name: "jane"}
	made, err := pki.NewRequest(key, user)
	if err != nil {
		t.Fatal(err)
	}
	object := Build(made, Terms{Lifetime: DefaultLifetime, Name: "jane"})
	object.Spec.Usages = append(object.Spec.Usages, certificatesv1.UsageDigitalSignature)
	err = CheckOwn(object, key.Public(), user, Signer)
	if hint := outcome.Hint(err); !errors.Is(err, outcome.ErrChanged) || strings.Contains(hint, "somebody else") || !strings.Contains(hint, "fetch jane --key FILE --request-name jane") {
		t.Errorf("%v, hint %q", err, hint)
	}
}
