package doctor_test

import (
	"context"
	"crypto/x509"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cluster/clustertest"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/ledger"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/doctor"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/onboardtest"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
)

// condition is one thing about a cluster that doctor looks at.
type condition struct {
	about   string
	prepare func(*testing.T, *onboardtest.World)
	// isProbed has the examination make a request.
	isProbed bool
	// name is the check that tells, and says a part of what it says.
	name    string
	verdict doctor.Verdict
	says    string
	advice  string
}

const system = metav1.NamespaceSystem

func refuse(verb, resource string) func(*testing.T, *onboardtest.World) {
	return func(_ *testing.T, w *onboardtest.World) { w.Server.Refuse(verb, resource) }
}

// clockOff has this machine's clock differ from the server's.
func clockOff(difference time.Duration) func(*testing.T, *onboardtest.World) {
	return func(_ *testing.T, w *onboardtest.World) {
		w.Now = func() time.Time { return time.Now().Add(difference) }
	}
}

// reachedAt has the examination know the server under another address.
func reachedAt(address string) func(*testing.T, *onboardtest.World) {
	return func(t *testing.T, w *onboardtest.World) {
		t.Helper()
		w.Server.Endpoint.Server = strings.Replace(w.Server.Endpoint.Server, "127.0.0.1", address, 1)
		w.Server.Endpoint.ServerName = "127.0.0.1"
		w.Cluster = w.Server.Admin(t)
	}
}

func isVersion(version string) func(*testing.T, *onboardtest.World) {
	return func(_ *testing.T, w *onboardtest.World) { w.Server.Version = version }
}

// clientAuthorities publishes which authorities the API server accepts.
func clientAuthorities(authorities func(*testing.T, *onboardtest.World) string) func(*testing.T, *onboardtest.World) {
	return func(t *testing.T, w *onboardtest.World) {
		t.Helper()
		w.Server.Put(t, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: system, Name: "extension-apiserver-authentication"}, Data: map[string]string{"client-ca-file": authorities(t, w)}})
	}
}

func own(_ *testing.T, w *onboardtest.World) string {
	return string(w.Server.Endpoint.CertificateAuthority)
}

// issued has a request signed, a while ago.
func issued(since time.Duration) func(*testing.T, *onboardtest.World) {
	return func(t *testing.T, w *onboardtest.World) {
		t.Helper()
		w.Server.Decide(w.Submit(t, onboardtest.Asked(t, "jane")).Name, certificatesv1.CertificateApproved)
		approvedBefore(t, w, since)
	}
}

// stuck has a request approved a while ago, and not signed.
func stuck(t *testing.T, w *onboardtest.World) {
	t.Helper()
	w.Server.IsUnsigned = true
	issued(10*time.Minute)(t, w)
}

// approvedBefore sets when the only request was approved.
func approvedBefore(t *testing.T, w *onboardtest.World, since time.Duration) {
	t.Helper()
	for _, name := range w.Server.Names("certificatesigningrequests") {
		changed := w.Stored(t, name).DeepCopy()
		changed.Status.Conditions[0].LastUpdateTime = metav1.NewTime(time.Now().Add(-since))
		w.Server.Put(t, changed)
	}
}

func all(steps ...func(*testing.T, *onboardtest.World)) func(*testing.T, *onboardtest.World) {
	return func(t *testing.T, w *onboardtest.World) {
		t.Helper()
		for _, step := range steps {
			step(t, w)
		}
	}
}

// controllerManager renews its lease a while ago, has a service account of its own or not, and
// runs as a pod with flags.
func controllerManager(since time.Duration, hasAccount bool, flags ...string) func(*testing.T, *onboardtest.World) {
	return func(t *testing.T, w *onboardtest.World) {
		t.Helper()
		renewed := metav1.NewMicroTime(time.Now().Add(-since))
		w.Server.Put(t, &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: system, Name: "kube-controller-manager"}, Spec: coordinationv1.LeaseSpec{RenewTime: &renewed}})
		if hasAccount {
			w.Server.Put(t, &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: system, Name: "certificate-controller"}})
		}
		if len(flags) > 0 {
			w.Server.Put(t, &corev1.Pod{
				ObjectMeta: metav1.ObjectMeta{Namespace: system, Name: "kube-controller-manager-node", Labels: map[string]string{"component": "kube-controller-manager"}},
				Spec:       corev1.PodSpec{Containers: []corev1.Container{{Command: append([]string{"kube-controller-manager"}, flags...)}}},
			})
		}
	}
}

