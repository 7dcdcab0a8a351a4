package ledger

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/ledger"
)

// onRequests is a rule about requests.
func onRequests(resource string, verbs ...string) rbacv1.PolicyRule {
	return rbacv1.PolicyRule{APIGroups: []string{"certificates.k8s.io"}, Resources: []string{resource}, Verbs: verbs}
}

// forSigner is a rule about the signer of client certificates.
func forSigner(verb string) rbacv1.PolicyRule {
	rule := onRequests("signers", verb)
	rule.ResourceNames = []string{certificatesv1.KubeAPIServerClientSignerName}
	return rule
}

// requester may do to requests what a user may who submits them, and clean up.
var requester = []rbacv1.PolicyRule{onRequests("certificatesigningrequests", "create", "get", "list", "watch", "delete", "update", "patch")}

// approver may approve and sign as well.
var approver = slices.Concat(requester, []rbacv1.PolicyRule{
	onRequests("certificatesigningrequests/approval", "update", "patch"), onRequests("certificatesigningrequests/status", "update", "patch"), forSigner("approve"), forSigner("sign"),
})

func TestRecorder_RecordsWhoAskedAndWhoApproved(t *testing.T) {
	asking, approving := shared.user(t, "rita", requester...), shared.user(t, "adam", approver...)
	submit(t, asking, "recorded", "reto", "dev", "ops")
	decide(t, approving, "recorded", certificatesv1.CertificateApproved)
	der := shared.issued(t, "recorded")
	record := shared.recorded(t, der)
	spec := record.Spec
	if spec.User != "reto" || !slices.Equal(spec.Groups, []string{"dev", "ops"}) || spec.Requester.User != "rita" || !spec.Verified ||
		spec.Request.Name != "recorded" || spec.Request.LifetimeSeconds != 3600 || spec.Decision.Reason != "ByTest" || spec.Source != ledger.FromCluster {
		t.Errorf("%+v", spec)
	}
	by := "adam"
	if !shared.stamps {
		// Nothing has observed it, and a guess would be worse.
		by = ""
	}
	if spec.Decision.By != by || record.ApprovedBy() != by {
		t.Errorf("approved by %q", spec.Decision.By)
	}
	until(t, "the finalizer removed", func() bool {
		object, err := shared.admin.CertificatesV1().CertificateSigningRequests().Get(t.Context(), "recorded", metav1.GetOptions{})
		return err == nil && !slices.Contains(object.Finalizers, ledger.Finalizer)
	})
	_, err := shared.any.Resource(recordsResource).Patch(t.Context(), record.Name, types.MergePatchType, []byte(`{"spec":{"user":"other"}}`), metav1.PatchOptions{})
	if !apierrors.IsInvalid(err) {
		t.Errorf("a record was changed: %v", err)
	}
	for field, value := range map[string]string{"spec.user": "reto", "spec.requester.user": "rita"} {
		found, err := shared.any.Resource(recordsResource).List(t.Context(), metav1.ListOptions{FieldSelector: field + "=" + value})
		if err != nil || len(found.Items) != 1 {
			t.Errorf("%s: %v, %v", field, found, err)
		}
	}
}

func TestRecorder_RecordsARenewalAndWhatItSupersedes(t *testing.T) {
	asking := shared.user(t, "rafa", requester...)
	key := submitted(t, asking, "renewed-first", "rafa-renewed")
	decide(t, shared.admin, "renewed-first", certificatesv1.CertificateApproved)
	first := shared.issued(t, "renewed-first")
	if err := shared.plane.AddUser(t.Context(), "rafa-renewed", nil, requester...); err != nil {
		t.Fatal(err)
	}
	own := shared.withCertificate(t, first, key)
	until(t, "the user is permitted", func() bool {
		_, err := own.CertificatesV1().CertificateSigningRequests().List(t.Context(), metav1.ListOptions{Limit: 1})
		return err == nil
	})
	submit(t, own, "renewed-second", "rafa-renewed")
	decide(t, shared.admin, "renewed-second", certificatesv1.CertificateApproved)
	record := shared.recorded(t, shared.issued(t, "renewed-second"))
	if record.Spec.Renews == nil || record.Spec.Renews.Certificate != ledger.NameOf(first) || record.Spec.Renews.Since == nil {
		t.Fatalf("%+v", record.Spec)
	}
	until(t, "the first one superseded", func() bool {
		earlier := shared.record(t, ledger.NameOf(first))
		return earlier.Status.SupersededBy == record.Name && earlier.StateAt(time.Now()) == ledger.Superseded
	})
}

