package approve

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/util/retry"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/pki"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
	"github.com/csr-onboard/kubectl-csr-onboard/test/program"
)

// ask is a request that somebody submits.
type ask struct {
	// user and groups are who it is for.
	user   string
	groups []string
	// by is the requester, and in are the requester's groups; the user of it otherwise.
	by string
	in []string
	// with is the credential id that the requester is logged in with. Optional.
	with string
	// lifetime is what is requested; 0 for nothing.
	lifetime time.Duration
	// key is the key; a new one otherwise.
	key crypto.Signer
	// change makes another object of it. Optional.
	change func(*certificatesv1.CertificateSigningRequest)
}

// newKey makes a key of the default algorithm.
func newKey(t *testing.T) crypto.Signer {
	t.Helper()
	key, err := pki.NewKey(pki.DefaultKeyAlgorithm)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// object is the request as it is submitted.
func (a ask) object(t *testing.T) *certificatesv1.CertificateSigningRequest {
	t.Helper()
	key := a.key
	if key == nil {
		key = newKey(t)
	}
	made, err := pki.NewRequest(key, identity.User{Name: a.user, Groups: a.groups})
	if err != nil {
		t.Fatal(err)
	}
	suffix := make([]byte, 5)
	_, _ = rand.Read(suffix)
	object := request.Build(made, request.Terms{Lifetime: a.lifetime, Name: "test-" + hex.EncodeToString(suffix)}).CertificateSigningRequest
	if a.lifetime == 0 {
		object.Spec.ExpirationSeconds = nil
	}
	if a.change != nil {
		a.change(object)
	}
	return object
}

// as is a client that acts as somebody, logged in with a credential.
func (c *cluster) as(t *testing.T, user string, groups []string, credential string) kubernetes.Interface {
	t.Helper()
	config := rest.CopyConfig(c.config)
	config.Impersonate = rest.ImpersonationConfig{UserName: user, Groups: groups}
	if credential != "" {
		config.Impersonate.Extra = map[string][]string{"authentication.kubernetes.io/credential-id": {credential}}
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// submit submits a request as its requester.
func (c *cluster) submit(t *testing.T, a ask) *certificatesv1.CertificateSigningRequest {
	t.Helper()
	by, in := a.by, a.in
	if by == "" {
		by = a.user
		if in == nil {
			in = a.groups
		}
	}
	stored, err := c.as(t, by, in, a.with).CertificatesV1().CertificateSigningRequests().Create(t.Context(), a.object(t), metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return stored
}

// delete removes requests.
func (c *cluster) delete(t *testing.T, objects ...*certificatesv1.CertificateSigningRequest) {
	t.Helper()
	for _, object := range objects {
		err := c.admin.CertificatesV1().CertificateSigningRequests().Delete(t.Context(), object.Name, metav1.DeleteOptions{})
		if err != nil && !apierrors.IsNotFound(err) {
			t.Error(err)
		}
	}
}

// approve approves a request as somebody, unless the approver has, which may be at the same time.
func approve(t *testing.T, client kubernetes.Interface, object *csr) error {
	t.Helper()
	requests := client.CertificatesV1().CertificateSigningRequests()
	return retry.RetryOnConflict(retry.DefaultRetry, func() error {
		now, err := requests.Get(t.Context(), object.Name, metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if request.StateOf(request.Of(now)) != request.Pending {
			return nil
		}
		now.Status.Conditions = append(now.Status.Conditions, certificatesv1.CertificateSigningRequestCondition{
			Type: certificatesv1.CertificateApproved, Status: corev1.ConditionTrue, Reason: "Test", Message: "by the test",
		})
		_, err = requests.UpdateApproval(t.Context(), now.Name, now, metav1.UpdateOptions{})
		return err
	})
}

// issued gives a user a certificate that an administrator requested, and returns its credential id and
// its key.
func (c *cluster) issued(t *testing.T, user string, groups ...string) (credential string, key crypto.Signer) {
	t.Helper()
	key = newKey(t)
	object := c.submit(t, ask{user: user, groups: groups, by: "system:admin", in: []string{"system:masters"}, lifetime: time.Hour, key: key})
	requests := c.admin.CertificatesV1().CertificateSigningRequests()
	if err := approve(t, c.admin, object); err != nil {
		t.Fatal(err)
	}
	until(t, "the certificate of "+user, func() bool {
		now, err := requests.Get(t.Context(), object.Name, metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		credential = credentialOf(now.Status.Certificate)
		return credential != ""
	})
	return credential, key
}

// credentialOf is the credential id of a certificate; "" of none.
func credentialOf(certificate []byte) string {
	block, _ := pem.Decode(certificate)
	if block == nil {
		return ""
	}
	if _, err := x509.ParseCertificate(block.Bytes); err != nil {
		return ""
	}
	sum := sha256.Sum256(block.Bytes)
	return "X509SHA256=" + hex.EncodeToString(sum[:])
}

// until waits until something is so.
func until(t *testing.T, what string, is func() bool) {
	t.Helper()
	within(t, 60*time.Second, what, is)
}

func within(t *testing.T, most time.Duration, what string, is func() bool) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for begin := time.Now(); !is(); <-tick.C {
		if time.Since(begin) > most {
			t.Fatalf("%s: not within %s", what, most)
		}
	}
}

// outcome is what came of a request, and by which policy or why.
type outcome struct{ what, says string }

// outcomeOf is what came of a request; the zero outcome while nothing did.
func (c *cluster) outcomeOf(t *testing.T, object *certificatesv1.CertificateSigningRequest) outcome {
	t.Helper()
	now, err := c.admin.CertificatesV1().CertificateSigningRequests().Get(t.Context(), object.Name, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, condition := range now.Status.Conditions {
		switch condition.Reason {
		case request.PolicyApprovedReason:
			return outcome{"Approved", condition.Message}
		case request.PolicyDeniedReason:
			return outcome{"Denied", condition.Message}
		}
	}
	event, err := c.admin.CoreV1().Events("kube-system").Get(t.Context(), "csr-onboard-approver."+string(object.UID), metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return outcome{}
	}
	if err != nil {
		t.Fatal(err)
	}
	if event.Reason == "PolicyError" {
		return outcome{"Error", event.Message}
	}
	return outcome{event.Reason, event.Message}
}

// await waits until something came of a request.
func (c *cluster) await(t *testing.T, object *certificatesv1.CertificateSigningRequest) outcome {
	t.Helper()
	var got outcome
	until(t, "an outcome of "+object.Name, func() bool {
		got = c.outcomeOf(t, object)
		return got != outcome{}
	})
	return got
}

// apply applies objects until the end of the test.
func (c *cluster) apply(t *testing.T, text string) {
	t.Helper()
	if err := c.plane.Kubectl(t.Context(), text, "apply", "-f", "-"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		// The context of a test ends before its cleanup.
		if err := c.plane.Kubectl(context.WithoutCancel(t.Context()), text, "delete", "--ignore-not-found", "-f", "-"); err != nil {
			t.Error(err)
		}
	})
}

// example is the text of an example of deploy/.
func example(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "deploy", "examples", name+".yaml"))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// everything is the most permissive policy that can be written, for everybody.
const everything = `apiVersion: csr-onboard.github.io/v1alpha1
kind: ApprovalPolicy
metadata: {name: everything}
spec:
  action: Approve
  accept: [requested-by-other, more-than-requester, unexpected-extension]
` + useAny

// useAny lets everybody use every policy.
const useAny = `---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: test-use-any}
rules:
- {apiGroups: [csr-onboard.github.io], resources: [approvalpolicies], verbs: [use]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: test-use-any}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: test-use-any}
subjects:
- {apiGroup: rbac.authorization.k8s.io, kind: Group, name: "system:authenticated"}
`

// runPlugin runs the plugin as the administrator.
func (c *cluster) runPlugin(t *testing.T, arguments ...string) program.Result {
	t.Helper()
	return program.Run(t, program.Environment{Path: []string{directory}, Home: t.TempDir(), Kubeconfig: c.plane.Kubeconfig}.Command(t.Context(), program.Name, arguments...))
}

// inParallel does something for each number below n.
func inParallel(n, workers int, do func(int)) {
	var working sync.WaitGroup
	numbers := make(chan int)
	for range workers {
		working.Go(func() {
			for i := range numbers {
				do(i)
			}
		})
	}
	for i := range n {
		numbers <- i
	}
	close(numbers)
	working.Wait()
}

// policyOf is an Approve policy with a condition.
func policyOf(name, action, expression string) string {
	return fmt.Sprintf(`apiVersion: csr-onboard.github.io/v1alpha1
kind: ApprovalPolicy
metadata: {name: %s}
spec:
  action: %s
  conditions:
  - {name: condition, expression: %q, message: because}
`, name, action, strings.ReplaceAll(expression, "\n", " "))
}

// deleteAfter deletes requests after a test.
func (c *cluster) deleteAfter(t *testing.T, objects []*certificatesv1.CertificateSigningRequest) {
	t.Helper()
	for _, object := range objects {
		// The context of a test ends before its cleanup.
		err := c.admin.CertificatesV1().CertificateSigningRequests().Delete(context.WithoutCancel(t.Context()), object.Name, metav1.DeleteOptions{})
		if err != nil && !apierrors.IsNotFound(err) {
			t.Error(err)
		}
	}
}

// rsaKey makes an RSA key.
func rsaKey(t *testing.T) crypto.Signer {
	t.Helper()
	key, err := pki.NewKey("rsa-2048")
	if err != nil {
		t.Fatal(err)
	}
	return key
}
