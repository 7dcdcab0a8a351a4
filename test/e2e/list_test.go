package e2e

import (
	"bufio"
	"encoding/json"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	certificatesclient "k8s.io/client-go/kubernetes/typed/certificates/v1"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/test/controlplane"
)

func TestList_ListShowsWhatIsInside(t *testing.T) {
	t.Parallel()
	s := newSession(t, controlplane.Start(t))
	if empty := s.must("list"); empty.Stdout != "" || empty.Stderr != "no certificate signing requests found\n" {
		t.Errorf("an empty list is %q, %q", empty.Stdout, empty.Stderr)
	}
	if empty := s.must("list", "-o", "json").Stdout; !strings.Contains(empty, `"items": []`) {
		t.Errorf("an empty list is %q", empty)
	}
	s.must("new-user", "ida", "-g", "dev", "-g", "the ops", "--approve", "--dir", "ida")
	pending := objectName(s.must("new-user", "ivo", "--expiration", "8h", "--dir", "ivo").Stdout)
	foreign := create(t, s, "foreign-copy", identity.User{Name: "iris"})
	foreign = foreign.DeepCopy()
	foreign.ObjectMeta = metav1.ObjectMeta{Name: "foreign", Labels: map[string]string{"team": "blue"}}
	foreign.Spec.SignerName = "example.com/any"
	if _, err := requestsOf(s).Create(t.Context(), foreign, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	deny(t, s, "foreign-copy", "no")

	table := s.must("list").Stdout
	for _, row := range []string{
		`^NAME +USER +GROUPS +STATE +AGE +LIFETIME +FINDINGS\n`,
		`\nida-\w{10} +ida +dev,"the ops" +Issued +\d+s +29d left +<none>\n`,
		`\nivo-\w{10} +ivo +<none> +Pending +\d+s +8h +<none>\n`,
		`\nforeign-copy +iris +<none> +Denied `,
	} {
		if !regexp.MustCompile(row).MatchString(table) {
			t.Errorf("there is no row %s in\n%s", row, table)
		}
	}
	if strings.Contains(table, "\nforeign ") {
		t.Errorf("a request for another signer is listed:\n%s", table)
	}
	wide := s.must("list", "--all-signers", "-o", "wide", "-l", "team=blue").Stdout
	if !regexp.MustCompile(`^NAME .* FINGERPRINT +REQUESTER +SIGNER +USAGES +FINDING NAMES +SELF-RENEWAL +POLICY\nforeign +iris .* ECDSA P-256 +SHA256:\S{43} +administrator +example.com/any +"client auth" +foreign-signer +<none> +<none>\n$`).MatchString(wide) {
		t.Errorf("the wide list is\n%s", wide)
	}
	if names := s.must("list", "--pending", "-o", "name").Stdout; names != "certificatesigningrequest.certificates.k8s.io/"+pending+"\n" {
		t.Errorf("the names are %q", names)
	}
	var list struct {
		APIVersion, Kind string
		Items            []struct {
			Kind, State string
			Certificate *struct{ NotAfter, CredentialID string }
		}
	}
	if err := json.Unmarshal([]byte(s.must("list", "-o", "json").Stdout), &list); err != nil {
		t.Fatal(err)
	}
	if list.APIVersion != "csr-onboard.github.io/v1alpha1" || list.Kind != "RequestReviewList" || len(list.Items) != 3 ||
		list.Items[1].State != "Issued" || list.Items[1].Certificate == nil || !strings.HasPrefix(list.Items[1].Certificate.CredentialID, "X509SHA256=") {
		t.Errorf("the list is %+v", list)
	}
	s.check(newSession(t, shared).as(nobody).run("list"), expect{1, []string{"you cannot list certificate signing requests"}})
}

func TestList_ListGoesOnWithWhatChanges(t *testing.T) {
	t.Parallel()
	s := newSession(t, controlplane.Start(t, controlplane.WithoutControllerManager()))
	first := objectName(s.must("new-user", "olga", "--dir", "olga").Stdout)
	rows := follow(s, "list", "--pending", "--watch")
	rows.next("NAME ", " FINDINGS")
	rows.next("olga-", " Pending ")
	s.must("new-user", "otto", "--dir", "otto")
	rows.next("otto-", " Pending ")
	s.must("approve", "otto", "--yes")
	rows.next("otto-", " Approved ")
	// The watch outlives its server.
	if err := s.plane.StopComponent(controlplane.APIServer); err != nil {
		t.Fatal(err)
	}
	if err := s.plane.StartComponent(t.Context(), controlplane.APIServer); err != nil {
		t.Fatal(err)
	}
	s.must("new-user", "oona", "--dir", "oona")
	rows.next("oona-", " Pending ")
	if err := requestsOf(s).Delete(t.Context(), first, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	rows.next("olga-", " Deleted ")
	rows.interrupt()
}

// following is a run of the program whose rows are read as they come.
type following struct {
	t       *testing.T
	command *exec.Cmd
	rows    chan string
}

func follow(s *session, arguments ...string) *following {
	s.t.Helper()
	f := &following{t: s.t, command: s.command(arguments...), rows: make(chan string, 100)}
	stdout, err := f.command.StdoutPipe()
	if err != nil {
		s.t.Fatal(err)
	}
	if err := f.command.Start(); err != nil {
		s.t.Fatal(err)
	}
	go func() {
		defer close(f.rows)
		for scanner := bufio.NewScanner(stdout); scanner.Scan(); {
			f.rows <- scanner.Text()
		}
	}()
	return f
}

// next waits for the next row, which has to begin with one text and hold another.
func (f *following) next(prefix, text string) {
	f.t.Helper()
	select {
	case row := <-f.rows:
		if !strings.HasPrefix(row, prefix) || !strings.Contains(row, text) {
			f.t.Fatalf("the next row is %q, want one that begins with %q and holds %q", row, prefix, text)
		}
	case <-time.After(patience):
		f.t.Fatalf("no row that begins with %q came", prefix)
	}
}

// interrupt ends the run as Ctrl-C does, which is its ordinary end.
func (f *following) interrupt() {
	f.t.Helper()
	if err := f.command.Process.Signal(os.Interrupt); err != nil {
		f.t.Fatal(err)
	}
	for row := range f.rows {
		f.t.Errorf("there is one more row: %s", row)
	}
	if err := f.command.Wait(); err != nil {
		f.t.Errorf("it expired with %v", err)
	}
}

// requestsOf is the administrator's client for requests.
func requestsOf(s *session) certificatesclient.CertificateSigningRequestInterface {
	return s.client().CertificatesV1().CertificateSigningRequests()
}