func TestRecorder_RecordsWhatItsRequesterDeletedWhileItDidNotRun(t *testing.T) {
	if !shared.stamps {
		t.Skip("without MutatingAdmissionPolicies the recorder adds the finalizer itself, and has to run for it")
	}
	shared.stopped(t)
	asking := shared.user(t, "ruth", requester...)
	submit(t, asking, "deleted", "ruth")
	decide(t, shared.admin, "deleted", certificatesv1.CertificateApproved)
	der := shared.issued(t, "deleted")
	if err := asking.CertificatesV1().CertificateSigningRequests().Delete(t.Context(), "deleted", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := shared.admin.CertificatesV1().CertificateSigningRequests().Get(t.Context(), "deleted", metav1.GetOptions{}); err != nil {
		t.Fatalf("the request is gone before it was recorded: %v", err)
	}
	if err := shared.start(); err != nil {
		t.Fatal(err)
	}
	record := shared.recorded(t, der)
	if record.Spec.User != "ruth" || record.Spec.Requester.User != "ruth" || !record.Spec.Verified {
		t.Errorf("%+v", record.Spec)
	}
	shared.gone(t, "deleted")
}

// gone waits until a request does not exist.
func (c *cluster) gone(t *testing.T, name string) {
	t.Helper()
	until(t, name+" gone", func() bool {
		_, err := c.admin.CertificatesV1().CertificateSigningRequests().Get(t.Context(), name, metav1.GetOptions{})
		return apierrors.IsNotFound(err)
	})
}

func TestRecorder_LetsGoOfRequestsWithNothingToRecord(t *testing.T) {
	requests := shared.admin.CertificatesV1().CertificateSigningRequests()
	for name, decision := range map[string]certificatesv1.RequestConditionType{"let-go-pending": "", "let-go-denied": certificatesv1.CertificateDenied} {
		submit(t, shared.admin, name, name)
		if decision != "" {
			decide(t, shared.admin, name, decision)
		}
		until(t, name+" held", func() bool {
			object, err := requests.Get(t.Context(), name, metav1.GetOptions{})
			return err == nil && slices.Contains(object.Finalizers, ledger.Finalizer)
		})
		if err := requests.Delete(t.Context(), name, metav1.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
		shared.gone(t, name)
	}
	if found := shared.records(t, "let-go-"); len(found) > 0 {
		t.Errorf("%v", found)
	}
}

func TestRecorder_LeavesOtherSignersAlone(t *testing.T) {
	wanted, _, err := requestFor("other-signer", "system:node:n1", "system:nodes")
	if err != nil {
		t.Fatal(err)
	}
	wanted.Spec.SignerName = certificatesv1.KubeAPIServerClientKubeletSignerName
	created, err := shared.admin.CertificatesV1().CertificateSigningRequests().Create(t.Context(), wanted, metav1.CreateOptions{})
	if err != nil || len(created.Finalizers) > 0 {
		t.Errorf("%+v, %v", created.Finalizers, err)
	}
	if err := shared.admin.CertificatesV1().CertificateSigningRequests().Delete(t.Context(), "other-signer", metav1.DeleteOptions{}); err != nil {
		t.Error(err)
	}
	shared.gone(t, "other-signer")
}

func TestGuard_NobodyButTheRecorderRemovesTheFinalizer(t *testing.T) {
	asking := shared.user(t, "gina", approver...)
	submit(t, asking, "guarded", "gina")
	requests := asking.CertificatesV1().CertificateSigningRequests()
	until(t, "the request held", func() bool {
		object, err := requests.Get(t.Context(), "guarded", metav1.GetOptions{})
		return err == nil && slices.Contains(object.Finalizers, ledger.Finalizer)
	})
	patch := []byte(`{"metadata":{"finalizers":null}}`)
	for _, subresource := range []string{"", "approval", "status"} {
		var path []string
		if subresource != "" {
			path = []string{subresource}
		}
		if _, err := requests.Patch(t.Context(), "guarded", types.MergePatchType, patch, metav1.PatchOptions{}, path...); !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), "only the recorder can remove it") {
			t.Errorf("by /%s: %v", subresource, err)
		}
		// An unconditional update of a version that never had it.
		if _, err := shared.admin.CertificatesV1().CertificateSigningRequests().Patch(t.Context(), "guarded", types.JSONPatchType, []byte(`[{"op":"replace","path":"/metadata/finalizers","value":["example.com/other"]}]`), metav1.PatchOptions{}, path...); !apierrors.IsForbidden(err) {
			t.Errorf("by an administrator, /%s: %v", subresource, err)
		}
	}
	object, err := requests.Get(t.Context(), "guarded", metav1.GetOptions{})
	if err != nil || !slices.Contains(object.Finalizers, ledger.Finalizer) {
		t.Errorf("%v, %v", object.Finalizers, err)
	}
	// Whatever else there is to do is still possible.
	decide(t, asking, "guarded", certificatesv1.CertificateApproved)
	if record := shared.recorded(t, shared.issued(t, "guarded")); record.Spec.User != "gina" {
		t.Errorf("%+v", record.Spec)
	}
}

