package e2e

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/pki"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
	"github.com/csr-onboard/kubectl-csr-onboard/test/controlplane"
	"github.com/csr-onboard/kubectl-csr-onboard/test/hostile"
)

// authority is a plane's certificate authority, whose certificates begin and end
// when a test wants.
type authority struct {
	certificate *x509.Certificate
	key         any
}

func authorityFor(t *testing.T, plane *controlplane.Plane) *authority {
	t.Helper()
	path := plane.CertificateAuthority
	certificatePEM, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	keyPEM, err := os.ReadFile(strings.TrimSuffix(path, ".crt") + ".key")
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := pki.ParseCertificate(certificatePEM)
	if err != nil {
		t.Fatal(err)
	}
	key, err := pki.ParseKey(keyPEM)
	if err != nil {
		t.Fatal(err)
	}
	return &authority{certificate: certificate.Leaf, key: key}
}

// sign issues a client certificate, in PEM.
func (a *authority) sign(t testing.TB, user identity.User, key any, notBefore, notAfter time.Time, forgeries ...hostile.Forgery) []byte {
	t.Helper()
	return hostile.Signer{Certificate: a.certificate, Key: a.key}.Sign(t, user, key, notBefore, notAfter, forgeries...)
}

// holder is a session whose kubeconfig logs in with a client certificate of a user
// who can ask for another. The kubeconfig is the file "config".
func holder(t *testing.T, plane *controlplane.Plane, user identity.User, notBefore, notAfter time.Time) *session {
	t.Helper()
	s := newSession(t, plane)
	s.must("grant", user.Name, "--renewable")
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	encoded, err := pki.EncodeKey(key)
	if err != nil {
		t.Fatal(err)
	}
	config := s.loadFrom(plane.Kubeconfig)
	context := config.Contexts[config.CurrentContext]
	login := user.Name + "@" + context.Cluster
	config.AuthInfos = map[string]*clientcmdapi.AuthInfo{login: {
		ClientCertificateData: authorityFor(t, plane).sign(t, user, key.Public(), notBefore, notAfter),
		ClientKeyData:         encoded,
	}}
	config.Contexts = map[string]*clientcmdapi.Context{login: {Cluster: context.Cluster, AuthInfo: login}}
	config.CurrentContext = login
	if err := clientcmd.WriteToFile(*config, s.path("config")); err != nil {
		t.Fatal(err)
	}
	s.env.Kubeconfig = s.path("config")
	return s
}

// ending is a holder whose certificate is in the last third of its life and good for
// some minutes.
func ending(t *testing.T, name string) *session {
	t.Helper()
	return holder(t, shared, identity.User{Name: name, Groups: []string{"dev"}}, time.Now().Add(-time.Hour), time.Now().Add(8*time.Minute))
}

// admin is the administrator on the same machine.
func (s *session) admin() *session {
	other := *s
	other.env.Kubeconfig = s.plane.Kubeconfig
	return &other
}

// certificate is what the kubeconfig's only user logs in with.
func (s *session) certificate(kubeconfig string) *pki.Certificate {
	s.t.Helper()
	config := s.load(kubeconfig)
	for _, user := range config.AuthInfos {
		data := user.ClientCertificateData
		if user.Exec != nil {
			return (&session{t: s.t}).certificate(filepath.Join(user.Exec.Args[2], "kubeconfig"))
		}
		if user.ClientCertificate != "" {
			path := user.ClientCertificate
			if !filepath.IsAbs(path) {
				path = s.path(path)
			}
			var err error
			if data, err = os.ReadFile(path); err != nil {
				s.t.Fatal(err)
			}
		}
		certificate, err := pki.ParseCertificate(data)
		if err != nil {
			s.t.Fatal(err)
		}
		return certificate
	}
	s.t.Fatal("there is no user")
	return nil
}

// submittedBy lists the requests that a user has submitted.
func submittedBy(t testing.TB, client kubernetes.Interface, user string) []certificatesv1.CertificateSigningRequest {
	t.Helper()
	list, err := client.CertificatesV1().CertificateSigningRequests().List(context.Background(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var of []certificatesv1.CertificateSigningRequest
	for _, object := range list.Items {
		if object.Spec.Username == user {
			of = append(of, object)
		}
	}
	return of
}

// approvesRequestsOf approves every request that a user submits, when it is due, until
// the test ends.
func approvesRequestsOf(t *testing.T, client kubernetes.Interface, user string) {
	t.Helper()
	watchesRequests(t, client, func(ctx context.Context, object *certificatesv1.CertificateSigningRequest) error {
		if object.Spec.Username != user || request.StateOf(request.Of(object)) != request.Pending {
			return nil
		}
		return approveObject(ctx, client, object)
	})
}

// watchesRequests hands over each version of every request, until the test ends. That
// another version or none is there by then is not an error.
func watchesRequests(t *testing.T, client kubernetes.Interface, visit func(context.Context, *certificatesv1.CertificateSigningRequest) error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	t.Cleanup(func() { cancel(); <-done })
	stream, err := client.CertificatesV1().CertificateSigningRequests().Watch(ctx, metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(done)
		defer stream.Stop()
		for event := range stream.ResultChan() {
			object, isRequest := event.Object.(*certificatesv1.CertificateSigningRequest)
			if !isRequest {
				continue
			}
			if err := visit(ctx, object); err != nil && ctx.Err() == nil && !apierrors.IsConflict(err) && !apierrors.IsNotFound(err) {
				t.Error(err)
			}
		}
	}()
}

func approveObject(ctx context.Context, client kubernetes.Interface, object *certificatesv1.CertificateSigningRequest) error {
	object = object.DeepCopy()
	object.Status.Conditions = append(object.Status.Conditions, certificatesv1.CertificateSigningRequestCondition{
		Type: certificatesv1.CertificateApproved, Status: corev1.ConditionTrue, Reason: "Test", Message: "approved by a test",
	})
	_, err := client.CertificatesV1().CertificateSigningRequests().UpdateApproval(ctx, object.Name, object, metav1.UpdateOptions{})
	return err
}
