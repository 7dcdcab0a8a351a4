package ledger

import (
	"context"
	"crypto/ecdsa"
	"encoding/pem"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"

	controllers "github.com/csr-onboard/kubectl-csr-onboard/pkg/controller"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/ledger"
	"github.com/csr-onboard/kubectl-csr-onboard/test/program"
)

// workers is how many certificates are asked for at the same time.
const workers = 4

// approve approves a request by a client of its own, and waits until it is signed.
func approve(ctx context.Context, client kubernetes.Interface, object *certificatesv1.CertificateSigningRequest) ([]byte, error) {
	requests := client.CertificatesV1().CertificateSigningRequests()
	for {
		found, err := requests.Get(ctx, object.Name, metav1.GetOptions{})
		if err != nil {
			return nil, err
		}
		if len(found.Status.Certificate) > 0 {
			return found.Status.Certificate, nil
		}
		if len(found.Status.Conditions) > 0 {
			continue
		}
		found.Status.Conditions = []certificatesv1.CertificateSigningRequestCondition{{
			Type: certificatesv1.CertificateApproved, Status: corev1.ConditionTrue, Reason: "ByTest", Message: "by a test",
		}}
		// A conflict is tried again: somebody has written the object meanwhile.
		_, _ = requests.UpdateApproval(ctx, object.Name, found, metav1.UpdateOptions{})
	}
}

// The four ways in which a certificate is issued. Each leaves one that belongs to a user alone.

func byOurCommands(t *testing.T, user string) error {
	output, err := exec.CommandContext(t.Context(), plugin, "new-user", user, "--approve", "--timeout=2m", "--kubeconfig", shared.plane.Kubeconfig,
		"--out", filepath.Join(t.TempDir(), user)).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%w: %s", err, output)
	}
	return nil
}

func byKubectl(t *testing.T, user string) error {
	wanted, _, err := requestFor(user, user)
	if err != nil {
		return err
	}
	if _, err := shared.admin.CertificatesV1().CertificateSigningRequests().Create(t.Context(), wanted, metav1.CreateOptions{}); err != nil {
		return err
	}
	return shared.plane.Kubectl(t.Context(), "", "certificate", "approve", user)
}

func byOwnClient(t *testing.T, user string) error {
	_, _, err := issue(t.Context(), shared.admin, user, user)
	return err
}

// issue has a certificate issued, and returns it in PEM and its key.
func issue(ctx context.Context, client kubernetes.Interface, name, user string) ([]byte, *ecdsa.PrivateKey, error) {
	wanted, key, err := requestFor(name, user)
	if err != nil {
		return nil, nil, err
	}
	created, err := client.CertificatesV1().CertificateSigningRequests().Create(ctx, wanted, metav1.CreateOptions{})
	if err != nil {
		return nil, nil, err
	}
	certificate, err := approve(ctx, shared.admin, created)
	return certificate, key, err
}

func TestRecorder_LosesNothingAndRecordsNothingTwice(t *testing.T) {
	certificates, kills := program.Times(1000, 60), program.Times(100, 4)
	ways := []func(*testing.T, string) error{byOurCommands, byKubectl, byOwnClient}
	var working sync.WaitGroup
	next := make(chan int)
	for range workers {
		working.Go(func() {
			for i := range next {
				user := fmt.Sprintf("many-%04d", i)
				if err := ways[i%len(ways)](t, user); err != nil {
					t.Errorf("%s: %v", user, err)
				}
			}
		})
	}
	renewals := certificates / 4
	working.Go(func() { renewMany(t, renewals) })
	done := make(chan struct{})
	go func() {
		for i := range certificates - renewals {
			next <- i
		}
		close(next)
		working.Wait()
		close(done)
	}()
	t.Cleanup(func() {
		if shared.recorder == nil {
			if err := shared.start(); err != nil {
				t.Error(err)
			}
		}
	})
	leases := shared.admin.CoordinationV1().Leases(ledger.Namespace)
	for kill := range kills {
		// Wherever it is by then.
		awaitLeader(t, time.Duration(rand.IntN(400))*time.Millisecond) //nolint:gosec // Any moment will do.
		if kill%4 == 3 {
			if err := leases.Delete(t.Context(), controllers.LeaseName("ledger"), metav1.DeleteOptions{}); err != nil {
				t.Error(err)
			}
		}
		shared.kill()
		if err := shared.start(); err != nil {
			t.Fatal(err)
		}
	}
	<-done
	var found map[string][]string
	until(t, fmt.Sprintf("%d certificates recorded", certificates), func() bool {
		found = shared.records(t, "many-")
		count := 0
		for _, names := range found {
			count += len(names)
		}
		return count >= certificates
	})
	for user, names := range found {
		expected := 1
		if user == "many-renewed" {
			expected = renewals
		}
		if len(names) != expected {
			t.Errorf("%s has %d records: %v", user, len(names), names)
		}
	}
}

