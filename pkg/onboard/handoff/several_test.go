package handoff_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	certificatesv1 "k8s.io/api/certificates/v1"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/kubeconfig"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/handoff"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/onboardtest"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/pki"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
)

// twoClusters are jane's certificates of two clusters, for one key.
type twoClusters struct {
	worlds []*onboardtest.World
	in     onboard.NewUserInput
	of     handoff.OfUser
}

// handedOnTwo has jane's request approved on two clusters, which the handoff calls by these names.
func handedOnTwo(t *testing.T, names ...string) *twoClusters {
	t.Helper()
	two := &twoClusters{in: onboardtest.Asked(t, "jane", "dev")}
	var users []handoff.OfUser
	for _, name := range names {
		w := onboardtest.New(t)
		object := w.Submit(t, two.in)
		w.Server.Decide(object.Name, certificatesv1.CertificateApproved)
		handed, err := handoff.Each(t.Context(), w.Program, []*request.Request{w.Stored(t, object.Name)}, giving(""))
		if err != nil {
			t.Fatal(err)
		}
		endpoint := w.Server.Endpoint
		endpoint.Cluster = name
		users = handoff.ByUser(users, endpoint, handed)
		two.worlds = append(two.worlds, w)
	}
	if len(users) != 1 || len(users[0].Parts) != len(names) || users[0].User.Name != "jane" {
		t.Fatalf("%+v", users)
	}
	two.of = users[0]
	return two
}

// text is the handoff file of both.
func (c *twoClusters) text(t *testing.T) []byte {
	t.Helper()
	handed, err := handoff.WriteSeveral(t.Context(), c.worlds[0].Program, c.of, giving("-"))
	if err != nil {
		t.Fatal(err)
	}
	return handed.Handoff
}

// check checks what was sent, and tells it to the first cluster's program.
func (c *twoClusters) check(t *testing.T, data []byte, trust handoff.Trust) ([]*handoff.Checked, error) {
	t.Helper()
	in := fetching(c.in, data)
	if trust.Confirm == nil {
		trust.Confirm = in.Trust.Confirm
	}
	in.Trust = trust
	sent, err := handoff.Parse(in)
	if err != nil {
		return nil, err
	}
	return sent.Check(t.Context(), func(string) *onboard.Program { return c.worlds[0].Program })
}

// fingerprint is that of a cluster's CA.
func (c *twoClusters) fingerprint(t *testing.T, i int) string {
	t.Helper()
	parsed, err := pki.ParseCertificate(c.worlds[i].Server.Endpoint.CertificateAuthority)
	if err != nil {
		t.Fatal(err)
	}
	return pki.AuthorityFingerprint(parsed.Leaf)
}

func TestSeveral_EachClusterIsConfirmedByItsOwnCA(t *testing.T) {
	two := handedOnTwo(t, "dev", "prod")
	data := two.text(t)
	dev, prod := two.fingerprint(t, 0), two.fingerprint(t, 1)
	for about, test := range map[string]struct {
		trust handoff.Trust
		want  error
		says  string
	}{
		"both":                {handoff.Trust{OfClusters: map[string][]string{"dev": {dev}, "prod": {prod}}}, nil, ""},
		"exchanged":           {handoff.Trust{OfClusters: map[string][]string{"dev": {prod}, "prod": {dev}}}, outcome.ErrChanged, `cluster "dev": `},
		"the same twice":      {handoff.Trust{OfClusters: map[string][]string{"dev": {dev}, "prod": {dev}}}, outcome.ErrChanged, `cluster "prod": `},
		"one more for one":    {handoff.Trust{OfClusters: map[string][]string{"dev": {dev, prod}, "prod": {prod}}}, outcome.ErrChanged, `cluster "dev": `},
		"one is missing":      {handoff.Trust{OfClusters: map[string][]string{"dev": {dev}}}, outcome.ErrChanged, `says nothing of the cluster "prod"`},
		"a third":             {handoff.Trust{OfClusters: map[string][]string{"dev": {dev}, "prod": {prod}, "test": {dev}}}, outcome.ErrChanged, `names the cluster "test", which is not in it`},
		"without a name":      {handoff.Trust{AuthorityFingerprints: []string{dev, prod}}, outcome.ErrUsage, "does not say for which"},
		"one without a name":  {handoff.Trust{AuthorityFingerprints: []string{prod}, OfClusters: map[string][]string{"dev": {dev}, "prod": {prod}}}, outcome.ErrUsage, "does not say for which"},
		"another letter case": {handoff.Trust{OfClusters: map[string][]string{"Dev": {dev}, "prod": {prod}}}, outcome.ErrChanged, `names the cluster "Dev"`},
	} {
		checked, err := two.check(t, data, test.trust)
		if test.says == "" {
			if err != nil || len(checked) != 2 || checked[0].Cluster != "dev" {
				t.Errorf("%s: %+v, %v", about, checked, err)
			}
			continue
		}
		if !errors.Is(err, test.want) || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s: %v, want %q", about, err, test.says)
		}
	}
}

