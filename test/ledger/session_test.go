package ledger

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/access"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/ledger"
)

// requestFor is a request of a user with a new key.
func requestFor(name, user string, groups ...string) (*certificatesv1.CertificateSigningRequest, *ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: user, Organization: groups}}, key)
	if err != nil {
		return nil, nil, err
	}
	lifetime := int32(3600)
	return &certificatesv1.CertificateSigningRequest{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: certificatesv1.CertificateSigningRequestSpec{
			Request:    pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}),
			SignerName: certificatesv1.KubeAPIServerClientSignerName, Usages: []certificatesv1.KeyUsage{certificatesv1.UsageClientAuth},
			ExpirationSeconds: &lifetime,
		},
	}, key, nil
}

// probe creates a request and tries to remove its finalizer, and cleans up.
func (c *cluster) probe(ctx context.Context) (isHeld, isGuarded bool, _ error) {
	requests := c.admin.CertificatesV1().CertificateSigningRequests()
	wanted, _, err := requestFor("probe", "probe")
	if err != nil {
		return false, false, err
	}
	created, err := requests.Create(ctx, wanted, metav1.CreateOptions{})
	if err != nil {
		return false, false, err
	}
	isHeld = slices.Contains(created.Finalizers, ledger.Finalizer)
	// The guard refuses an annotation as well, which no finalizer has to be there for.
	stamped := created.DeepCopy()
	stamped.Annotations = map[string]string{ledger.DecidedByAnnotation: "nobody"}
	_, err = requests.Update(ctx, stamped, metav1.UpdateOptions{})
	isGuarded = apierrors.IsForbidden(err)
	return isHeld, isGuarded, c.discard(ctx, "probe")
}

// discard deletes a request and its finalizer, as nobody but the recorder can once the guard is in
// force: with its credentials.
func (c *cluster) discard(ctx context.Context, name string) error {
	requests := c.admin.CertificatesV1().CertificateSigningRequests()
	if err := requests.Delete(ctx, name, metav1.DeleteOptions{}); err != nil {
		return err
	}
	recorder, err := kubernetesFor(c.kubeconfig)
	if err != nil {
		return err
	}
	// API servers learn of roles by a watch.
	for begin := time.Now(); ; {
		_, err = recorder.CertificatesV1().CertificateSigningRequests().Patch(ctx, name, types.MergePatchType, []byte(`{"metadata":{"finalizers":null}}`), metav1.PatchOptions{})
		if err == nil || apierrors.IsNotFound(err) {
			return nil
		}
		if time.Since(begin) > 30*time.Second {
			return err
		}
	}
}

