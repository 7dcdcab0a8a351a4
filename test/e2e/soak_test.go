package e2e

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	certificatesv1 "k8s.io/api/certificates/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	clientauthentication "k8s.io/client-go/pkg/apis/clientauthentication/v1"
	"k8s.io/client-go/rest"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/answer"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/event"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/renewal"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/pki"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/store"
	"github.com/csr-onboard/kubectl-csr-onboard/test/controlplane"
	"github.com/csr-onboard/kubectl-csr-onboard/test/hostile"
	"github.com/csr-onboard/kubectl-csr-onboard/test/program"
)

const (
	// soakLifetime is the shortest that Kubernetes' signer gives, and soakBackdating how
	// far it puts the beginning back.
	soakLifetime   = 10 * time.Minute
	soakBackdating = 5 * time.Minute
	// soakStep is how often somebody runs kubectl.
	soakStep = 30 * time.Second
)

// soakLifetimes is how many lifetimes pass.
func soakLifetimes() int { return program.Times(10, 5) }

// TestSoak_CredentialsRenewThemselvesForever lets several lifetimes of a certificate pass on a
// clock that the test turns, with a call every half a minute: by a command that asks the
// credential plugin each time, and by a program that keeps an answer for as long as it
// says.
func TestSoak_CredentialsRenewThemselvesForever(t *testing.T) {
	for name, soak := range map[string]*soak{
		"approved at once": {},
		"approved late":    {late: 2 * time.Minute},
		"with the API server away when a renewal is due": {away: func(left time.Duration) bool { return left > 3*time.Minute && left < 6*time.Minute }},
	} {
		t.Run(name, func(t *testing.T) {
			soak.prepare(t)
			for range soakLifetimes() * int(soakLifetime/soakStep) {
				soak.step()
			}
			soak.finish()
		})
	}
}

// soak is one user whose kubeconfig renews itself, their administrator, and the signer.
type soak struct {
	// late is how long the administrator takes.
	late time.Duration
	// away reports whether the API server cannot be reached, by how much is left of them
	// certificate.
	away func(left time.Duration) bool

	*session
	front *hostile.Front
	// isAway has every connection end without an answer.
	isAway atomic.Bool
	cache  store.CredentialCache
	work   *onboard.Program

	mu  sync.Mutex
	now time.Time

	// seen is when the administrator saw a request first.
	seen map[string]time.Time
	// background are the renewals that were begun and continue.
	background sync.WaitGroup
	// kept is what the program that continues has been given.
	kept *given

	calls, renewals int
	serials         map[string]bool
}

// given is an answer of the plugin's.
type given struct {
	certificate *pki.Certificate
	key         []byte
	askAgain    time.Time
}

const soaked = "soaked"

func (s *soak) clock() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now
}

func (s *soak) prepare(t *testing.T) {
	t.Helper()
	s.now = time.Now()
	plane := controlplane.Start(t, controlplane.WithoutControllerManager())
	s.session = holder(t, plane, identity.User{Name: soaked, Groups: []string{"dev"}}, s.now.Add(-soakBackdating), s.now.Add(soakLifetime))
	s.front = hostile.NewFront(t, plane, s.clock)
	s.front.Follow(&hostile.Rule{When: func(*http.Request) bool { return s.isAway.Load() }, Do: hostile.Drop})
	s.through(s.front)
	inCache(s.session)
	s.cache = store.CredentialCacheAt(s.session.cache())
	s.work = &onboard.Program{Version: "test", UserAgent: "soak", Now: s.clock, Tell: func(event.Event) {}}
	s.seen, s.serials = map[string]time.Time{}, map[string]bool{}
}

// step lets time pass: the administrator and the signer work, and they make two calls.
func (s *soak) step() {
	s.t.Helper()
	s.mu.Lock()
	s.now = s.now.Add(soakStep)
	s.mu.Unlock()
	s.administer()
	left := s.certificate("config").Leaf.NotAfter.Sub(s.clock())
	isAway := s.away != nil && s.away(left)
	s.isAway.Store(isAway)

	fresh := s.ask()
	if s.kept == nil || !s.clock().Before(s.kept.askAgain) {
		s.kept = s.ask()
	}
	for _, given := range []*given{fresh, s.kept} {
		if !given.askAgain.Before(given.certificate.Leaf.NotAfter) {
			s.t.Fatalf("a client is to ask again at %s, and its certificate ends %s", given.askAgain, given.certificate.Leaf.NotAfter)
		}
		if !isAway {
			s.call(given)
		}
	}
	s.settle()
}

// settle waits for what continues in the background, while the administrator and the
// signer are there.
func (s *soak) settle() {
	done := make(chan struct{})
	go func() { s.background.Wait(); close(done) }()
	for {
		select {
		case <-done:
			return
		default:
			s.administer()
		}
	}
}