// failing has the server fail at every path that ends in a text.
func failing(end string) func(*testing.T, *onboardtest.World) {
	return func(_ *testing.T, w *onboardtest.World) {
		w.Server.Answer = func(rw http.ResponseWriter, r *http.Request) bool {
			isMeant := strings.HasSuffix(r.URL.Path, end)
			if isMeant {
				clustertest.Fail(rw, http.StatusBadRequest, metav1.StatusReasonBadRequest)
			}
			return isMeant
		}
	}
}

func TestDoctor_EveryVerdictHasItsReason(t *testing.T) {
	other := func(t *testing.T, _ *onboardtest.World) string {
		t.Helper()
		return string(clustertest.New(t).Endpoint.CertificateAuthority)
	}
	signing := []string{"--cluster-signing-cert-file=/ca.crt", "--cluster-signing-key-file=/ca.key"}
	for _, c := range []condition{
		{"you", nil, false, "identity", doctor.Pass, `you are admin`, ""},
		{"the API is served", nil, false, "certificates-api", doctor.Pass, "is served", ""},
		{"whether the API is served is unknown", failing("/certificates.k8s.io/v1"), false, "certificates-api", doctor.Unknown, "it is unknown whether", ""},
		{"the API is not served", func(_ *testing.T, w *onboardtest.World) {
			w.Server.Answer = func(rw http.ResponseWriter, r *http.Request) bool {
				isMeant := strings.HasSuffix(r.URL.Path, "/certificates.k8s.io/v1")
				if isMeant {
					clustertest.Fail(rw, http.StatusNotFound, metav1.StatusReasonNotFound)
				}
				return isMeant
			}
		}, false, "certificates-api", doctor.Fail, "is not served", "--runtime-config"},

		{"everything is permitted", nil, false, "may-create", doctor.Pass, "you can create requests", ""},
		{"creating is forbidden", refuse("create", "certificatesigningrequests"), false, "may-create", doctor.Fail, "you cannot create requests", "create on certificatesigningrequests"},
		{"watching is forbidden", refuse("watch", "certificatesigningrequests"), false, "may-read", doctor.Fail, "you cannot get, list and watch", "ask a cluster administrator for: watch on certificatesigningrequests"},
		{"approving is forbidden", refuse("update", "certificatesigningrequests/approval"), false, "may-approve", doctor.Fail, "you cannot approve", "update on certificatesigningrequests/approval"},
		{"the signer is forbidden", refuse("approve", "signers"), false, "may-approve", doctor.Fail, "you cannot approve", "approve on signers named kubernetes.io/kube-apiserver-client"},
		{"binding is forbidden", refuse("create", "rolebindings"), false, "may-bind", doctor.Warn, "you cannot create and patch role bindings", "create on rolebindings"},
		{"patching bindings is forbidden", refuse("patch", "clusterrolebindings"), false, "may-bind", doctor.Warn, "you cannot create and patch role bindings", "patch on clusterrolebindings"},
		{"permissions are unknown", failing("/selfsubjectaccessreviews"), false, "may-bind", doctor.Unknown, "is not known", ""},

		{"too old to revoke", isVersion("v1.27.0"), false, "revocation", doctor.Warn, "1.27", ""},
		{"nobody in the group of administrators", issued(time.Minute), false, "unrevocable-certificates", doctor.Pass, "no request on the cluster", ""},
		{"an administrator's certificate", administrator(0), false, "unrevocable-certificates", doctor.Warn, "cannot be revoked: root-", "do not use that group"},
		{"an administrator's certificate that has expired", administrator(2 * time.Hour), false, "unrevocable-certificates", doctor.Pass, "no request on the cluster", ""},

		{"the signer refuses a probe", whileProbed(func(w *onboardtest.World, name string) { w.Server.Decide(name, certificatesv1.CertificateFailed) }), true, "signer", doctor.Fail, "a probe was not signed: ", "look at the log of the signer"},
		{"a probe is deleted", whileProbed(func(w *onboardtest.World, name string) { w.Server.Remove("certificatesigningrequests", "", name) }), true, "signer", doctor.Unknown, "the result of the probe is unknown", ""},

		{"a loopback address", nil, false, "server-address", doctor.Warn, "reached from this machine only", "--external-server URL"},
		{"localhost", reachedAt("localhost"), false, "server-address", doctor.Warn, "reached from this machine only", "--external-server URL"},

		{"no cloud", nil, false, "managed-cloud", doctor.Pass, "Kubernetes v1.35.0", ""},
		{"Amazon", isVersion("v1.34.1-eks-abc"), false, "managed-cloud", doctor.Fail, "this is Amazon EKS, which does not issue", "OpenID Connect"},
		{"Google", isVersion("v1.34.1-gke.100"), false, "managed-cloud", doctor.Warn, "this is Google GKE, which restricts", "OpenID Connect"},
		{"the version is unknown", failing("/version"), false, "managed-cloud", doctor.Unknown, "it is unknown whether", ""},

		{"the same time", nil, false, "clock", doctor.Pass, "differ by", ""},
		{"a clock that is late", clockOff(-40 * time.Second), false, "clock", doctor.Warn, "differ by", "NTP"},
		{"a clock that is fast", clockOff(10 * time.Minute), false, "clock", doctor.Fail, "differ by 10m", "NTP"},
		{"the time is unknown", refuse("create", "certificatesigningrequests"), false, "clock", doctor.Unknown, "is unknown", ""},

		{"nothing was signed", nil, false, "signer", doctor.Unknown, "no request of the last 10m", "--probe"},
		{"something was signed", issued(time.Minute), false, "signer", doctor.Pass, "was signed", ""},
		{"something was signed long ago", issued(time.Hour), false, "signer", doctor.Unknown, "no request of the last 10m", "--probe"},
		{"listing is forbidden", refuse("list", "certificatesigningrequests"), false, "signer", doctor.Unknown, "it is unknown whether requests are signed", ""},
		{"stuck without a controller manager", stuck, false, "signer", doctor.Fail, "no controller manager is running", "start the kube-controller-manager"},
		{"stuck with one that is gone", all(controllerManager(time.Hour, true), stuck), false, "signer", doctor.Fail, "no controller manager is running", "start the kube-controller-manager"},
		{"stuck with one without permissions", all(controllerManager(0, false), stuck), false, "signer", doctor.Fail, "runs without --use-service-account-credentials", "=true"},
		{"stuck with one that has a key", all(controllerManager(0, true, signing...), stuck), false, "signer", doctor.Fail, "was given a CA", "log"},
		{"stuck with one that has half a key", all(controllerManager(0, true, signing[0]), stuck), false, "signer", doctor.Fail, "has no CA key", "--cluster-signing-key-file"},
		{"stuck with an empty flag", all(controllerManager(0, true, "--cluster-signing-cert-file=", signing[1]), stuck), false, "signer", doctor.Fail, "has no CA key", "--cluster-signing-cert-file"},
		{"stuck and nothing can be found out", all(stuck, refuse("get", "leases")), false, "signer", doctor.Fail, "why cannot be found out from here", "kubectl get lease"},

		{"a probe that is signed", nil, true, "signer", doctor.Pass, "a probe was signed within", ""},
		{"a probe that is not signed", all(func(_ *testing.T, w *onboardtest.World) { w.Server.IsUnsigned = true }, controllerManager(0, true)), true, "signer", doctor.Fail, "a probe was approved and not signed within", ""},
		{"a probe that cannot be created", refuse("create", "certificatesigningrequests"), true, "signer", doctor.Unknown, "the probe could not be created", ""},
		{"a probe that cannot be approved", refuse("update", "certificatesigningrequests/approval"), true, "signer", doctor.Unknown, "the probe could not be approved", ""},
		{"requests that no recorder lets go", func(t *testing.T, w *onboardtest.World) {
			t.Helper()
			w.Server.Put(t, heldRequest("held\x1b", 2*time.Minute), heldRequest("just-now", 0))
		}, false, "held-requests", doctor.Fail, `recorded: held\x1b`, "kubectl csr-onboard ledger release"},
		{"a probe that cannot be removed", refuse("delete", "certificatesigningrequests"), true, "probe-removed", doctor.Warn, "is left", "kubectl delete csr"},
		{"a probe that logs in", nil, true, "client-certificates", doctor.Pass, "the probe's has logged in", ""},
		{"a probe that logs in, with its signer", nil, true, "client-authority", doctor.Pass, "the probe's certificate has logged in", ""},
		{"a probe that does not log in", all(clientAuthorities(own), probeDoesNotLogIn), true, "client-certificates", doctor.Fail, "although the API server trusts who signed it", "TLS"},
		{"a probe that does not log in, of an unknown signer", probeDoesNotLogIn, true, "client-authority", doctor.Fail, "the probe's certificate does not log in", "--client-ca-file"},
		{"a probe that logs in as another", all(clientAuthorities(own), probeIsTakenFor("sam")), true, "client-certificates", doctor.Fail, `accepts it as "sam"`, ""},

		{"client certificates are asked for", nil, false, "client-certificates", doctor.Pass, "asks for client certificates", ""},
		{"no certificate to compare", nil, false, "client-authority", doctor.Unknown, "no certificate found", "--probe"},
		{"no certificate to compare, since a probe is forbidden", refuse("create", "certificatesigningrequests"), true, "client-authority", doctor.Unknown, "no certificate found", "ask a cluster administrator for what the probe needs: create on certificatesigningrequests"},
		{"no certificate to compare, since a probe is not signed", func(_ *testing.T, w *onboardtest.World) { w.Server.IsUnsigned = true }, true, "client-authority", doctor.Unknown, "no certificate found", "the check signer"},
		{"the signer is trusted", all(issued(0), clientAuthorities(own)), false, "client-authority", doctor.Pass, "accepts what the signer signs", ""},
		{"the signer is not trusted", all(issued(0), clientAuthorities(other)), false, "client-authority", doctor.Fail, "does not accept what the signer signs", "--client-ca-file"},
		{"nobody is trusted", all(issued(0), clientAuthorities(func(*testing.T, *onboardtest.World) string { return "" })), false, "client-authority", doctor.Fail, "accepts no client certificates", "--client-ca-file"},
		{"who is trusted is unknown", all(issued(0), refuse("get", "configmaps")), false, "client-authority", doctor.Unknown, "it is unknown which", ""},

		{"no lifetime is known", nil, false, "lifetimes", doctor.Unknown, "no certificate found", ""},
		{"lifetimes are as asked", issued(0), false, "lifetimes", doctor.Pass, "on the cluster are valid for 60m", ""},
		{"a lifetime that is shortened", all(func(_ *testing.T, w *onboardtest.World) {
			w.Server.ChangeCertificate = func(c *x509.Certificate) { c.NotAfter = c.NotBefore.Add(10 * time.Minute) }
		}, asksForDays), false, "lifetimes", doctor.Warn, "some asked for more than they got", "--expiration"},
		{"the signer's maximum", all(issued(0), controllerManager(0, true, "--cluster-signing-duration=1h\x1b")), false, "lifetimes", doctor.Pass, `the signer gives 1h\x1b at most`, ""},
	} {
		t.Run(c.about, func(t *testing.T) {
			t.Parallel()
			w := onboardtest.New(t)
			if c.prepare != nil {
				c.prepare(t, w)
			}
			checks, err := doctor.Run(t.Context(), w.Program, doctor.Input{Probe: c.isProbed, ProbeTimeout: time.Second / 2})
			if err != nil {
				t.Fatal(err)
			}
			for _, check := range checks {
				if check.Name != c.name {
					continue
				}
				if check.Verdict != c.verdict || !strings.Contains(check.Sentence, c.says) || !strings.Contains(check.Advice, c.advice) {
					t.Errorf("%+v, want %s with %q and the advice %q", check, c.verdict, c.says, c.advice)
				}
				return
			}
			t.Errorf("%s is missing in %+v", c.name, checks)
		})
	}
}

