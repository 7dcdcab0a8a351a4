package approve

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/access"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cluster/requests"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cmd/cli"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cmd/cli/clitest"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/approval"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/pki"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"

	"github.com/spf13/cobra"
)

func TestInput_TheInputOfADecisionIsWhatWasTyped(t *testing.T) {
	fingerprint := "SHA256:" + strings.Repeat("A", 43)
	view := access.Role{IsCluster: true, Name: "view"}
	for _, test := range []struct {
		command   func(*cli.Environment) *cobra.Command
		arguments []string
		want      approval.Input
		chooses   bool
	}{
		{New, []string{"jane", "--yes"}, approval.Input{
			Decision: request.Approval(), Selection: approval.Selection{Names: []approval.Name{{Text: "jane"}}}, Unasked: true,
		}, false},
		{New, []string{"jane", "--fingerprint", fingerprint, "--allow", "sans-present"}, approval.Input{
			Decision: request.Approval(), Selection: approval.Selection{Names: []approval.Name{{Text: "jane"}}, Fingerprint: fingerprint}, Allow: []string{"sans-present"},
		}, false},
		{New, []string{"jane", "sam", "--dry-run=server", "--message", "hello"}, approval.Input{
			Decision: request.Approval(), Selection: approval.Selection{Names: []approval.Name{{Text: "jane"}, {Text: "sam"}}}, Message: "hello", DryRun: onboard.DryRunServer, Unasked: true,
		}, false},
		{New, []string{"jane", "--require-other-approver"}, approval.Input{
			Decision: request.Approval(), Selection: approval.Selection{Names: []approval.Name{{Text: "jane"}}}, RequireOtherApprover: true,
		}, false},
		{New, []string{"jane", "--clusterrole", "view", "-n", "default", "--to-group"}, approval.Input{
			Decision: request.Approval(), Selection: approval.Selection{Names: []approval.Name{{Text: "jane"}}},
			Grants: onboard.GrantInput{ToGroup: true, Grants: []access.Grant{{Role: view, Namespace: "default"}}},
		}, false},
		{New, []string{"csr/jane", "team/jane", "CertificateSigningRequest.certificates.k8s.io/sam-0123456789", "--yes"}, approval.Input{
			Decision:  request.Approval(),
			Selection: approval.Selection{Names: []approval.Name{{Text: "jane", IsObject: true}, {Text: "team/jane"}, {Text: "sam-0123456789", IsObject: true}}}, Unasked: true,
		}, false},
		{New, []string{"--all"}, approval.Input{Decision: request.Approval()}, false},
		{NewDeny, []string{"jane", "--message", "ask your team lead first"}, approval.Input{
			Decision: request.Denial(), Selection: approval.Selection{Names: []approval.Name{{Text: "jane"}}}, Message: "ask your team lead first",
		}, false},
	} {
		o, err := clitest.Run[*decideOptions](t, test.command, test.arguments...)
		if err != nil {
			t.Errorf("%q: %v", test.arguments, err)
			continue
		}
		got := o.input(t.Context())
		if got.Confirm == nil || (got.Choose != nil) != test.chooses {
			t.Errorf("%q: asks %v, chooses %v", test.arguments, got.Confirm != nil, got.Choose != nil)
		}
		got.Confirm, got.Choose, got.Check = nil, nil, nil
		if test.want.DryRun == "" {
			test.want.DryRun = onboard.DryRunNone
		}
		if len(got.Names) == 0 {
			got.Names = nil
		}
		if !reflect.DeepEqual(got, test.want) {
			t.Errorf("%q:\n got %+v\nwant %+v", test.arguments, got, test.want)
		}
	}
}