// awaitLeader waits until a recorder leads, and so long after that.
func awaitLeader(t *testing.T, after time.Duration) {
	t.Helper()
	begun := ""
	until(t, "a leader", func() bool {
		lease, err := shared.admin.CoordinationV1().Leases(ledger.Namespace).Get(t.Context(), controllers.LeaseName("ledger"), metav1.GetOptions{})
		if err != nil || lease.Spec.RenewTime == nil || lease.Spec.HolderIdentity == nil {
			return false
		}
		if begun == "" {
			begun = lease.Spec.RenewTime.String()
		}
		return lease.Spec.RenewTime.String() != begun && time.Since(lease.Spec.RenewTime.Time) > after
	})
}

// renewMany has a user renew a certificate again and again, each time with the one before.
func renewMany(t *testing.T, times int) {
	const user = "many-renewed"
	if err := shared.plane.AddUser(t.Context(), user, nil, requester...); err != nil {
		t.Error(err)
		return
	}
	client := shared.admin
	for i := range times {
		certificate, key, err := issue(t.Context(), client, fmt.Sprintf("%s-%d", user, i), user)
		if err != nil {
			t.Error(err)
			return
		}
		client = shared.withCertificate(t, firstBlock(certificate), key)
		if i == 0 {
			until(t, user+" is permitted", func() bool {
				_, err := client.CertificatesV1().CertificateSigningRequests().List(t.Context(), metav1.ListOptions{Limit: 1})
				return err == nil
			})
		}
	}
}

func TestRecorder_RecordsWithinTwoSeconds(t *testing.T) {
	requests := shared.admin.CertificatesV1().CertificateSigningRequests()
	total := program.Times(1000, 100)
	awaitLeader(t, 0)
	var mutex sync.Mutex
	issuedAt, recordedAt := map[string]time.Time{}, map[string]time.Time{}
	signed, err := requests.Watch(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer signed.Stop()
	written, err := shared.any.Resource(recordsResource).Watch(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer written.Stop()
	take := func(from watch.Interface, into map[string]time.Time, nameOf func(watch.Event) string) {
		for event := range from.ResultChan() {
			if name := nameOf(event); name != "" {
				mutex.Lock()
				if into[name].IsZero() {
					into[name] = time.Now()
				}
				mutex.Unlock()
			}
		}
	}
	go take(signed, issuedAt, func(event watch.Event) string {
		object, isRequest := event.Object.(*certificatesv1.CertificateSigningRequest)
		if !isRequest || len(object.Status.Certificate) == 0 {
			return ""
		}
		return ledger.NameOf(firstBlock(object.Status.Certificate))
	})
	go take(written, recordedAt, func(event watch.Event) string {
		object, isRecord := event.Object.(metav1.Object)
		if !isRecord {
			return ""
		}
		return object.GetName()
	})
	var working sync.WaitGroup
	next := make(chan int)
	expected := make(chan string, total)
	for range workers {
		working.Go(func() {
			for i := range next {
				certificate, _, err := issue(t.Context(), shared.admin, fmt.Sprintf("lag-%04d", i), "lag")
				if err != nil {
					t.Error(err)
					continue
				}
				expected <- ledger.NameOf(firstBlock(certificate))
			}
		})
	}
	for i := range total {
		next <- i
	}
	close(next)
	working.Wait()
	close(expected)
	var lags []time.Duration
	for name := range expected {
		until(t, "both seen", func() bool {
			mutex.Lock()
			defer mutex.Unlock()
			return !issuedAt[name].IsZero() && !recordedAt[name].IsZero()
		})
		mutex.Lock()
		lags = append(lags, recordedAt[name].Sub(issuedAt[name]))
		mutex.Unlock()
	}
	slices.Sort(lags)
	p99 := lags[len(lags)*99/100]
	t.Logf("%d certificates: p50 %s, p99 %s, most %s", len(lags), lags[len(lags)/2], p99, lags[len(lags)-1])
	if p99 > 2*time.Second {
		t.Errorf("the lag's p99 is %s", p99)
	}
}

// firstBlock is the first certificate in PEM, in DER.
func firstBlock(certificate []byte) []byte {
	block, _ := pem.Decode(certificate)
	return block.Bytes
}