func asksForDays(t *testing.T, w *onboardtest.World) {
	t.Helper()
	in := onboardtest.Asked(t, "jane")
	in.Lifetime = 48 * time.Hour
	w.Server.Decide(w.Submit(t, in).Name, certificatesv1.CertificateApproved)
}

// isProbe reports whether a call is a login with the probe's certificate.
func isProbe(r *http.Request) bool {
	return strings.HasSuffix(r.URL.Path, "/selfsubjectreviews") && r.TLS.PeerCertificates[0].Subject.CommonName != "admin"
}

func probeDoesNotLogIn(_ *testing.T, w *onboardtest.World) {
	w.Server.Answer = func(rw http.ResponseWriter, r *http.Request) bool {
		if isProbe(r) {
			clustertest.Fail(rw, http.StatusUnauthorized, metav1.StatusReasonUnauthorized)
		}
		return isProbe(r)
	}
}

func probeIsTakenFor(name string) func(*testing.T, *onboardtest.World) {
	return func(_ *testing.T, w *onboardtest.World) {
		w.Server.Answer = func(rw http.ResponseWriter, r *http.Request) bool {
			if isProbe(r) {
				clustertest.RespondWho(rw, name)
			}
			return isProbe(r)
		}
	}
}

func TestDoctor_AProbeLeavesNothing(t *testing.T) {
	w := onboardtest.New(t)
	if _, err := doctor.Run(t.Context(), w.Program, doctor.Input{Probe: true, ProbeTimeout: time.Second}); err != nil || len(w.States(t)) != 0 {
		t.Errorf("%v, %v", w.States(t), err)
	}
}