func TestInput_TheInputOfAListIsWhatWasTyped(t *testing.T) {
	for _, test := range []struct {
		arguments []string
		want      approval.ListInput
	}{
		{nil, approval.ListInput{}},
		{[]string{"--pending", "-o", "wide"}, approval.ListInput{Pending: true}},
		{[]string{"--all-signers", "-l", "team=blue", "--watch", "--no-headers"}, approval.ListInput{Query: requests.Query{AllSigners: true, Labels: "team=blue"}}},
	} {
		o, err := clitest.Run[*listOptions](t, NewList, test.arguments...)
		if err != nil || !reflect.DeepEqual(o.input, test.want) {
			t.Errorf("%q: %+v, %v, want %+v", test.arguments, o, err, test.want)
		}
	}
	for _, arguments := range [][]string{{"-o", "xml"}, {"-l", "=="}, {"-o", "json", "--no-headers"}, {"jane"}} {
		if o, err := clitest.Run[*listOptions](t, NewList, arguments...); err == nil {
			t.Errorf("%q: %+v", arguments, o)
		}
	}
}

func TestInput_WhatIsNotMeantIsRefused(t *testing.T) {
	for _, test := range []struct{ arguments, says string }{
		{"", "no NAME is given"},
		{"jane --all", "exclude each other"},
		{"csr/", "a NAME is empty"},
		{"--all=false", "--all=false does nothing"},
		{"jane sam --fingerprint SHA256:" + strings.Repeat("A", 43), "--fingerprint is for one NAME or file, and there are 2"},
		{"jane --fingerprint SHA256:short", "SHA256:short"},
		{"jane --allow nothing", "nothing"},
		{"jane --expiration 8h", "--expiration does nothing without --filename"},
		{"-f missing.csr", "missing.csr"},
		{"jane --dry-run=client --message hello", "message"},
		{"jane --dry-run=server --out f", "exclude each other"},
		{"jane --dry-run=soon", "soon"},
	} {
		if o, err := clitest.Run[*decideOptions](t, New, strings.Fields(test.arguments)...); err == nil || !strings.Contains(err.Error()+outcome.Hint(err), test.says) {
			t.Errorf("%q: %+v, %v, want %q", test.arguments, o, err, test.says)
		}
	}
}

func TestInput_TheSameIsAskedOnceAndWhatDiffersForEachCluster(t *testing.T) {
	clitest.Contexts(t)
	o, err := clitest.Run[*decideOptions](t, New, "jane", "--contexts", "prod,dev", "--yes")
	if err != nil || len(o.clusters.Each) != 2 || o.clusters.Each[0].Cluster != "prod" {
		t.Fatalf("%v, %+v", err, o)
	}
	key, err := pki.NewKey(pki.DefaultKeyAlgorithm)
	if err != nil {
		t.Fatal(err)
	}
	ask := func(name, cluster, requester string, groups ...string) question {
		made, err := pki.NewRequest(key, identity.User{Name: name, Groups: groups})
		if err != nil {
			t.Fatal(err)
		}
		object := request.Build(made, request.Terms{Lifetime: time.Hour, Signer: request.Signer})
		object.Spec.Username = requester
		object.CreationTimestamp = metav1.NewTime(time.Now().Add(-time.Duration(len(cluster)) * time.Hour))
		return question{cluster: cluster, review: request.ReviewOf(object)}
	}
	questions := []question{ask("jane", "dev", "admin"), ask("joe", "dev", "admin"), ask("jane", "production", "admin"), ask("jane", "test", "eve"), ask("jane", "lab", "admin", "dev")}
	var got [][]string
	for _, one := range distinctOf(questions) {
		got = append(got, one.clusters)
	}
	if want := [][]string{{"dev", "production"}, {"dev"}, {"test"}, {"lab"}}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	questions[2].given = []access.Wanted{{}}
	if len(distinctOf(questions)) != 5 {
		t.Error("what the user gets besides makes no difference")
	}
	for i, answerErr := range o.ask(t.Context(), questions) {
		if answerErr != nil {
			t.Errorf("question %d: %v", i, answerErr)
		}
	}
}

