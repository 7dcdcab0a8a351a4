package e2e

import (
	"crypto/x509"
	"encoding/pem"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
	"github.com/csr-onboard/kubectl-csr-onboard/test/controlplane"
	"github.com/csr-onboard/kubectl-csr-onboard/test/hostile"
	"github.com/csr-onboard/kubectl-csr-onboard/test/program"
)

// through has the session's kubeconfig, or a copy of it, lead to a front from then on.
func (s *session) through(front *hostile.Front) {
	s.t.Helper()
	config := s.loadFrom(s.env.Kubeconfig)
	for _, cluster := range config.Clusters {
		front.Lead(cluster)
	}
	if err := clientcmd.WriteToFile(*config, s.path("config")); err != nil {
		s.t.Fatal(err)
	}
	s.env.Kubeconfig = s.path("config")
}

// behindFront is the session of a front of its own, which follows rules.
func (s *session) behindFront(rules ...*hostile.Rule) *hostile.Front {
	s.t.Helper()
	front := hostile.NewFront(s.t, s.plane, time.Now)
	front.Follow(rules...)
	s.through(front)
	return front
}

func encodedCertificate(certificate *x509.Certificate) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Raw})
}

// crowd is how many users are onboarded through a fault.
func crowd() int { return program.Times(1000, 300) }

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

func TestFaults_ATeamGetsThroughFaults(t *testing.T) {
	t.Parallel()
	ends := func(call *http.Request) bool { return !hostile.IsWatch(call) }
	for name, rules := range map[string][]*hostile.Rule{
		"too many requests": {{Every: 5, Do: hostile.RetryLater}},
		"internal errors":   {{Every: 7, Do: hostile.Status(http.StatusInternalServerError, metav1.StatusReasonInternalError, "etcdserver: leader changed")}},
		// In turn before the API server has seen a call and after it has done it.
		"broken connections": {{When: ends, Every: 20, Do: hostile.DropDone}, {Every: 10, Do: hostile.Drop}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			plane := controlplane.Start(t, controlplane.WithControllerManagerRate(500, 500))
			s := newSession(t, plane)
			names := writeTeam(s, "member", crowd())
			s.behindFront(rules...)
			checkCrowd(s, names, s.run("new-user", "-f", "team.yaml", "--approve", "--dir", "T", "-o", "json"))
		})
	}
}

func TestFaults_ATeamGetsThroughARestart(t *testing.T) {
	t.Parallel()
	plane := controlplane.Start(t, controlplane.WithControllerManagerRate(500, 500))
	s := newSession(t, plane)
	names := writeTeam(s, "member", crowd())
	run := start(s, "new-user", "-f", "team.yaml", "--approve", "--dir", "T", "-o", "json")
	s.until("a tenth of the users is onboarded", func() bool {
		return strings.Count(s.listing("T"), ".kubeconfig\n") > crowd()/10
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
