package e2e

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"os"
	"strings"
	"testing"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cluster"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cmd"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/pki"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
	"github.com/csr-onboard/kubectl-csr-onboard/test/fixture"
)

func TestRefusals_EveryMistakeGetsOneSentenceAndItsExitCode(t *testing.T) {
	for _, test := range []struct {
		name      string
		as        string
		arguments []string
		want      expect
	}{
		{"a user who may not create requests", nobody, []string{"new-user", "lena", "--dir", "D"},
			expect{1, []string{`error: forbidden: you cannot create the certificate signing request "lena-`, `User "nobody" cannot create`, "hint: ask an administrator"}}},
		{"a user who may not approve", requester, []string{"approve", "lena", "--yes"},
			expect{1, []string{"error: forbidden: you cannot approve or deny certificate signing requests on " + shared.Server, `hint: this requires permission to "update" certificatesigningrequests/approval and to "approve" for signers`}}},
		{"--approve by a user who may not", requester, []string{"new-user", "lena", "--approve", "--dir", "D2"},
			expect{1, []string{"error: forbidden: you cannot approve or deny certificate signing requests"}}},
		{"a user who may not read requests", nobody, []string{"fetch", "nemo", "--dir", "D"},
			expect{1, []string{`error: forbidden: you cannot get the certificate signing request "nemo"`}}},
		{"no request of that user", approver, []string{"approve", "nemo", "--yes"},
			expect{4, []string{`error: certificate signing request of the user "nemo"`, "hint: list the requests"}}},
		{"no key of that user", approver, []string{"fetch", "nemo", "--dir", "D3"},
			expect{1, []string{`error: private key of "nemo" not found`, "hint: create one and submit a request"}}},
		{"a reserved user name", approver, []string{"new-user", "system:admin", "--dir", "D4"},
			expect{6, []string{"error: system-user: "}}},
		{"a reserved group", approver, []string{"new-user", "lena", "-g", "system:masters", "--dir", "D4"},
			expect{6, []string{"error: system-group: "}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newSession(t, shared).as(test.as)
			result := s.run(test.arguments...)
			s.check(result, test.want)
			if result.Stdout != "" {
				t.Errorf("standard output holds %q", result.Stdout)
			}
		})
	}
}

func TestRefusals_RefusedBeforeAnythingIsMade(t *testing.T) {
	for _, arguments := range [][]string{
		{"new-user", "system:node:a", "--dir", "D"},
		{"new-user", "mia", "-g", "kubeadm:cluster-admins", "--dir", "D"},
		{"new-user", "mia", "--expiration", "9m", "--dir", "D"},
		{"new-user", "mia", "--key-algorithm", "dsa", "--dir", "D"},
		{"new-user", "mia", "--timeout", "5m", "--dir", "D"},
	} {
		s := newSession(t, shared)
		if result := s.run(arguments...); result.Code != 2 && result.Code != 6 {
			t.Errorf("%q: exit code %d", arguments, result.Code)
		}
		if _, err := os.Stat(s.path("D")); !os.IsNotExist(err) {
			t.Errorf("%q made the directory all the same", arguments)
		}
	}
	s := newSession(t, shared)
	s.as(requester).run("new-user", "mia", "--approve", "--dir", "D")
	if _, err := os.Stat(s.path("D")); !os.IsNotExist(err) {
		t.Error("an --approve that is not permitted made the directory all the same")
	}
	if n := countRequestsOf(s, "mia-"); n != 0 {
		t.Errorf("%d requests were made", n)
	}
}

func TestRefusals_ApproveWithoutATerminalNamesTheFlagAndApprovesNothing(t *testing.T) {
	s := newSession(t, shared)
	printed := s.must("new-user", "nina", "--dir", "D")
	s.check(s.run("approve", "nina"), expect{2, []string{"no terminal is available", "--yes", "user          nina"}})
	if state := request.StateOf(s.object(printed.Stdout)); state != request.Pending {
		t.Errorf("the request is %s", state)
	}
}

