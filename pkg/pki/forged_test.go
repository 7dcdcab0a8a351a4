package pki

import "testing"

func TestForged_ACertificateThatOnlyNamesTheAuthorityIsForged(t *testing.T) {
	real, renewed, other := newTestAuthority(t, "kubernetes", nil), newTestAuthority(t, "kubernetes", nil), newTestAuthority(t, "server-ca", nil)
	for _, test := range []struct {
		about       string
		certificate *Certificate
		authorities []byte
		forged      bool
	}{
		{"signed by the authority", real.sign(t, nil), real.pem(), false},
		{"signed by one of two of the same name", renewed.sign(t, nil), append(real.pem(), renewed.pem()...), false},
		{"naming the authority", renewed.sign(t, nil), real.pem(), true},
		{"of an authority that is not there", real.sign(t, nil), other.pem(), false},
		{"without authorities", real.sign(t, nil), nil, false},
	} {
		if err := CheckNotForged(test.certificate, test.authorities); (err != nil) != test.forged {
			t.Errorf("%s: %v", test.about, err)
		}
	}
}