func TestGuard_NobodyWritesForOthersWhoDecided(t *testing.T) {
	asking := shared.user(t, "gaby", approver...)
	wanted, _, err := requestFor("forged-decision", "gaby")
	if err != nil {
		t.Fatal(err)
	}
	requests := asking.CertificatesV1().CertificateSigningRequests()
	for _, annotation := range []string{ledger.DecidedByAnnotation, ledger.PolicyAnnotation} {
		forged := wanted.DeepCopy()
		forged.Annotations = map[string]string{annotation: "somebody"}
		if _, err := requests.Create(t.Context(), forged, metav1.CreateOptions{}); !apierrors.IsForbidden(err) {
			t.Errorf("created with %s: %v", annotation, err)
		}
	}
	if _, err := requests.Create(t.Context(), wanted, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	for _, annotation := range []string{ledger.DecidedByAnnotation, ledger.PolicyAnnotation} {
		patch := fmt.Appendf(nil, `{"metadata":{"annotations":{%q:"somebody"}}}`, annotation)
		for _, path := range [][]string{nil, {"approval"}, {"status"}} {
			if _, err := requests.Patch(t.Context(), "forged-decision", types.MergePatchType, patch, metav1.PatchOptions{}, path...); !apierrors.IsForbidden(err) {
				t.Errorf("%s by %v: %v", annotation, path, err)
			}
		}
	}
	// Nor with the decision itself: the stamp is the approver's own name.
	patch := fmt.Appendf(nil, `{"metadata":{"annotations":{%q:"somebody"}},"status":{"conditions":[{"type":"Approved","status":"True","reason":"r","message":"m"}]}}`, ledger.DecidedByAnnotation)
	object, err := requests.Patch(t.Context(), "forged-decision", types.MergePatchType, patch, metav1.PatchOptions{}, "approval")
	if shared.stamps {
		if err != nil || object.Annotations[ledger.DecidedByAnnotation] != "gaby" {
			t.Errorf("%+v, %v", object.Annotations, err)
		}
		return
	}
	if !apierrors.IsForbidden(err) {
		t.Errorf("%+v, %v", object, err)
	}
}

func TestRecorder_RecordsForgedCertificatesAsWhatTheyAre(t *testing.T) {
	known, unknown := shared.clientAuthority(t), newAuthority(t)
	signing := shared.user(t, "sigi", approver...)
	for _, row := range []struct {
		name        string
		certificate func(own *certificatesv1.CertificateSigningRequest) [][]byte
		problems    []string
	}{
		{"forged-key", func(*certificatesv1.CertificateSigningRequest) [][]byte {
			return [][]byte{known.sign(t, "forged-key", newKey(t).Public())}
		}, []string{ledger.AnotherKey}},
		{"forged-subject", func(own *certificatesv1.CertificateSigningRequest) [][]byte {
			return [][]byte{known.sign(t, "forged-subject-other", keyOf(t, own))}
		}, []string{ledger.AnotherSubject}},
		{"forged-authority", func(own *certificatesv1.CertificateSigningRequest) [][]byte {
			return [][]byte{unknown.sign(t, "forged-authority", keyOf(t, own))}
		}, []string{ledger.UnknownAuthority}},
		{"forged-two", func(own *certificatesv1.CertificateSigningRequest) [][]byte {
			return [][]byte{known.sign(t, "forged-two", keyOf(t, own)), known.sign(t, "forged-two", keyOf(t, own))}
		}, []string{ledger.SeveralCertificates}},
	} {
		t.Run(row.name, func(t *testing.T) {
			object := submit(t, signing, row.name, row.name)
			ders := row.certificate(object)
			// It is stored before there is an approval, which a signer is permitted to do.
			patch := fmt.Appendf(nil, `{"status":{"certificate":%s}}`, asJSON(t, encode(ders...)))
			if _, err := signing.CertificatesV1().CertificateSigningRequests().Patch(t.Context(), row.name, types.MergePatchType, patch, metav1.PatchOptions{}, "status"); err != nil {
				t.Fatal(err)
			}
			for _, der := range ders {
				record := shared.recorded(t, der)
				if record.Spec.Verified {
					t.Errorf("%+v", record.Spec)
				}
				for _, problem := range append(row.problems, ledger.NotApproved) {
					if !slices.Contains(record.Spec.Problems, problem) {
						t.Errorf("%q is not among %v", problem, record.Spec.Problems)
					}
				}
			}
			until(t, "an event", func() bool {
				events, err := shared.admin.CoreV1().Events(metav1.NamespaceDefault).List(t.Context(), metav1.ListOptions{FieldSelector: "involvedObject.name=" + row.name})
				return err == nil && len(events.Items) == len(ders) && events.Items[0].Reason == "UnverifiedCertificate"
			})
		})
	}
}

func asJSON(t *testing.T, value any) []byte {
	t.Helper()
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestRecorder_ServesHealthAndMetricsWithoutNames(t *testing.T) {
	submit(t, shared.admin, "nameless", "norbert")
	decide(t, shared.admin, "nameless", certificatesv1.CertificateApproved)
	shared.recorded(t, shared.issued(t, "nameless"))
	address := "http://" + shared.address(t)
	get := func(path string) (int, string) {
		answer, err := http.Get(address + path)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close() //nolint:errcheck // It was read.
		text, err := io.ReadAll(answer.Body)
		if err != nil {
			t.Fatal(err)
		}
		return answer.StatusCode, string(text)
	}
	until(t, "ready", func() bool { code, _ := get("/readyz"); return code == http.StatusOK })
	if code, text := get("/healthz"); code != http.StatusOK {
		t.Errorf("%d: %s", code, text)
	}
	_, text := get("/metrics")
	for _, metric := range []string{
		"csr_onboard_ledger_recorded_total", "csr_onboard_ledger_lag_seconds_bucket", "csr_onboard_ledger_held_requests",
		"csr_onboard_ledger_unverified_total", `csr_onboard_ledger_certificates{state="valid"}`, `csr_onboard_leading{controller="ledger"} 1`,
	} {
		if !strings.Contains(text, metric) {
			t.Errorf("%s is missing", metric)
		}
	}
	log, err := readFile(shared.log)
	if err != nil {
		t.Fatal(err)
	}
	for _, where := range []string{text, log} {
		for _, name := range []string{"norbert", "nameless", "reto", "rita"} {
			if strings.Contains(where, name) {
				t.Errorf("%q is in: %s", name, where)
			}
		}
	}
}

func TestRun_UnknownControllersAreRefused(t *testing.T) {
	output, err := exec.CommandContext(t.Context(), controller, "run", "--controllers=ledger,other", "--kubeconfig", shared.kubeconfig).CombinedOutput()
	if code := exitCode(err); code != 2 || !strings.Contains(string(output), `unknown controller "other"`) {
		t.Errorf("%d: %s", code, output)
	}
}