func TestRefusals_ApprovingTwiceIsDoneAlready(t *testing.T) {
	s := newSession(t, shared)
	s.must("new-user", "oleg", "--dir", "D")
	first := s.must("approve", "oleg", "--yes")
	second := s.must("approve", "oleg", "--yes")
	if first.Stdout != second.Stdout || !strings.Contains(second.Stderr, "is approved already (approved by administrator") {
		t.Errorf("the second approval says %q\n%s", second.Stdout, second.Stderr)
	}
}

func TestRefusals_TwoRequestsOfOneUserAreNeverGuessedBetween(t *testing.T) {
	s := newSession(t, shared)
	own := objectName(s.must("new-user", "pia", "--dir", "own").Stdout)
	planted := objectName(s.as(requester).must("new-user", "pia", "--dir", "planted").Stdout)

	result := s.run("approve", "pia", "--yes")
	s.check(result, expect{2, []string{`2 pending requests claim the name "pia"`, own, planted, "submitted by requester", "--fingerprint"}})

	fingerprint := request.ReviewOf(s.object("x/" + own)).Fingerprint
	s.check(s.run("approve", "pia", "--yes", "--fingerprint", "SHA256:"+strings.Repeat("A", 43)), expect{5, []string{"is for the key"}})
	s.check(s.run("approve", "pia", "--yes", "--fingerprint", fingerprint[:20]), expect{2, []string{"not a SHA-256 fingerprint"}})
	// As openssl prints it, in base64 and in hexadecimal.
	sum, err := base64.RawStdEncoding.DecodeString(strings.TrimPrefix(fingerprint, "SHA256:"))
	if err != nil {
		t.Fatal(err)
	}
	s.must("approve", "pia", "--dry-run=client", "--fingerprint", base64.StdEncoding.EncodeToString(sum))
	s.must("approve", "pia", "--yes", "--fingerprint", hex.EncodeToString(sum))
	if state := request.StateOf(s.object("x/" + planted)); state != request.Pending {
		t.Errorf("the planted request is %s", state)
	}
	if state := request.StateOf(s.object("x/" + own)); state == request.Pending {
		t.Error("the user's own request is still pending")
	}
}

func TestRefusals_RefusedFindingsStopAnApprovalUnlessAllowed(t *testing.T) {
	s := newSession(t, shared)
	create(t, s, "planted-node", identity.User{Name: "system:node:planted", Groups: []string{"system:nodes"}})

	s.check(s.run("approve", "planted-node", "--yes"), expect{6, []string{"refused: system-user", "refused: system-group", "--allow system-user --allow system-group"}})
	s.check(s.run("approve", "planted-node", "--yes", "--allow", "system-user"), expect{6, []string{"is refused: system-group"}})
	s.check(s.run("approve", "planted-node", "--yes", "--allow", "nonsense"), expect{2, []string{`unknown finding "nonsense"`}})
	if state := request.StateOf(s.object("x/planted-node")); state != request.Pending {
		t.Errorf("the request is %s", state)
	}
	s.must("approve", "planted-node", "--yes", "--allow", "system-user", "--allow", "system-group")
}

// TestRefusals_WhatNobodyCanAllowIsRefusedInFilesToo allows what has no exception. An API
// server does not even store some of it, and a CA server would sign it.
func TestRefusals_WhatNobodyCanAllowIsRefusedInFilesToo(t *testing.T) {
	s := newSession(t, shared)
	authority := authorityOf(s)
	final := map[string]bool{}
	for _, entry := range fixture.Load(t) {
		if len(entry.Final) != 1 || final[entry.Final[0]] || entry.SignerName != "" {
			continue
		}
		name := entry.Final[0]
		final[name] = true
		s.write("final.csr", string(entry.Request))
		for _, command := range [][]string{{"approve", "-f", "final.csr", "--yes"}, append([]string{"sign", "final.csr", "--yes"}, authority...)} {
			// Some have a name that allows another kind of them.
			if result := s.run(append(command, "--allow", name)...); result.Code == 0 || name == request.BadSignature && result.Code != 2 {
				t.Errorf("--allow %s: exit code %d\n%s", name, result.Code, result.Stderr)
			}
			result := s.run(append(command, allowing(entry.Findings)...)...)
			s.check(result, expect{6, []string{"is refused: " + name}})
			if strings.Contains(result.Stderr, "hint: if you know that this is right") {
				t.Errorf("%s: an exception is offered:\n%s", name, result.Stderr)
			}
		}
	}
	for _, name := range []string{request.BadSignature, identity.EmptyCommonName, request.WeakSignature} {
		if !final[name] {
			t.Errorf("%s is not among the requests", name)
		}
	}
	if _, exists := s.readIfThere("csr-onboard-issued.jsonl"); exists {
		t.Error("a certificate was signed")
	}
}