// ask is the plugin, with its way around the program where there is a kept answer.
func (s *soak) ask() *given {
	s.t.Helper()
	file, err := os.ReadFile(filepath.Join(s.cache.Directory(), answer.File))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		s.t.Fatal(err)
	}
	encoded := answer.Decode(file, answer.V1, s.clock().Unix())
	if encoded == nil {
		encoded, err = renewal.Credential(s.t.Context(), s.work, renewal.CredentialInput{Cache: s.cache, APIVersion: answer.V1, StartRenewal: s.renewInBackground})
		if err != nil {
			s.t.Fatalf("after %d calls: %v", s.calls, err)
		}
	}
	var credential clientauthentication.ExecCredential
	if err := json.Unmarshal(encoded, &credential); err != nil {
		s.t.Fatal(err)
	}
	certificate, err := pki.ParseCertificate([]byte(credential.Status.ClientCertificateData))
	if err != nil {
		s.t.Fatal(err)
	}
	s.serials[certificate.Leaf.SerialNumber.String()] = true
	return &given{certificate: certificate, key: []byte(credential.Status.ClientKeyData), askAgain: credential.Status.ExpirationTimestamp.Time}
}

// renewInBackground is the other process that the plugin starts. Where the administrator
// is not at it, it does not wait for that person for long.
func (s *soak) renewInBackground() error {
	patience := 20 * time.Millisecond
	if s.late == 0 {
		patience = time.Minute
	}
	s.background.Go(func() {
		err := renewal.RenewCached(context.Background(), s.work, s.cache, patience)
		if err != nil && !errors.Is(err, outcome.ErrTimedOut) && !s.isAway.Load() {
			s.t.Errorf("in the background: %v", err)
		}
	})
	return nil
}

// call makes a call to the API server, which has to accept them as the user.
func (s *soak) call(given *given) {
	s.t.Helper()
	if _, err := tls.X509KeyPair(given.certificate.PEM, given.key); err != nil {
		s.t.Fatal(err)
	}
	client, err := kubernetes.NewForConfig(&rest.Config{Host: s.front.URL, TLSClientConfig: rest.TLSClientConfig{
		CAData: s.front.Authority(), CertData: given.certificate.PEM, KeyData: given.key,
	}})
	if err != nil {
		s.t.Fatal(err)
	}
	review, err := client.AuthenticationV1().SelfSubjectReviews().Create(s.t.Context(), &authenticationv1.SelfSubjectReview{}, metav1.CreateOptions{})
	if err != nil {
		s.t.Fatalf("call %d, %s before the certificate's end: %v", s.calls, given.certificate.Leaf.NotAfter.Sub(s.clock()), err)
	}
	if name := review.Status.UserInfo.Username; name != soaked {
		s.t.Fatalf("the user is %q", name)
	}
	s.calls++
}

// administer approves what has waited for long enough, and signs what is approved, as
// the controller manager does.
func (s *soak) administer() {
	s.t.Helper()
	requests := s.client().CertificatesV1().CertificateSigningRequests()
	pending := 0
	for _, object := range submittedBy(s.t, s.client(), soaked) {
		if _, known := s.seen[object.Name]; !known {
			s.seen[object.Name] = s.clock()
		}
		if request.StateOf(request.Of(&object)) == request.Pending {
			if pending++; pending > 1 {
				s.t.Fatal("the user has two pending requests")
			}
			if s.clock().Sub(s.seen[object.Name]) >= s.late {
				if err := approveObject(s.t.Context(), s.client(), &object); err != nil {
					s.t.Fatal(err)
				}
			}
			continue
		}
		if request.StateOf(request.Of(&object)) != request.Approved {
			continue
		}
		s.sign(&object)
		if _, err := requests.UpdateStatus(s.t.Context(), &object, metav1.UpdateOptions{}); err != nil {
			s.t.Fatal(err)
		}
		s.renewals++
	}
}

func (s *soak) sign(object *certificatesv1.CertificateSigningRequest) {
	s.t.Helper()
	parsed, err := pki.DecodeRequest(object.Spec.Request)
	if err != nil {
		s.t.Fatal(err)
	}
	if asked := request.LifetimeOf(request.Of(object)); asked != soakLifetime {
		s.t.Errorf("the user asks for %s", asked)
	}
	object.Status.Certificate = authorityFor(s.t, s.plane).sign(s.t, parsed.User(), parsed.PublicKey, s.clock().Add(-soakBackdating), s.clock().Add(soakLifetime))
}

// finish looks back.
func (s *soak) finish() {
	s.t.Helper()
	s.settle()
	s.ask()
	s.t.Logf("%d calls, %d renewals", s.calls, s.renewals)
	if refused := s.front.Refused(); refused != 0 {
		s.t.Errorf("%d calls were refused", refused)
	}
	// A renewal begins when a third of the certificate's fifteen minutes is left, which
	// is half of those that they have.
	if least := soakLifetimes(); s.renewals < least || s.renewals > 2*least {
		s.t.Errorf("there were %d renewals in %d lifetimes", s.renewals, soakLifetimes())
	}
	if len(s.serials) != s.renewals+1 {
		s.t.Errorf("%d renewals gave %d certificates", s.renewals, len(s.serials)-1)
	}
	if n := len(submittedBy(s.t, s.client(), soaked)); n != s.renewals {
		s.t.Errorf("there are %d requests after %d renewals", n, s.renewals)
	}
	err := filepath.WalkDir(s.cache.Directory(), func(path string, entry fs.DirEntry, err error) error {
		if err == nil && strings.Contains(path, "renewals") && !entry.IsDir() {
			s.t.Errorf("%s is left", path)
		}
		return err
	})
	if err != nil {
		s.t.Error(err)
	}
}
