package audit_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/access"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cluster/clustertest"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/ledger"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/audit"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/onboardtest"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/pki"
)

// office is a cluster, and a directory with logs of it.
type office struct {
	*onboardtest.World
	directory string
}

// newOffice has a cluster that says whose client certificates it accepts.
func newOffice(t *testing.T) *office {
	t.Helper()
	w := onboardtest.New(t)
	authority, _ := w.Server.AuthorityFiles(t)
	w.Server.Put(t, &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: "kube-system", Name: "extension-apiserver-authentication"},
		Data:       map[string]string{"client-ca-file": string(authority)},
	})
	return &office{w, t.TempDir()}
}

// issued is an approved request of a user, which no recorder has seen.
func (o *office) issued(t *testing.T, name string) *certificatesv1.CertificateSigningRequest {
	t.Helper()
	submitted := o.Submit(t, onboardtest.Asked(t, name, "dev"))
	o.Server.Decide(submitted.Name, certificatesv1.CertificateApproved)
	stored := &certificatesv1.CertificateSigningRequest{}
	if !o.Server.Find(t, submitted.Name, stored) || len(stored.Status.Certificate) == 0 {
		t.Fatalf("%+v", stored)
	}
	return stored
}

// event is a line of an audit log: somebody approves a request, answered with the object or not.
func event(t *testing.T, by string, object *certificatesv1.CertificateSigningRequest, withObject bool) string {
	t.Helper()
	read := map[string]any{
		"kind": "Event", "apiVersion": "audit.k8s.io/v1", "stage": "ResponseComplete", "verb": "update", "user": map[string]any{"username": by},
		"objectRef":      map[string]any{"resource": "certificatesigningrequests", "apiGroup": "certificates.k8s.io", "name": object.Name, "subresource": "approval"},
		"stageTimestamp": object.Status.Conditions[0].LastUpdateTime,
	}
	if withObject {
		read["responseObject"] = object
	}
	return line(t, read)
}

// use is a line of an audit log: somebody logs in with a certificate.
func use(t *testing.T, certificate string, at time.Time) string {
	t.Helper()
	return line(t, map[string]any{
		"kind": "Event", "apiVersion": "audit.k8s.io/v1", "stage": "ResponseComplete", "verb": "get", "stageTimestamp": at,
		"user": map[string]any{"username": "jane", "extra": map[string][]string{access.CredentialIDKey: {access.CertificateIDPrefix + certificate}}},
	})
}

func line(t *testing.T, value any) string {
	t.Helper()
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return string(text) + "\n"
}

