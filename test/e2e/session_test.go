package e2e

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
	"github.com/csr-onboard/kubectl-csr-onboard/test/controlplane"
	"github.com/csr-onboard/kubectl-csr-onboard/test/program"
)

// session is one person at one machine: a HOME, a directory and a kubeconfig.
type session struct {
	t     *testing.T
	plane *controlplane.Plane
	env   program.Environment
}

// newSession is the administrator's on a plane.
func newSession(t *testing.T, plane *controlplane.Plane) *session {
	t.Helper()
	home := t.TempDir()
	return &session{t: t, plane: plane, env: program.Environment{
		Path:       []string{filepath.Dir(binary), filepath.Dir(plane.Binary(controlplane.Kubectl))},
		Home:       home,
		Kubeconfig: plane.Kubeconfig,
		Directory:  home,
	}}
}

// as is the same machine with another user's kubeconfig.
func (s *session) as(user string) *session {
	other := *s
	other.env.Kubeconfig = s.plane.KubeconfigOf(user)
	return &other
}

// run runs the program.
func (s *session) run(arguments ...string) program.Result {
	s.t.Helper()
	return program.Run(s.t, s.command(arguments...))
}

func (s *session) command(arguments ...string) *exec.Cmd {
	return s.env.Command(s.t.Context(), program.Name, arguments...)
}

// must runs the program and expects it to succeed.
func (s *session) must(arguments ...string) program.Result {
	s.t.Helper()
	result := s.run(arguments...)
	if result.Code != 0 {
		s.t.Fatalf("%q: exit code %d\n%s%s", arguments, result.Code, result.Stdout, result.Stderr)
	}
	return result
}

// kubectl runs the real kubectl.
func (s *session) kubectl(arguments ...string) program.Result {
	s.t.Helper()
	return program.Run(s.t, s.env.Command(s.t.Context(), controlplane.Kubectl, arguments...))
}

// path is a file in the session's working directory.
func (s *session) path(parts ...string) string {
	return filepath.Join(append([]string{s.env.Directory}, parts...)...)
}

func (s *session) read(parts ...string) []byte {
	s.t.Helper()
	data, err := os.ReadFile(s.path(parts...))
	if err != nil {
		s.t.Fatal(err)
	}
	return data
}

// client is the administrator's own client, to arrange and to look.
func (s *session) client() kubernetes.Interface {
	s.t.Helper()
	return clientOf(s.t, s.plane.Kubeconfig)
}

func clientOf(t *testing.T, kubeconfig string) kubernetes.Interface {
	t.Helper()
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	config.QPS = -1
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// object gets a request by the name that the program printed.
func (s *session) object(printed string) *request.Request {
	s.t.Helper()
	object, err := s.client().CertificatesV1().CertificateSigningRequests().Get(context.Background(), objectName(printed), metav1.GetOptions{})
	if err != nil {
		s.t.Fatal(err)
	}
	return request.Of(object)
}

// objectName takes the name out of a line such as
// "certificatesigningrequest.certificates.k8s.io/jane-x approved".
func objectName(printed string) string {
	name, _, _ := strings.Cut(strings.TrimSpace(printed), " ")
	_, name, _ = strings.Cut(name, "/")
	return name
}

// expect is what a run that went wrong has to show.
type expect struct {
	code   int
	stderr []string
}

// check asserts how a failed run looks: its exit code, one sentence and at most
// one hint at the end of standard error, and no usage or stack trace.
func (s *session) check(result program.Result, want expect) {
	s.t.Helper()
	if result.Code != want.code {
		s.t.Errorf("exit code %d, want %d\n%s", result.Code, want.code, result.Stderr)
	}
	for _, text := range want.stderr {
		if !strings.Contains(result.Stderr, text) {
			s.t.Errorf("standard error does not say %q:\n%s", text, result.Stderr)
		}
	}
	if want.code == 0 {
		return
	}
	for _, text := range []string{"Usage:", "goroutine", "panic"} {
		if strings.Contains(result.Stderr, text) {
			s.t.Errorf("standard error holds %q:\n%s", text, result.Stderr)
		}
	}
	if n := strings.Count("\n"+result.Stderr, "\nerror: "); n != 1 {
		s.t.Errorf("standard error has %d lines of error, want 1:\n%s", n, result.Stderr)
	}
}

func selfSubjectReview(t *testing.T, client kubernetes.Interface) string {
	t.Helper()
	review, err := client.AuthenticationV1().SelfSubjectReviews().Create(context.Background(), &authenticationv1.SelfSubjectReview{}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return review.Status.UserInfo.Username
}

// readIfThere reads a file that may not exist.
func (s *session) readIfThere(parts ...string) (text string, exists bool) {
	s.t.Helper()
	data, err := os.ReadFile(s.path(parts...))
	if err != nil && !os.IsNotExist(err) {
		s.t.Fatal(err)
	}
	return string(data), err == nil
}

// server is the address of the session's API server.
func (s *session) server() string {
	s.t.Helper()
	config, err := s.plane.RESTConfig()
	if err != nil {
		s.t.Fatal(err)
	}
	return config.Host
}