func TestDoctor_WithoutALoginNothingIsExamined(t *testing.T) {
	w := onboardtest.New(t)
	failing("/selfsubjectreviews")(t, w)
	if checks, err := doctor.Run(t.Context(), w.Program, doctor.Input{}); err == nil || checks != nil {
		t.Errorf("%v, %v", checks, err)
	}
}

func TestDoctor_AnInterruptionIsNoVerdict(t *testing.T) {
	w := onboardtest.New(t)
	ctx, cancel := context.WithCancel(t.Context())
	w.Server.Answer = func(_ http.ResponseWriter, r *http.Request) bool {
		if strings.HasSuffix(r.URL.Path, "/version") {
			cancel()
		}
		return false
	}
	if _, err := doctor.Run(ctx, w.Program, doctor.Input{}); err == nil || !strings.Contains(err.Error(), outcome.ErrInterrupted.Error()) {
		t.Errorf("%v", err)
	}
}

// heldRequest is a request that was deleted so long ago, and that the ledger holds.
func heldRequest(name string, ago time.Duration) *certificatesv1.CertificateSigningRequest {
	deleted := metav1.NewTime(time.Now().Add(-ago))
	return &certificatesv1.CertificateSigningRequest{
		ObjectMeta: metav1.ObjectMeta{Name: name, DeletionTimestamp: &deleted, Finalizers: []string{ledger.Finalizer}},
		Spec:       certificatesv1.CertificateSigningRequestSpec{SignerName: certificatesv1.KubeAPIServerClientSignerName},
	}
}