// file writes a file and returns its path.
func (o *office) file(t *testing.T, name string, lines ...string) string {
	t.Helper()
	path := filepath.Join(o.directory, name)
	if err := os.WriteFile(path, []byte(strings.Join(lines, "")), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func certificateIn(t *testing.T, object *certificatesv1.CertificateSigningRequest) *pki.Certificate {
	t.Helper()
	certificate, err := pki.ParseCertificate(object.Status.Certificate)
	if err != nil {
		t.Fatal(err)
	}
	return certificate
}

func recordOf(t *testing.T, object *certificatesv1.CertificateSigningRequest) string {
	t.Helper()
	return ledger.NameOf(certificateIn(t, object).Leaf.Raw)
}

// record is what is on the ledger of a request's certificate.
func (o *office) record(t *testing.T, object *certificatesv1.CertificateSigningRequest) *ledger.ClientCertificate {
	t.Helper()
	found := &ledger.ClientCertificate{}
	if name := recordOf(t, object); !o.Server.Find(t, name, found) {
		t.Fatalf("%s is not on the ledger, which has %q", name, o.Server.Names(ledger.Resource))
	}
	return found
}

func TestImport_EveryCertificateIsRecordedOnce(t *testing.T) {
	o := newOffice(t)
	jane, sam, kim := o.issued(t, "jane"), o.issued(t, "sam"), o.issued(t, "kim")
	in := audit.Import{
		Certificates: []*pki.Certificate{certificateIn(t, jane)},
		IssuanceLogs: []string{o.file(t, "issued.jsonl", line(t, pki.IssuanceOf(certificateIn(t, sam), o.Now())), "\n", line(t, pki.IssuanceOf(certificateIn(t, jane), o.Now())))},
		AuditLogs:    []string{o.file(t, "audit.log", event(t, "admin", kim, true), event(t, "admin", kim, true))},
	}
	for _, want := range []audit.Imported{{Found: 3, New: 3, Decisions: 1}, {Found: 3}} {
		if got, err := in.Run(t.Context(), o.Program); err != nil || got != want {
			t.Errorf("%+v, %v, want %+v", got, err, want)
		}
	}
	// A certificate says more than the line of a log about it.
	if got := o.record(t, jane); got.Spec.Source != ledger.FromFile || got.Spec.Issuer.Fingerprint == "" || got.ApprovedBy() != "" {
		t.Errorf("%+v", got)
	}
	if got := o.record(t, sam); got.Spec.Source != ledger.FromIssuanceLog {
		t.Errorf("%+v", got)
	}
	if got := o.record(t, kim); got.Spec.Source != ledger.FromAuditLog || !got.Spec.Verified || got.ApprovedBy() != "admin" {
		t.Errorf("%+v", got)
	}
}

// TestImport_WhoApprovedIsLearnedLater is for audit logs of level Metadata, which have no certificates.
func TestImport_WhoApprovedIsLearnedLater(t *testing.T) {
	o := newOffice(t)
	jane, sam := o.issued(t, "jane"), o.issued(t, "sam")
	for _, object := range []*certificatesv1.CertificateSigningRequest{jane, sam} {
		submitted := object.DeepCopy()
		decided := event(t, "nobody", submitted, true)
		// The certificate was seen by itself, and who approved was not.
		submitted.Name = "another"
		in := audit.Import{AuditLogs: []string{o.file(t, "get.log", strings.Replace(decided, `"update"`, `"get"`, 1))}}
		if got, err := in.Run(t.Context(), o.Program); err != nil || got != (audit.Imported{Found: 1, New: 1}) {
			t.Fatalf("%+v, %v", got, err)
		}
	}
	other := sam.DeepCopy()
	other.Status.Conditions[0].LastUpdateTime = metav1.NewTime(o.Now().Add(-time.Hour))
	in := audit.Import{AuditLogs: []string{o.file(t, "audit.log", event(t, "admin", jane, false), event(t, "admin", other, false))}}
	for _, want := range []audit.Imported{{Decisions: 1}, {}} {
		if got, err := in.Run(t.Context(), o.Program); err != nil || got != want {
			t.Errorf("%+v, %v, want %+v", got, err, want)
		}
	}
	if by, otherBy := o.record(t, jane).ApprovedBy(), o.record(t, sam).ApprovedBy(); by != "admin" || otherBy != "" {
		t.Errorf("%q and %q", by, otherBy)
	}
}

// TestImport_ACertificateAndItsRenewalAreLinkedInAnyOrder has a certificate that was renewed twice.
func TestImport_ACertificateAndItsRenewalAreLinkedInAnyOrder(t *testing.T) {
	for about, imports := range map[string][][]int{
		"at once":                   {{0, 1, 2}},
		"at once, the last first":   {{2, 1, 0}},
		"one after the other":       {{0}, {1}, {2}},
		"the second after the rest": {{0, 2}, {1}},
		"the last first":            {{2}, {1}, {0}},
	} {
		o := newOffice(t)
		var objects []*certificatesv1.CertificateSigningRequest
		with := ""
		for _, name := range []string{"c", "b", "a"} {
			objects = append(objects, clustertest.Issue(t, o.Server, name, "jane", with))
			with = recordOf(t, objects[len(objects)-1])
		}
		for _, which := range imports {
			var lines []string
			for _, i := range which {
				lines = append(lines, event(t, "admin", objects[i], true))
			}
			in := audit.Import{AuditLogs: []string{o.file(t, "audit.log", lines...)}}
			if got, err := in.Run(t.Context(), o.Program); err != nil || got.New != len(which) || got.Decisions != len(which) {
				t.Errorf("%s: %+v, %v", about, got, err)
			}
		}
		for i, object := range objects {
			by := ""
			if i < 2 {
				by = recordOf(t, objects[i+1])
			}
			record := o.record(t, object)
			if record.Status.SupersededBy != by {
				t.Errorf("%s: number %d is superseded by %q, and not by %q", about, i+1, record.Status.SupersededBy, by)
			}
			if hasSince := i > 0 && record.Spec.Renews.Since != nil; len(imports) == 1 && hasSince != (i > 0) {
				t.Errorf("%s: number %d renews %+v", about, i+1, record.Spec.Renews)
			}
		}
	}
}

func TestImport_ALineAtFaultIsNamedAndWhatCameBeforeIsKept(t *testing.T) {
	o := newOffice(t)
	jane := o.issued(t, "jane")
	audited := o.file(t, "audit.log", event(t, "admin", jane, true), "garbled\n")
	got, err := audit.Import{AuditLogs: []string{audited}}.Run(t.Context(), o.Program)
	if got != (audit.Imported{Found: 1, New: 1, Decisions: 1}) || !errors.Is(err, outcome.ErrUsage) || !strings.Contains(err.Error(), "audit.log\", line 2: not a line of JSON") {
		t.Errorf("%+v, %v", got, err)
	}
	issuance := o.file(t, "issued.jsonl", "{}\n")
	if _, err := (audit.Import{IssuanceLogs: []string{issuance}}).Run(t.Context(), o.Program); !errors.Is(err, outcome.ErrUsage) || !strings.Contains(err.Error(), "line 1") {
		t.Errorf("%v", err)
	}
	if _, err := audit.FillInSeen(t.Context(), o.Program, []string{audited}); !errors.Is(err, outcome.ErrUsage) {
		t.Errorf("%v", err)
	}
	for _, run := range []func() error{
		func() error {
			_, err := audit.Import{AuditLogs: []string{o.directory}}.Run(t.Context(), o.Program)
			return err
		},
		func() error {
			_, err := audit.Import{IssuanceLogs: []string{filepath.Join(o.directory, "missing")}}.Run(t.Context(), o.Program)
			return err
		},
	} {
		if err := run(); err == nil {
			t.Error("a file that cannot be read is not an error")
		}
	}
}

func TestImport_WithoutItsAuthoritiesNothingIsVerified(t *testing.T) {
	o := newOffice(t)
	o.Server.Refuse("get", "configmaps")
	jane := o.issued(t, "jane")
	in := audit.Import{Certificates: []*pki.Certificate{certificateIn(t, jane)}}
	if _, err := in.Run(t.Context(), o.Program); err != nil {
		t.Fatal(err)
	}
	told := onboardtest.Told[audit.AuthoritiesUnknown](o.World)
	if got := o.record(t, jane); len(told) != 1 || told[0].Reason == nil || !slices.Contains(got.Spec.Problems, ledger.AuthorityNotChecked) {
		t.Errorf("%v, %+v", told, got)
	}
}

func TestImport_WhatTheServerRefusesIsReported(t *testing.T) {
	o := newOffice(t)
	jane := o.issued(t, "jane")
	in := audit.Import{AuditLogs: []string{o.file(t, "audit.log", event(t, "admin", jane, true))}}
	interrupted, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := in.Run(interrupted, o.Program); !errors.Is(err, outcome.ErrInterrupted) {
		t.Errorf("%v", err)
	}
	for _, refused := range []struct{ verb, resource string }{{"update", "clientcertificates/status"}, {"list", "clientcertificates"}, {"create", "clientcertificates"}} {
		o.Server.Refuse(refused.verb, refused.resource)
		if _, err := in.Run(t.Context(), o.Program); err == nil || !strings.Contains(err.Error(), "forbidden") {
			t.Errorf("%v: %v", refused, err)
		}
	}
}

// conflicts has the server refuse so many changes of records, as if somebody else changed them first.
func (o *office) conflicts(count int) {
	o.Server.Answer = func(w http.ResponseWriter, r *http.Request) bool {
		if count == 0 || !strings.HasSuffix(r.URL.Path, "/status") {
			return false
		}
		count--
		clustertest.Fail(w, http.StatusConflict, metav1.StatusReasonConflict)
		return true
	}
}

func TestSeen_TheLatestUseIsFilledIn(t *testing.T) {
	o := newOffice(t)
	jane := o.issued(t, "jane")
	if _, err := (audit.Import{Certificates: []*pki.Certificate{certificateIn(t, jane)}}).Run(t.Context(), o.Program); err != nil {
		t.Fatal(err)
	}
	at := o.Now().UTC().Truncate(time.Second)
	name, unknown := recordOf(t, jane), strings.Repeat("0", 64)
	paths := []string{
		o.file(t, "1.log", use(t, name, at.Add(-time.Hour)), use(t, name, at), use(t, name, at.Add(-2*time.Hour))),
		o.file(t, "2.log", use(t, unknown, at)),
	}
	// Somebody else changes the record meanwhile.
	o.conflicts(9)
	for _, want := range []audit.Seen{{Certificates: 2, Unknown: 1, Changed: 1}, {Certificates: 2, Unknown: 1}} {
		if got, err := audit.FillInSeen(t.Context(), o.Program, paths); err != nil || got != want {
			t.Errorf("%+v, %v, want %+v", got, err, want)
		}
	}
	if got := o.record(t, jane).Status.LastSeen; got == nil || !got.Time.Equal(at) {
		t.Errorf("%v, want %v", got, at)
	}
	earlier := o.file(t, "earlier.log", use(t, name, at.Add(-time.Minute)))
	if got, err := audit.FillInSeen(t.Context(), o.Program, []string{earlier}); err != nil || got.Changed != 0 {
		t.Errorf("%+v, %v", got, err)
	}
	o.conflicts(10)
	later := o.file(t, "later.log", use(t, name, at.Add(time.Minute)))
	if got, err := audit.FillInSeen(t.Context(), o.Program, []string{later}); err == nil || got.Changed != 0 || !strings.Contains(err.Error(), "changes all the time") {
		t.Errorf("%+v, %v", got, err)
	}
	o.Server.Refuse("get", "clientcertificates")
	if _, err := audit.FillInSeen(t.Context(), o.Program, []string{later}); err == nil {
		t.Error("a record that cannot be read is not an error")
	}
}

// imported puts certificates of users on the ledger.
func (o *office) imported(t *testing.T, names ...string) {
	t.Helper()
	var in audit.Import
	for _, name := range names {
		in.Certificates = append(in.Certificates, certificateIn(t, o.issued(t, name)))
	}
	if _, err := in.Run(t.Context(), o.Program); err != nil {
		t.Fatal(err)
	}
}

// users are whose certificates a query means.
func (o *office) users(t *testing.T, query ledger.Query) []string {
	t.Helper()
	var found []string
	if err := audit.EachPage(t.Context(), o.Program, query, func(page []*ledger.ClientCertificate) error {
		for _, record := range page {
			found = append(found, record.Spec.User)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	slices.Sort(found)
	return found
}

func TestList_WhoIsRevokedCountsAsRevokedAtOnce(t *testing.T) {
	o := newOffice(t)
	o.imported(t, "jane", "sam")
	if got := o.users(t, ledger.Query{}); !slices.Equal(got, []string{"jane", "sam"}) {
		t.Errorf("%q", got)
	}
	if got := o.users(t, ledger.Query{User: "sam"}); !slices.Equal(got, []string{"sam"}) {
		t.Errorf("%q", got)
	}
	o.Server.Put(t, &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: access.BlockNamespace, Name: access.BlockName},
		Data:       map[string]string{"user-6a616e65": "user:jane"},
	})
	if got := o.users(t, ledger.Query{}); !slices.Equal(got, []string{"sam"}) {
		t.Errorf("with jane on the list: %q", got)
	}
	if got := o.users(t, ledger.Query{States: []ledger.State{ledger.Revoked}}); !slices.Equal(got, []string{"jane"}) {
		t.Errorf("revoked: %q", got)
	}
	// Where the list cannot be read, it is as the records say.
	o.Server.Refuse("list", "configmaps")
	if got := o.users(t, ledger.Query{}); !slices.Equal(got, []string{"jane", "sam"}) {
		t.Errorf("without the list: %q", got)
	}
}

// exported exports the ledger into a file.
func (o *office) exported(t *testing.T) (path string, lines []string) {
	t.Helper()
	var out bytes.Buffer
	if err := audit.Export(t.Context(), o.Program, &out); err != nil {
		t.Fatal(err)
	}
	lines = strings.SplitAfter(out.String(), "\n")
	return o.file(t, "ledger.jsonl", lines...), lines[:len(lines)-1]
}

func TestExport_AChangeIsFound(t *testing.T) {
	o := newOffice(t)
	o.Server.Put(t, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: ledger.ExportsNamespace, Name: ledger.ExportsName}})
	o.imported(t, "jane", "sam")
	path, lines := o.exported(t)
	told := onboardtest.Told[audit.Exported](o.World)
	verified, err := audit.VerifyFile(path)
	if err != nil || len(told) != 1 || told[0].Lines != 4 || len(lines) != 4 || verified.Lines != 4 || verified.Head != told[0].Head {
		t.Fatalf("%+v, %v, told %v", verified, err, told)
	}
	if err := errors.Join(verified.CheckHead(told[0].Head), verified.CheckKept(t.Context(), o.Program)); err != nil || verified.Export == nil || verified.Export.By != "admin" {
		t.Errorf("%+v, %v", verified, err)
	}
	if err := verified.CheckHead(strings.Repeat("0", 64)); err == nil {
		t.Error("another head is accepted")
	}
	for about, changed := range map[string][]string{
		"a line that was changed": {lines[0], strings.Replace(lines[1], `"user":"`, `"user":"x`, 1), lines[2], lines[3]},
		"a line that was removed": {lines[0], lines[2], lines[3]},
		"an end that was removed": lines[:3],
	} {
		if got, err := audit.VerifyFile(o.file(t, "changed.jsonl", changed...)); err == nil {
			t.Errorf("%s: %+v", about, got)
		}
	}
	// The last line is compared with what the cluster has kept.
	short := audit.Verified{Head: verified.Head, Lines: 3}
	if err := short.CheckKept(t.Context(), o.Program); err == nil || !strings.Contains(err.Error(), "3 lines") {
		t.Errorf("%v", err)
	}
	other := audit.Verified{Head: strings.Repeat("0", 64), Lines: 4}
	if err := other.CheckKept(t.Context(), o.Program); err == nil || !strings.Contains(outcome.Hint(err), "--head HASH") {
		t.Errorf("%v", err)
	}
	o.Server.Refuse("get", "configmaps")
	if err := verified.CheckKept(t.Context(), o.Program); err == nil {
		t.Error("what cannot be read counts as kept")
	}
}

// brokenWriter fails from one write on.
type brokenWriter struct{ left int }

func (w *brokenWriter) Write(text []byte) (int, error) {
	if w.left--; w.left < 0 {
		return 0, errBroken
	}
	return len(text), nil
}

var errBroken = errors.New("no space left on device")

func TestExport_OneThatIsNotWholeIsAnError(t *testing.T) {
	o := newOffice(t)
	o.Server.Put(t, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: ledger.ExportsNamespace, Name: ledger.ExportsName}})
	o.imported(t, "jane")
	for lines := range 3 {
		if err := audit.Export(t.Context(), o.Program, &brokenWriter{lines}); !errors.Is(err, errBroken) {
			t.Errorf("after %d lines: %v", lines, err)
		}
	}
	o.Server.Refuse("patch", "configmaps")
	var out bytes.Buffer
	if err := audit.Export(t.Context(), o.Program, &out); err == nil || !strings.Contains(outcome.Hint(err), "--head") || strings.Count(out.String(), "\n") != 3 {
		t.Errorf("%v, %s", err, out.String())
	}
	if told := onboardtest.Told[audit.Exported](o.World); len(told) != 0 {
		t.Errorf("an export that cannot be verified is reported: %v", told)
	}
	o.Server.Refuse("list", "clientcertificates")
	if err := audit.Export(t.Context(), o.Program, &out); err == nil {
		t.Error("records that cannot be listed are not an error")
	}
}

// TestExport_NothingIsWrittenBeforeARecordWasRead is for a user who cannot list the ledger, and whose file stays empty.
func TestExport_NothingIsWrittenBeforeARecordWasRead(t *testing.T) {
	o := newOffice(t)
	o.Server.Put(t, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: ledger.ExportsNamespace, Name: ledger.ExportsName}})
	var out bytes.Buffer
	if err := audit.Export(t.Context(), o.As(t, "eve"), &out); err == nil || out.Len() > 0 {
		t.Errorf("%v, wrote %q", err, out.String())
	}
	// A ledger without records has an export of two lines.
	if err := audit.Export(t.Context(), o.Program, &out); err != nil || strings.Count(out.String(), "\n") != 2 {
		t.Errorf("%v, wrote %q", err, out.String())
	}
}