// TestSeveral_AClusterWithoutACAIsAskedFor is for a server that is checked against the system's CAs.
func TestSeveral_AClusterWithoutACAIsAskedFor(t *testing.T) {
	two := handedOnTwo(t, "dev", "prod")
	dev := two.fingerprint(t, 0)
	two.of.Parts[1].Endpoint.CertificateAuthority = nil
	trust := handoff.Trust{OfClusters: map[string][]string{"dev": {dev}}}
	if _, err := two.check(t, two.text(t), trust); !errors.Is(err, errUnconfirmed) {
		t.Errorf("%v", err)
	}
	var asked []string
	trust.Confirm = func(_ context.Context, server string, _ []handoff.Authority) error {
		asked = append(asked, server)
		return nil
	}
	if _, err := two.check(t, two.text(t), trust); err != nil || !slices.Equal(asked, []string{two.worlds[1].Server.Endpoint.Server}) {
		t.Errorf("%v, %q were asked for", err, asked)
	}
	confirm := onboardtest.Told[handoff.ToConfirm](two.worlds[0])
	if len(confirm) == 0 || len(confirm[0].Endpoints) != 2 || len(confirm[0].Endpoints[1].Authorities) != 0 || len(confirm[0].KeyFingerprints) != 1 {
		t.Errorf("%+v", confirm)
	}
}