// administrator has a request signed of a member of the group of administrators, and a clock that is ahead.
func administrator(ahead time.Duration) func(*testing.T, *onboardtest.World) {
	return func(t *testing.T, w *onboardtest.World) {
		t.Helper()
		w.Server.Decide(w.Submit(t, onboardtest.Asked(t, "root", clustertest.Masters)).Name, certificatesv1.CertificateApproved)
		clockOff(ahead)(t, w)
	}
}

// whileProbed does something to the probe when it is approved and waited for.
func whileProbed(do func(w *onboardtest.World, name string)) func(*testing.T, *onboardtest.World) {
	return func(_ *testing.T, w *onboardtest.World) {
		w.Server.IsUnsigned = true
		w.Server.Answer = func(_ http.ResponseWriter, r *http.Request) bool {
			if names := w.Server.Names("certificatesigningrequests"); r.URL.Query().Has("watch") && len(names) == 1 {
				do(w, names[0])
			}
			return false
		}
	}
}

func TestDoctor_OneLifetimeIsSaidOnce(t *testing.T) {
	w := onboardtest.New(t)
	issued(0)(t, w)
	checks, err := doctor.Run(t.Context(), w.Program, doctor.Input{})
	if err != nil {
		t.Fatal(err)
	}
	at := slices.IndexFunc(checks, func(check doctor.Check) bool { return check.Name == "lifetimes" })
	if at < 0 || checks[at].Sentence != "the certificates on the cluster are valid for 60m" {
		t.Errorf("%+v", checks)
	}
}