// TestInput_WithoutAnAnswerNothingIsApproved has nobody at a terminal, and no --yes.
func TestInput_WithoutAnAnswerNothingIsApproved(t *testing.T) {
	key, err := pki.NewKey(pki.DefaultKeyAlgorithm)
	if err != nil {
		t.Fatal(err)
	}
	o, err := clitest.Run[*decideOptions](t, New, "jane")
	if err != nil {
		t.Fatal(err)
	}
	same, other := encodedAs(t, key, asn1.TagUTF8String), encodedAs(t, key, asn1.TagPrintableString)
	questions := []question{same, other, same}
	answers := o.ask(t.Context(), questions)
	if len(answers) != len(questions) {
		t.Fatalf("%d answers to %d questions", len(answers), len(questions))
	}
	for i, answerErr := range answers {
		if !errors.Is(answerErr, outcome.ErrUsage) {
			t.Errorf("question %d: %v", i, answerErr)
		}
	}
}

func TestInput_ANoIsForTheRequestsThatLookTheSameAlone(t *testing.T) {
	key, err := pki.NewKey(pki.DefaultKeyAlgorithm)
	if err != nil {
		t.Fatal(err)
	}
	same, other := encodedAs(t, key, asn1.TagUTF8String), encodedAs(t, key, asn1.TagPrintableString)
	questions := []question{same, other, same}
	for _, test := range []struct{ first, second error }{{approval.ErrDeclined, nil}, {outcome.ErrInterrupted, outcome.ErrInterrupted}, {nil, nil}} {
		asked := 0
		answers := askEach(t.Context(), questions, func(context.Context, distinct) error {
			if asked++; asked == 1 {
				return test.first
			}
			return nil
		})
		if !slices.Equal(answers, []error{test.first, test.second, test.first}) || (asked == 1) != errors.Is(test.first, outcome.ErrInterrupted) {
			t.Errorf("%v: answers %v, asked %d times", test.first, answers, asked)
		}
	}
}

func TestInput_ListRunsOnTheContextsThatAreNamed(t *testing.T) {
	clitest.Contexts(t)
	o, err := clitest.Run[*listOptions](t, NewList, "--contexts", "prod,d*")
	if err != nil || len(o.clusters.Each) != 2 || o.clusters.Each[0].Cluster != "prod" || *o.clusters.Each[1].Flags.Context != "dev" {
		t.Errorf("%v, %+v", err, o)
	}
}

// encodedAs is a question about a request for jane whose common name is a string of an ASN.1 type.
func encodedAs(t *testing.T, key crypto.Signer, tag int) question {
	t.Helper()
	type attribute struct {
		Type  asn1.ObjectIdentifier
		Value asn1.RawValue
	}
	commonName := attribute{asn1.ObjectIdentifier{2, 5, 4, 3}, asn1.RawValue{Tag: tag, Bytes: []byte("jane")}}
	subject, err := asn1.Marshal([][]attribute{{commonName}})
	if err != nil {
		t.Fatal(err)
	}
	subject[2] = 0x31 // A relative name is a SET (RFC 5280, section 4.1.2.4).
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{RawSubject: subject}, key)
	if err != nil {
		t.Fatal(err)
	}
	made, err := pki.ParseRequest(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}))
	if err != nil {
		t.Fatal(err)
	}
	return question{cluster: "dev", review: request.ReviewOf(request.Build(made, request.Terms{Lifetime: time.Hour, Signer: request.Signer, Name: "jane"}))}
}

func TestInput_RequestsThatLookTheSameAndDifferAreAskedEach(t *testing.T) {
	key, err := pki.NewKey(pki.DefaultKeyAlgorithm)
	if err != nil {
		t.Fatal(err)
	}
	one, same, other := encodedAs(t, key, asn1.TagUTF8String), encodedAs(t, key, asn1.TagUTF8String), encodedAs(t, key, asn1.TagPrintableString)
	if one.text() != other.text() || !one.isSame(same) || one.isSame(other) {
		t.Errorf("same: %t, other: %t\n%s%s", one.isSame(same), one.isSame(other), one.text(), other.text())
	}
}
