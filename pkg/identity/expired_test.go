package identity

import (
	"strings"
	"testing"
)

func TestExpired_WhoseCertificateExpiredIsToldTheWayBack(t *testing.T) {
	for _, test := range []struct {
		user User
		want string
	}{
		{User{Name: "jane", Groups: []string{"dev", "the ops"}}, "kubectl csr-onboard new-user jane -g dev -g 'the ops' --offline,"},
		{User{Name: "kubernetes-admin", Groups: []string{"dev"}}, "kubeadm certs renew admin.conf"},
		{User{Name: "kubernetes-super-admin"}, "kubeadm certs renew admin.conf"},
		{User{Name: "root", Groups: []string{"x", "system:masters"}}, "no request for system:masters is accepted"},
	} {
		if got := AfterExpiry(test.user); !strings.Contains(got, test.want) {
			t.Errorf("%s: %s, want %s", test.user, got, test.want)
		}
	}
}
