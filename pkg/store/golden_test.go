package store

import (
	"path/filepath"
	"testing"
)

// Another version of the program finds keys, renewals and caches by these names.
func TestGolden_PathsOfAUsersFilesNeverChange(t *testing.T) {
	jane, err := UserDirectoryOf("", "/home/jane", "jane")
	if err != nil {
		t.Fatal(err)
	}
	other, err := UserDirectoryOf("/d/", "", "Jane Doe")
	if err != nil {
		t.Fatal(err)
	}
	cache, err := jane.CredentialCache([]byte("jane"), []byte("https://h"))
	if err != nil {
		t.Fatal(err)
	}
	renewal := RenewalOf(UserRenewals("/home/jane"), "jane", []byte{1, 2})
	for got, want := range map[string]string{
		jane.KeyPath():         "/home/jane/.kube/csr-onboard/jane/jane.key",
		jane.RequestPath():     "/home/jane/.kube/csr-onboard/jane/jane.csr",
		jane.KubeconfigPath():  "/home/jane/.kube/csr-onboard/jane/jane.kubeconfig",
		jane.CertificatePath(): "/home/jane/.kube/csr-onboard/jane/jane.crt",
		other.KeyPath():        "/d/jane-doe~fvqqccmehd.key",
		cache.Directory():      "/home/jane/.kube/csr-onboard/jane/credential-tfg255g552",
		cache.KubeconfigPath(): "/home/jane/.kube/csr-onboard/jane/credential-tfg255g552/kubeconfig",
		cache.StatePath():      "/home/jane/.kube/csr-onboard/jane/credential-tfg255g552/renewal.json",
		cache.Renewals():       "/home/jane/.kube/csr-onboard/jane/credential-tfg255g552/renewals",
		cache.answerPath():     "/home/jane/.kube/csr-onboard/jane/credential-tfg255g552/answer",
		renewal.Directory():    "/home/jane/.kube/csr-onboard/renewals/jane-o2swvtwzcx",
		renewal.KeyPath():      "/home/jane/.kube/csr-onboard/renewals/jane-o2swvtwzcx/jane.key",
		renewal.PreviousPath(): "/home/jane/.kube/csr-onboard/renewals/jane-o2swvtwzcx/jane.previous.kubeconfig",
		renewal.refusalPath():  "/home/jane/.kube/csr-onboard/renewals/jane-o2swvtwzcx/jane.refused",
		renewal.LockPath():     "/home/jane/.kube/csr-onboard/renewals/jane-o2swvtwzcx",
	} {
		if filepath.ToSlash(got) != want {
			t.Errorf("it is %s, want %s", got, want)
		}
	}
}