// TestSeveral_TheKeyIsThatOfTheCertificate is for a user who has a key of each cluster, and one of all.
func TestSeveral_TheKeyIsThatOfTheCertificate(t *testing.T) {
	two := handedOnTwo(t, "dev", "prod")
	data := two.text(t)
	all, err := two.check(t, data, handoff.Trust{})
	if err != nil {
		t.Fatal(err)
	}
	directory := two.in.Directory.ForCluster("prod")
	if _, err := all[1].Fetch(t.Context(), fetching(two.in, data).Kubeconfig, directory); err != nil {
		t.Fatal(err)
	}
	if written, err := os.ReadFile(directory.KubeconfigPath()); err != nil || !strings.Contains(string(written), "client-key-data") {
		t.Errorf("%s, %v", written, err)
	}
	if directory.HasKey() {
		t.Error("the key of all clusters was copied")
	}
	// The key of the cluster's own directory is another one than the certificate's.
	other := onboardtest.Asked(t, "jane", "dev")
	other.Directory = two.in.Directory.ForCluster("dev")
	two.worlds[0].Submit(t, other)
	if _, err := two.check(t, data, handoff.Trust{}); err != nil {
		t.Errorf("%v", err)
	}
	if err := os.Remove(other.Directory.KeyPath()); err != nil {
		t.Fatal(err)
	}
	// The key of the certificates is in the directories of the clusters alone.
	key, err := os.ReadFile(two.in.Directory.KeyPath())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(two.in.Directory.KeyPath()); err != nil {
		t.Fatal(err)
	}
	if _, err := two.check(t, data, handoff.Trust{}); err == nil || !strings.Contains(err.Error(), `private key of "jane" not found`) {
		t.Errorf("%v", err)
	}
	for _, name := range []string{"dev", "prod"} {
		of := two.in.Directory.ForCluster(name)
		if err := os.MkdirAll(filepath.Dir(of.KeyPath()), 0o700); err != nil {
			t.Fatal(err)
		}
		request, err := os.ReadFile(two.in.Directory.RequestPath())
		if err != nil {
			t.Fatal(err)
		}
		for path, text := range map[string][]byte{of.KeyPath(): key, of.RequestPath(): request} {
			if err := os.WriteFile(path, text, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	if _, err := two.check(t, data, handoff.Trust{}); err != nil {
		t.Errorf("%v", err)
	}
}

func TestSeveral_NothingIsCheckedInPart(t *testing.T) {
	two := handedOnTwo(t, "dev", "prod")
	// The second certificate is another user's.
	credentials := two.worlds[1].Server.Credentials(t, "sam")
	forged, err := pki.ParseCertificate(credentials.Certificate)
	if err != nil {
		t.Fatal(err)
	}
	two.of.Parts[1].Certificate = forged
	if checked, err := two.check(t, two.text(t), handoff.Trust{}); err == nil || checked != nil || !strings.Contains(err.Error(), `cluster "prod": `) {
		t.Errorf("%+v, %v", checked, err)
	}
}

func TestSeveral_AHostileNameOfAClusterStaysBelowTheUsersDirectory(t *testing.T) {
	for _, name := range []string{"../../x", "/etc/x", "..", ".", `a\b`, "a/b", strings.Repeat("x", 300)} {
		two := handedOnTwo(t, "dev", name)
		data := two.text(t)
		all, err := two.check(t, data, handoff.Trust{})
		if err != nil {
			// It is refused as a name.
			continue
		}
		for _, one := range all {
			directory := two.in.Directory.ForCluster(one.Cluster)
			below := filepath.Join(filepath.Dir(two.in.Directory.KeyPath()), "clusters")
			if filepath.Dir(filepath.Dir(directory.KubeconfigPath())) != below {
				t.Errorf("the files of %q are in %q", name, directory.KubeconfigPath())
			}
			if _, err := one.Fetch(t.Context(), fetching(two.in, data).Kubeconfig, directory); err != nil {
				t.Errorf("%q: %v", name, err)
			}
		}
	}
}

func TestSeveral_AUserWithoutTheSameGroupsEverywhereIsNamedAlone(t *testing.T) {
	certificate := handedOnTwo(t, "dev").of.Parts[0].Certificate
	users := handoff.ByUser(nil, kubeconfig.Endpoint{Cluster: "dev"}, []*handoff.HandedOff{
		{User: identity.User{Name: "jane", Groups: []string{"dev"}}, Certificate: certificate}, {User: identity.User{Name: "bob"}, Certificate: certificate},
	})
	users = handoff.ByUser(users, kubeconfig.Endpoint{Cluster: "prod"}, []*handoff.HandedOff{
		{User: identity.User{Name: "jane", Groups: []string{"ops"}}, Certificate: certificate}, {User: identity.User{Name: "bob"}, Certificate: certificate},
	})
	if len(users) != 2 || !users[0].User.Equal(identity.User{Name: "jane"}) || len(users[0].Parts) != 2 || users[1].User.Name != "bob" || users[1].Parts[1].Endpoint.Cluster != "prod" {
		t.Errorf("%+v", users)
	}
	users = handoff.ByUser(users, kubeconfig.Endpoint{Cluster: "prod"}, []*handoff.HandedOff{{User: identity.User{Name: "bob"}, Certificate: certificate}})
	w := onboardtest.New(t)
	if _, err := handoff.WriteSeveral(t.Context(), w.Program, users[1], giving("-")); err == nil || !strings.Contains(err.Error(), `two requests of "bob" were approved on the cluster "prod"`) {
		t.Errorf("%v", err)
	}
}

func TestSeveral_WhatAUserCannotAcceptForSeveralClustersIsRefused(t *testing.T) {
	for about, change := range map[string]func(*kubeconfig.Endpoint){
		"through a proxy": func(e *kubeconfig.Endpoint) { e.ProxyURL = "http://proxy.example.com" },
		"without a check": func(e *kubeconfig.Endpoint) { e.CertificateAuthority, e.InsecureSkipVerify = nil, true },
	} {
		w := onboardtest.New(t)
		endpoint := w.Server.Endpoint
		change(&endpoint)
		err := handoff.CheckSeveral(t.Context(), endpoint, identity.User{Name: "jane"}, []kubeconfig.Endpoint{endpoint}, giving(t.TempDir()))
		if !errors.Is(err, outcome.ErrUsage) || !strings.Contains(err.Error(), about) {
			t.Errorf("%s: %v", about, err)
		}
		if err := handoff.CheckSeveral(t.Context(), endpoint, identity.User{Name: "jane"}, []kubeconfig.Endpoint{endpoint}, giving("")); err != nil {
			t.Errorf("%s, and nothing is written: %v", about, err)
		}
	}
}
