package e2e

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
	"github.com/csr-onboard/kubectl-csr-onboard/test/controlplane"
	"github.com/csr-onboard/kubectl-csr-onboard/test/program"
)

// fault is what a front does to some calls in place of passing them on; it says
// whether it did.
type fault func(n int64, w http.ResponseWriter, r *http.Request, pass http.Handler) bool

// answers has every nth call answered by the front itself.
func answers(nth int64, code int, header map[string]string, body string) fault {
	return func(n int64, w http.ResponseWriter, _ *http.Request, _ http.Handler) bool {
		if n%nth != 0 {
			return false
		}
		for key, value := range header {
			w.Header().Set(key, value)
		}
		w.WriteHeader(code)
		_, _ = io.WriteString(w, body)
		return true
	}
}

// drops has every nth call end without an answer: in turn before the API server has
// seen it and after it has done it.
func drops(nth int64) fault {
	return func(n int64, _ http.ResponseWriter, r *http.Request, pass http.Handler) bool {
		if n%nth != 0 {
			return false
		}
		if n%(2*nth) == 0 && r.URL.Query().Get("watch") == "" {
			pass.ServeHTTP(httptest.NewRecorder(), r)
		}
		panic(http.ErrAbortHandler)
	}
}

// faultyFront passes calls on to a plane's API server as its administrator, and fails
// now and then. It is where the session's kubeconfig leads from then on.
func faultyFront(s *session, fail fault) {
	s.t.Helper()
	pass := passTo(s.t, s.plane)
	var calls atomic.Int64
	front := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !fail(calls.Add(1), w, r, pass) {
			pass.ServeHTTP(w, r)
		}
	}))
	front.EnableHTTP2 = true
	front.Config.ErrorLog = pass.ErrorLog
	front.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
	front.StartTLS()
	s.t.Cleanup(func() {
		front.CloseClientConnections()
		front.Close()
	})
	kubeconfig := clientcmdapi.NewConfig()
	kubeconfig.Clusters["front"] = &clientcmdapi.Cluster{Server: front.URL, CertificateAuthorityData: encodedCertificate(front.Certificate())}
	kubeconfig.AuthInfos["front"] = &clientcmdapi.AuthInfo{Token: "the front asks nobody"}
	kubeconfig.Contexts["front"] = &clientcmdapi.Context{Cluster: "front", AuthInfo: "front"}
	kubeconfig.CurrentContext = "front"
	if err := clientcmd.WriteToFile(*kubeconfig, s.path("front.kubeconfig")); err != nil {
		s.t.Fatal(err)
	}
	s.env.Kubeconfig = s.path("front.kubeconfig")
}

func encodedCertificate(certificate *x509.Certificate) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Raw})
}

// crowd is how many users are onboarded through a fault.
const crowd = 1000

// checkCrowd expects that every user has one issued request and a kubeconfig that is
// theirs, or was named as failed.
func checkCrowd(s *session, names []string, result program.Result) {
	s.t.Helper()
	report := reportOf(s.t, result)
	if len(report.Users) != len(names) {
		s.t.Fatalf("the report has %d users of %d", len(report.Users), len(names))
	}
	list, err := s.client().CertificatesV1().CertificateSigningRequests().List(s.t.Context(), metav1.ListOptions{})
	if err != nil {
		s.t.Fatal(err)
	}
	requests := map[string][]request.State{}
	for i := range list.Items {
		review := request.ReviewOf(request.Of(&list.Items[i]))
		requests[review.User.Name] = append(requests[review.User.Name], review.State)
	}
	failed := 0
	for i, user := range report.Users {
		switch {
		case user.Name != names[i]:
			s.t.Fatalf("%q stands where %q should", user.Name, names[i])
		case len(requests[user.Name]) > 1:
			s.t.Errorf("%s has the requests %v", user.Name, requests[user.Name])
		case user.State == "failed":
			failed++
			if user.Error == "" {
				s.t.Errorf("%s failed, and nothing says why", user.Name)
			}
		case user.State != "fetched" && user.State != "unchanged":
			s.t.Errorf("%s is %s", user.Name, user.State)
		case !slices.Equal(requests[user.Name], []request.State{request.Issued}):
			s.t.Errorf("%s is %s and has the requests %v", user.Name, user.State, requests[user.Name])
		default:
			if certificate := s.certificate(user.Kubeconfig); certificate.User().Name != user.Name {
				s.t.Errorf("the kubeconfig of %s is of %s", user.Name, certificate.User())
			}
		}
	}
	if (failed > 0) != (result.Code != 0) {
		s.t.Errorf("%d failed, and the exit code is %d", failed, result.Code)
	}
	if failed > 0 {
		s.t.Errorf("%d of %d failed:\n%s", failed, len(names), last(result.Stderr, 2000))
	}
}

func last(text string, bytes int) string { return text[max(0, len(text)-bytes):] }

const statusOf500 = `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"InternalError","message":"etcdserver: leader changed","code":500}`

func TestFaults_ATeamGetsThroughFaults(t *testing.T) {
	asJSON := map[string]string{"Content-Type": "application/json"}
	for name, fail := range map[string]fault{
		"too many requests":  answers(5, http.StatusTooManyRequests, map[string]string{"Retry-After": "1"}, "slow down"),
		"internal errors":    answers(7, http.StatusInternalServerError, asJSON, statusOf500),
		"broken connections": drops(10),
	} {
		t.Run(name, func(t *testing.T) {
			plane := controlplane.Start(t, controlplane.WithControllerManagerRate(500, 500))
			s := newSession(t, plane)
			names := writeTeam(s, "member", crowd)
			faultyFront(s, fail)
			// The front would log everybody in as the administrator.
			checkCrowd(s, names, s.run("new-user", "-f", "team.yaml", "--approve", "--dir", "T", "-o", "json", "--verify-login=false"))
		})
	}
}

func TestFaults_ATeamGetsThroughARestart(t *testing.T) {
	plane := controlplane.Start(t, controlplane.WithControllerManagerRate(500, 500))
	s := newSession(t, plane)
	names := writeTeam(s, "member", crowd)
	run := start(s, "new-user", "-f", "team.yaml", "--approve", "--dir", "T", "-o", "json")
	s.until("a tenth of the users is onboarded", func() bool {
		return strings.Count(s.listing("T"), ".kubeconfig\n") > crowd/10
	})
	if err := plane.StopComponent(controlplane.APIServer); err != nil {
		t.Fatal(err)
	}
	run.until("the API server cannot be reached, trying again")
	if err := plane.StartComponent(t.Context(), controlplane.APIServer); err != nil {
		t.Fatal(err)
	}
	checkCrowd(s, names, run.end())
}