// allowing are flags that allow each finding that can be.
func allowing(findings []string) (flags []string) {
	for _, name := range findings {
		if name == request.BadSignature || name == identity.EmptyCommonName {
			continue
		}
		flags = append(flags, "--allow", name)
	}
	return flags
}

func TestRefusals_HostileNamesReachNoTerminal(t *testing.T) {
	s := newSession(t, shared)
	create(t, s, "hostile", identity.User{Name: "quinn\x1b[2J\u202egnp", Groups: []string{"de\nv"}})
	result := s.run("approve", "hostile", "--yes")
	s.check(result, expect{6, []string{"control-characters", "confusable-name", `quinn\x1b[2J\u202egnp`, `de\nv`}})
	if strings.ContainsAny(result.Stdout+result.Stderr, "\x1b\u202e") {
		t.Errorf("raw control characters were printed: %q", result.Stderr)
	}
}

func TestRefusals_ARequestUnderOurNameThatIsNotOursIsRefused(t *testing.T) {
	s := newSession(t, shared)
	name := objectName(s.must("new-user", "rosa", "--dir", "D").Stdout)
	if err := s.client().CertificatesV1().CertificateSigningRequests().Delete(t.Context(), name, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	create(t, s, name, identity.User{Name: "rosa", Groups: []string{"ops"}})

	s.check(s.run("new-user", "rosa", "--dir", "D"), expect{5, []string{"was not created with this key: it is for the key SHA256:"}})
	s.check(s.run("fetch", "rosa", "--dir", "D"), expect{5, []string{"was not created with this key"}})
}

func TestRefusals_ARequestSubmittedBySomebodyElseIsNotAdopted(t *testing.T) {
	s := newSession(t, shared)
	s.as(requester).must("new-user", "sven", "--dir", "D")
	s.check(s.run("new-user", "sven", "--dir", "D"), expect{5, []string{`was submitted by "requester", not by you ("administrator")`}})
}

func TestRefusals_ADeletedAndRecreatedRequestIsNeverApproved(t *testing.T) {
	s := newSession(t, shared)
	reviewed := create(t, s, "raced", identity.User{Name: "tina"})
	review := request.ReviewOf(request.Of(reviewed))
	if err := s.client().CertificatesV1().CertificateSigningRequests().Delete(t.Context(), "raced", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	create(t, s, "raced", identity.User{Name: "tina", Groups: []string{"kubeadm:cluster-admins"}})

	_, err := connect(t, s).Requests().Decide(t.Context(), review, request.Approval(), "approved by a test", false)
	if code := cmd.ExitCode(err); code != 5 {
		t.Errorf("approving ended with %v, exit code %d, want 5", err, code)
	}
	if state := request.StateOf(s.object("x/raced")); state != request.Pending {
		t.Errorf("the new request is %s", state)
	}
}

func TestRefusals_ARequestWhoseLabelsMovedIsApprovedAllTheSame(t *testing.T) {
	s := newSession(t, shared)
	review := request.ReviewOf(request.Of(create(t, s, "relabelled", identity.User{Name: "udo"})))
	moved := s.object("x/relabelled")
	moved.Labels = map[string]string{"team": "blue"}
	if _, err := s.client().CertificatesV1().CertificateSigningRequests().Update(t.Context(), moved.CertificateSigningRequest, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := connect(t, s).Requests().Decide(t.Context(), review, request.Approval(), "approved by a test", false); err != nil {
		t.Error(err)
	}
}

func TestRefusals_SomebodyElseDecidedFirst(t *testing.T) {
	s := newSession(t, shared)
	review := request.ReviewOf(request.Of(create(t, s, "decided", identity.User{Name: "vera"})))
	deny(t, s, "decided", "not on the list")
	_, err := connect(t, s).Requests().Decide(t.Context(), review, request.Approval(), "approved by a test", false)
	if code := cmd.ExitCode(err); code != 5 || !strings.Contains(err.Error(), "denied (not on the list)") {
		t.Errorf("approving ended with %v, exit code %d", err, code)
	}
	s.check(s.run("approve", "vera", "--yes"), expect{5, []string{"is decided already: denied (not on the list)"}})
}

func TestRefusals_ADenialTellsTheWaitingUserWhy(t *testing.T) {
	s := newSession(t, shared)
	printed := s.must("new-user", "rejected", "--dir", "D")
	fetch := start(s, "fetch", "rejected", "--dir", "D")
	fetch.until(waitingForApproval)
	s.check(s.run("deny", "rejected"), expect{2, []string{"no terminal is available to confirm", "--yes"}})
	if said := s.as(approver).must("deny", "rejected", "--yes", "--message", "ask your lead").Stdout; said != strings.Replace(printed.Stdout, "created", "denied", 1) {
		t.Errorf("deny printed %q", said)
	}
	s.check(fetch.end(), expect{3, []string{"was denied: ask your lead (denied by approver with kubectl csr-onboard v0.0.0-test)"}})
	if again := s.must("deny", "rejected", "--yes"); !strings.Contains(again.Stderr, "is denied already") {
		t.Errorf("denying again says %q", again.Stderr)
	}
	s.check(s.run("approve", "rejected", "--yes"), expect{5, []string{"is decided already: denied"}})
	s.check(s.run("new-user", "rejected", "--dir", "D"), expect{3, []string{"was denied: ask your lead"}})
	s.check(s.as(requester).run("deny", "rejected", "--yes"), expect{1, []string{"you cannot approve or deny"}})

	s.must("new-user", "accepted", "--dir", "D", "--approve")
	s.check(s.run("deny", "accepted", "--yes"), expect{5, []string{"is decided already: issued"}})
}

// create makes a request object with a key of its own.
func create(t *testing.T, s *session, name string, user identity.User) *certificatesv1.CertificateSigningRequest {
	t.Helper()
	object := built(t, user)
	object.Name = name
	created, err := s.client().CertificatesV1().CertificateSigningRequests().Create(context.Background(), object, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return created
}

// built is an object that nobody has submitted.
func built(t *testing.T, user identity.User) *certificatesv1.CertificateSigningRequest {
	t.Helper()
	key, err := pki.NewKey(pki.DefaultKeyAlgorithm)
	if err != nil {
		t.Fatal(err)
	}
	made, err := pki.NewRequest(key, user)
	if err != nil {
		t.Fatal(err)
	}
	return request.Build(made, request.Terms{Lifetime: request.DefaultLifetime}).CertificateSigningRequest
}

func deny(t *testing.T, s *session, name, message string) {
	t.Helper()
	object := withCondition(s, name, certificatesv1.CertificateDenied, message)
	if _, err := s.client().CertificatesV1().CertificateSigningRequests().UpdateApproval(t.Context(), name, object, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
}

func fail(t *testing.T, s *session, name, message string) {
	t.Helper()
	object := withCondition(s, name, certificatesv1.CertificateFailed, message)
	if _, err := s.client().CertificatesV1().CertificateSigningRequests().UpdateStatus(t.Context(), object, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
}

func withCondition(s *session, name string, kind certificatesv1.RequestConditionType, message string) *certificatesv1.CertificateSigningRequest {
	s.t.Helper()
	object := s.object("x/" + name)
	object.Status.Conditions = append(object.Status.Conditions, certificatesv1.CertificateSigningRequestCondition{
		Type: kind, Status: "True", Reason: "Test", Message: message,
	})
	return object.CertificateSigningRequest
}

// connect is the program's own client, as the administrator.
func connect(t *testing.T, s *session) *cluster.Client {
	t.Helper()
	config, err := s.plane.RESTConfig()
	if err != nil {
		t.Fatal(err)
	}
	target, credentials, err := cluster.FromKubeconfig(config, "csr-onboard")
	if err != nil {
		t.Fatal(err)
	}
	target.UserAgent, target.Now = "e2e", time.Now
	client, err := cluster.New(target, credentials)
	if err != nil {
		t.Fatal(err)
	}
	return client
}