// submit creates a request.
func submit(t *testing.T, client kubernetes.Interface, name, user string, groups ...string) *certificatesv1.CertificateSigningRequest {
	t.Helper()
	wanted, _, err := requestFor(name, user, groups...)
	if err != nil {
		t.Fatal(err)
	}
	created, err := client.CertificatesV1().CertificateSigningRequests().Create(t.Context(), wanted, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return created
}

// decide approves or denies a request, in whatever version it is.
func decide(t *testing.T, client kubernetes.Interface, name string, decision certificatesv1.RequestConditionType) *certificatesv1.CertificateSigningRequest {
	t.Helper()
	requests := client.CertificatesV1().CertificateSigningRequests()
	for {
		object, err := requests.Get(t.Context(), name, metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		object.Status.Conditions = append(object.Status.Conditions, certificatesv1.CertificateSigningRequestCondition{
			Type: decision, Status: corev1.ConditionTrue, Reason: "ByTest", Message: "by a test",
		})
		decided, err := requests.UpdateApproval(t.Context(), name, object, metav1.UpdateOptions{})
		if err == nil {
			return decided
		}
		if !apierrors.IsConflict(err) {
			t.Fatal(err)
		}
	}
}

// issued waits until a request has a certificate, and returns it in DER.
func (c *cluster) issued(t *testing.T, name string) []byte {
	t.Helper()
	var der []byte
	until(t, name+" issued", func() bool {
		object, err := c.admin.CertificatesV1().CertificateSigningRequests().Get(t.Context(), name, metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		block, _ := pem.Decode(object.Status.Certificate)
		if block != nil {
			der = block.Bytes
		}
		return der != nil
	})
	return der
}

var recordsResource = ledger.GroupVersion.WithResource(ledger.Resource)

// record is the record of a name; nil if there is none.
func (c *cluster) record(t *testing.T, name string) *ledger.ClientCertificate {
	t.Helper()
	found, err := c.any.Resource(recordsResource).Get(t.Context(), name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	var record ledger.ClientCertificate
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(found.Object, &record); err != nil {
		t.Fatal(err)
	}
	return &record
}

// recorded waits for the record of a certificate in DER.
func (c *cluster) recorded(t *testing.T, der []byte) (record *ledger.ClientCertificate) {
	t.Helper()
	until(t, "a record of the certificate", func() bool {
		record = c.record(t, ledger.NameOf(der))
		return record != nil
	})
	return record
}

// records are the names of all records of users whose name has a prefix, by user.
func (c *cluster) records(t *testing.T, prefix string) map[string][]string {
	t.Helper()
	found := map[string][]string{}
	options := metav1.ListOptions{Limit: 500}
	for {
		page, err := c.any.Resource(recordsResource).List(t.Context(), options)
		if err != nil {
			t.Fatal(err)
		}
		for _, item := range page.Items {
			spec, _ := item.Object["spec"].(map[string]any)
			if user, _ := spec["user"].(string); strings.HasPrefix(user, prefix) {
				found[user] = append(found[user], item.GetName())
			}
		}
		if options.Continue = page.GetContinue(); options.Continue == "" {
			return found
		}
	}
}

// user makes a user who can create, see and delete requests, and returns a client of theirs.
func (c *cluster) user(t *testing.T, name string, rules ...rbacv1.PolicyRule) kubernetes.Interface {
	t.Helper()
	if err := c.plane.AddUser(t.Context(), name, nil, rules...); err != nil {
		t.Fatal(err)
	}
	client := clientOf(t, c.plane.KubeconfigOf(name))
	if len(rules) > 0 {
		// API servers learn of roles by a watch.
		until(t, name+" is permitted", func() bool {
			_, err := client.CertificatesV1().CertificateSigningRequests().List(t.Context(), metav1.ListOptions{Limit: 1})
			return err == nil
		})
	}
	return client
}

// authority is a certificate authority of a test's own.
type authority struct {
	certificate *x509.Certificate
	key         crypto.Signer
}

// clientAuthority is the one whose client certificates the API server accepts.
func (c *cluster) clientAuthority(t *testing.T) authority {
	t.Helper()
	certificate, err := os.ReadFile(filepath.Join(c.plane.Directory, "client-ca.crt"))
	if err != nil {
		t.Fatal(err)
	}
	key, err := os.ReadFile(filepath.Join(c.plane.Directory, "client-ca.key"))
	if err != nil {
		t.Fatal(err)
	}
	certificateBlock, _ := pem.Decode(certificate)
	keyBlock, _ := pem.Decode(key)
	parsed, err := x509.ParseCertificate(certificateBlock.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.ParseECPrivateKey(keyBlock.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return authority{parsed, private}
}

// newAuthority is one that nobody knows.
func newAuthority(t *testing.T) authority {
	t.Helper()
	key := newKey(t)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "unknown"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return authority{certificate, key}
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// sign makes a client certificate for an hour, in DER.
func (a authority) sign(t *testing.T, user string, key crypto.PublicKey) []byte {
	t.Helper()
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: user}, NotBefore: time.Now().Add(-time.Minute), NotAfter: time.Now().Add(time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.certificate, key, a.key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func encode(ders ...[]byte) (text []byte) {
	for _, der := range ders {
		text = append(text, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})...)
	}
	return text
}

// submitted is submit, and returns the key.
func submitted(t *testing.T, client kubernetes.Interface, name, user string, groups ...string) *ecdsa.PrivateKey {
	t.Helper()
	wanted, key, err := requestFor(name, user, groups...)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.CertificatesV1().CertificateSigningRequests().Create(t.Context(), wanted, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	return key
}

// withCertificate is a client that logs in with a certificate in DER.
func (c *cluster) withCertificate(t *testing.T, der []byte, key *ecdsa.PrivateKey) kubernetes.Interface {
	t.Helper()
	config, err := c.plane.RESTConfig()
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	config.CertData, config.KeyData = encode(der), pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: keyDER})
	config.QPS = -1
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// keyOf is the public key that a request is for.
func keyOf(t *testing.T, object *certificatesv1.CertificateSigningRequest) crypto.PublicKey {
	t.Helper()
	block, _ := pem.Decode(object.Spec.Request)
	request, err := x509.ParseCertificateRequest(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return request.PublicKey
}

func readFile(path string) (string, error) {
	text, err := os.ReadFile(path)
	return string(text), err
}

// exitCode is the exit code of a program that has ended; -1 of one that could not be started.
func exitCode(err error) int {
	var exit *exec.ExitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &exit):
		return exit.ExitCode()
	}
	return -1
}

func toUnstructured(object map[string]any) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: object}
}

// block puts an entry of the list of who is revoked on the cluster.
func (c *cluster) block(t *testing.T, value string) {
	t.Helper()
	list := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: access.BlockName, Namespace: access.BlockNamespace}, Data: map[string]string{}}
	configMaps := c.admin.CoreV1().ConfigMaps(access.BlockNamespace)
	if _, err := configMaps.Create(t.Context(), list, metav1.CreateOptions{}); err != nil && !apierrors.IsAlreadyExists(err) {
		t.Fatal(err)
	}
	_, name, _ := strings.Cut(value, ":")
	blocked := access.Blocked{CredentialID: name}
	patch := fmt.Appendf(nil, `{"data":{%q:%q}}`, blocked.Key(), value)
	if _, err := configMaps.Patch(t.Context(), access.BlockName, types.MergePatchType, patch, metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
}
