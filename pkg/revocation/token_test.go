package revocation

import (
	"encoding/base64"
	"strings"
	"testing"
)

func TestToken_OnlyItsIDIsRead(t *testing.T) {
	tokenOf := func(claims string) []byte {
		return []byte("secret." + base64.RawURLEncoding.EncodeToString([]byte(claims)) + ".secret\n")
	}
	entry, err := ParseToken(tokenOf(`{"jti":"7e4-a","sub":"system:serviceaccount:default:robot","exp":1900000000}`))
	if err != nil || entry.Blocked.CredentialID != "JTI=7e4-a" || entry.Details.User != "system:serviceaccount:default:robot" || entry.Details.NotAfter.Unix() != 1900000000 {
		t.Errorf("%+v, %v", entry, err)
	}
	if err := Check(entry); err != nil {
		t.Error(err)
	}
	for about, text := range map[string][]byte{
		"nothing": nil, "a word": []byte("secret"), "no base64": []byte("secret.!.secret"), "no JSON": tokenOf("secret"),
		"of a user": tokenOf(`{"jti":"secret","sub":"jane"}`), "no id": tokenOf(`{"sub":"system:serviceaccount:secret:x"}`),
		"a hostile id": tokenOf(`{"jti":"secret'","sub":"system:serviceaccount:default:x"}`),
	} {
		if entry, err := ParseToken(text); err == nil || strings.Contains(err.Error(), "secret") && !strings.Contains(err.Error(), "Secrets") {
			t.Errorf("%s: %+v, %v", about, entry, err)
		}
	}
}
