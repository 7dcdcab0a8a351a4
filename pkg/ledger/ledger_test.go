package ledger

import (
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"fmt"
	"math/big"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/access"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/pki"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
)

func TestHold_ARequestIsLetGoOnlyWhenNothingCanBeLost(t *testing.T) {
	deleted := metav1.NewTime(now)
	for _, row := range []struct {
		name                                string
		isHeld, isIssued, isGoing, recorded bool
		want                                Hold
	}{
		{"new", false, false, false, false, Add},
		{"held and pending", true, false, false, false, Keep},
		{"held and issued", true, true, false, false, Keep},
		{"recorded", true, true, false, true, Release},
		{"deleted and not recorded", true, true, true, false, Keep},
		{"deleted and recorded", true, true, true, true, Release},
		{"deleted without a certificate", true, false, true, false, Release},
		{"issued and not held", false, true, false, false, Keep},
		{"recorded and not held", false, true, false, true, Keep},
		{"going and not held", false, false, true, false, Keep},
	} {
		object := &certificatesv1.CertificateSigningRequest{}
		if row.isHeld {
			object.Finalizers = []string{"other", Finalizer}
		}
		if row.isIssued {
			object.Status.Certificate = []byte("x")
		}
		if row.isGoing {
			object.DeletionTimestamp = &deleted
		}
		if got := HoldOf(request.Of(object), row.recorded); got != row.want {
			t.Errorf("%s: %v, not %v", row.name, got, row.want)
		}
	}
	if got := WithHold([]string{"a", Finalizer, "b"}, Release); !slices.Equal(got, []string{"a", "b"}) {
		t.Errorf("%v", got)
	}
	if got := WithHold([]string{"a"}, Add); !slices.Equal(got, []string{"a", Finalizer}) {
		t.Errorf("%v", got)
	}
	if got := WithHold([]string{Finalizer}, Keep); !slices.Equal(got, []string{Finalizer}) {
		t.Errorf("%v", got)
	}
}

// issued is a request with the certificate of an authority of its own, and that authority.
func issued(t *testing.T, change func(*certificatesv1.CertificateSigningRequest)) (*request.Request, *pki.ClientAuthorities) {
	t.Helper()
	authorityPEM, sign := authorityFor(t)
	key, err := pki.NewKey(pki.DefaultKeyAlgorithm)
	if err != nil {
		t.Fatal(err)
	}
	wanted, err := pki.NewRequest(key, identity.User{Name: "jane", Groups: []string{"dev"}})
	if err != nil {
		t.Fatal(err)
	}
	object := &certificatesv1.CertificateSigningRequest{
		ObjectMeta: metav1.ObjectMeta{Name: "jane-x", UID: "uid", CreationTimestamp: metav1.NewTime(now), Annotations: map[string]string{DecidedByAnnotation: "boss", PolicyAnnotation: "p"}},
		Spec:       certificatesv1.CertificateSigningRequestSpec{Request: wanted.PEM(), Username: "jane", SignerName: request.Signer},
		Status: certificatesv1.CertificateSigningRequestStatus{
			Certificate: sign(wanted),
			Conditions:  []certificatesv1.CertificateSigningRequestCondition{{Type: certificatesv1.CertificateApproved, Reason: "r", Message: "m", LastUpdateTime: metav1.NewTime(now)}},
		},
	}
	if change != nil {
		change(object)
	}
	return request.Of(object), pki.ParseClientAuthorities(authorityPEM)
}

// authorityFor makes an authority of clients, and how it signs.
func authorityFor(t *testing.T) (certificate []byte, sign func(*pki.Request) []byte) {
	t.Helper()
	certificate, key := testAuthority(t)
	authority, err := pki.NewAuthority(certificate, key, nil, now)
	if err != nil {
		t.Fatal(err)
	}
	return certificate, func(wanted *pki.Request) []byte {
		signed, err := authority.Sign(wanted, time.Hour, now)
		if err != nil {
			t.Fatal(err)
		}
		return signed.PEM
	}
}

func TestOfRequest_WhoDecidedIsBelievedOnlyFromBehindAGuard(t *testing.T) {
	object, authorities := issued(t, nil)
	for _, row := range []struct {
		since time.Time
		by    string
	}{{time.Time{}, ""}, {now, ""}, {now.Add(time.Second), ""}, {now.Add(-time.Second), "boss"}} {
		records := OfRequest(object, Circumstances{Authorities: authorities, Source: FromCluster, GuardedSince: row.since})
		if len(records) != 1 || records[0].Spec.Decision.By != row.by || records[0].Spec.Decision.Policy != "" {
			t.Errorf("guarded since %s: %+v", row.since, records[0].Spec.Decision)
		}
		if !records[0].Spec.Verified || records[0].Spec.User != "jane" || records[0].Spec.Issuer.Fingerprint == "" {
			t.Errorf("%+v", records[0].Spec)
		}
	}
	object.Annotations[DecidedByAnnotation] = Approver
	if records := OfRequest(object, Circumstances{Authorities: authorities, GuardedSince: now.Add(-time.Hour)}); records[0].Spec.Decision.Policy != "p" {
		t.Errorf("%+v", records[0].Spec.Decision)
	}
}

func TestOfRequest_WhatCannotBeReadIsRecordedAsThat(t *testing.T) {
	object, authorities := issued(t, func(object *certificatesv1.CertificateSigningRequest) {
		object.Status.Certificate = encode([]byte("not DER"))
	})
	records := OfRequest(object, Circumstances{Authorities: authorities, Source: FromCluster})
	if len(records) != 1 || records[0].Name != NameOf([]byte("not DER")) || records[0].Spec.Verified || !slices.Equal(records[0].Spec.Problems, []string{Unreadable}) {
		t.Fatalf("%+v", records)
	}
	if state := records[0].StateAt(now); state != Unverified {
		t.Errorf("%s", state)
	}
	records[0].CreationTimestamp = metav1.NewTime(now)
	if until := records[0].KeepUntil(time.Hour); until.Before(now.Add(300 * 24 * time.Hour)) {
		t.Errorf("kept until %s", until)
	}
	if records := OfRequest(object, Circumstances{}); len(records) != 1 {
		t.Errorf("%+v", records)
	}
}

func TestRecord_ARenewalKnowsWhenItsChainStarted(t *testing.T) {
	first := recordOf("jane")
	second := recordOf("jane")
	second.Name, second.Spec.Renews = NameOf([]byte("second")), &Renewal{Certificate: first.Name}
	third := recordOf("jane")
	third.Spec.Renews = &Renewal{Certificate: second.Name}
	second.RenewedFrom(first)
	third.RenewedFrom(second)
	if since := third.Spec.Renews.Since; since == nil || !since.Equal(&first.Spec.NotBefore) {
		t.Errorf("%v", since)
	}
	third.Spec.Renews.Since = nil
	third.RenewedFrom(nil)
	third.RenewedFrom(first)
	if third.Spec.Renews.Since != nil {
		t.Errorf("%v", third.Spec.Renews.Since)
	}
}

func TestState_IsWhatACertificateIsGoodFor(t *testing.T) {
	for name, row := range map[string]struct {
		change func(*ClientCertificate)
		want   State
	}{
		"valid":             {func(*ClientCertificate) {}, Valid},
		"expired":           {func(c *ClientCertificate) { c.Spec.NotAfter = metav1.NewTime(now); c.Status.Revoked = true }, Expired},
		"revoked":           {func(c *ClientCertificate) { c.Status.Revoked, c.Status.SupersededBy = true, "x" }, Revoked},
		"superseded":        {func(c *ClientCertificate) { c.Status.SupersededBy = "x" }, Superseded},
		"not yet":           {func(c *ClientCertificate) { c.Spec.NotBefore = metav1.NewTime(now.Add(time.Second)) }, NotYet},
		"unknown authority": {func(c *ClientCertificate) { c.Spec.Problems = []string{UnknownAuthority} }, Unverified},
		"for another key":   {func(c *ClientCertificate) { c.Spec.Problems = []string{AnotherKey} }, Valid},
	} {
		record := recordOf("jane")
		row.change(record)
		if got := record.StateAt(now); got != row.want {
			t.Errorf("%s: %s, not %s", name, got, row.want)
		}
	}
}

func TestState_TheListOfRevocationsIsReadAsEnforcersReadIt(t *testing.T) {
	record := recordOf("jane")
	record.Spec.Groups = []string{"dev", "pinned"}
	for name, row := range map[string]struct {
		data map[string]string
		want bool
	}{
		"nothing":                {nil, false},
		"the user":               {map[string]string{access.Blocked{User: "jane"}.Key(): "user:jane"}, true},
		"another user":           {map[string]string{access.Blocked{User: "bob"}.Key(): "user:bob"}, false},
		"this one":               {map[string]string{access.Blocked{CredentialID: record.CredentialID()}.Key(): "credential:" + record.CredentialID()}, true},
		"a pin":                  {map[string]string{access.Blocked{User: "jane", IsPin: true}.Key(): "pin:jane"}, true},
		"a pin of another group": {map[string]string{access.Blocked{User: "jane", IsPin: true}.Key(): "pin:jane", "details-" + access.Blocked{User: "jane", IsPin: true}.Key(): `{"user":"jane","pinGroup":"other"}`}, true},
		"in its group":           {map[string]string{access.Blocked{User: "jane", IsPin: true}.Key(): "pin:jane", "details-" + access.Blocked{User: "jane", IsPin: true}.Key(): `{"user":"jane","pinGroup":"pinned"}`}, false},
		"over":                   {map[string]string{access.Blocked{User: "jane"}.Key(): "user:jane", "details-" + access.Blocked{User: "jane"}.Key(): `{"user":"jane","until":"2020-01-01T00:00:00Z"}`}, false},
	} {
		if got := record.IsRevokedBy(access.ListOf(row.data), now); got != row.want {
			t.Errorf("%s: %v", name, got)
		}
	}
	if nameless := recordOf(""); nameless.IsRevokedBy(access.ListOf(map[string]string{"user-": "user:"}), now) {
		t.Error("a certificate without a user is revoked by an entry without one")
	}
}

func TestAudit_AnEventSaysOnlyWhatItHolds(t *testing.T) {
	const used = `{"kind":"Event","apiVersion":"audit.k8s.io/v1","stage":"ResponseComplete","verb":"get","user":{"username":"jane","extra":{"authentication.kubernetes.io/credential-id":["X509SHA256=%s"]}},"objectRef":{"resource":"pods"},"responseStatus":{"code":200},"stageTimestamp":"2026-11-27T09:00:00.000000Z"}`
	hash := strings.Repeat("a", 64)
	if event, err := ParseAuditEvent(fmt.Appendf(nil, used, hash)); err != nil || event.Seen != hash || !event.At.Equal(now) || event.Decided != nil || event.Issued != nil {
		t.Errorf("%+v, %v", event, err)
	}
	if event, err := ParseAuditEvent(fmt.Appendf(nil, used, "zz")); err != nil || event.Seen != "" {
		t.Errorf("%+v, %v", event, err)
	}
	for _, line := range []string{"x", "{}", `{"kind":"Event","apiVersion":"v1"}`} {
		if _, err := ParseAuditEvent([]byte(line)); err == nil {
			t.Errorf("%s is read", line)
		}
	}
	refused := strings.Replace(fmt.Sprintf(used, hash), `"code":200`, `"code":403`, 1)
	if event, err := ParseAuditEvent([]byte(refused)); err != nil || event != nil {
		t.Errorf("%+v, %v", event, err)
	}
	approved := `{"kind":"Event","apiVersion":"audit.k8s.io/v1","stage":"ResponseComplete","verb":"update","user":{"username":"boss"},"impersonatedUser":{"username":"other"},"objectRef":{"resource":"certificatesigningrequests","apiGroup":"certificates.k8s.io","name":"jane-x","subresource":"approval"},"responseStatus":{"code":200},"stageTimestamp":"2026-11-27T09:00:00.5Z"}`
	event, err := ParseAuditEvent([]byte(approved))
	if err != nil || event.Decided == nil || event.Decided.By != "other" {
		t.Fatalf("%+v, %v", event, err)
	}
	record := recordOf("jane")
	at := metav1.NewTime(now)
	record.Spec.Request = &Request{Name: "jane-x", DecidedAt: &at}
	if !event.Decided.IsOf(record) {
		t.Error("the decision is not that of the record")
	}
	later := metav1.NewTime(now.Add(time.Minute))
	record.Spec.Request.DecidedAt = &later
	if event.Decided.IsOf(record) {
		t.Error("a decision at another time is that of the record")
	}
}

func TestIssuance_ALineOfSignIsARecord(t *testing.T) {
	good := pki.Issuance{Serial: "AB", SHA256: strings.Repeat("a", 64), User: "jane", Groups: []string{"dev"}, Fingerprint: "SHA256:x", NotBefore: "2026-11-27T09:00:00Z", NotAfter: "2026-12-27T09:00:00Z"}
	parse := func(change func(*pki.Issuance)) (*ClientCertificate, error) {
		line := good
		change(&line)
		text, err := json.Marshal(line)
		if err != nil {
			t.Fatal(err)
		}
		return ParseIssuance(text)
	}
	record, err := parse(func(*pki.Issuance) {})
	if err != nil || record.Name != good.SHA256 || record.Spec.Serial != "ab" || record.Spec.Verified || record.StateAt(now) != Valid {
		t.Errorf("%+v, %v", record, err)
	}
	for _, change := range []func(*pki.Issuance){
		func(i *pki.Issuance) { i.SHA256 = "A" + i.SHA256[1:] }, func(i *pki.Issuance) { i.SHA256 = "" },
		func(i *pki.Issuance) { i.NotBefore = "yesterday" }, func(i *pki.Issuance) { i.NotAfter = "" },
	} {
		if record, err := parse(change); err == nil {
			t.Errorf("%+v", record)
		}
	}
}

func TestRecord_ACopySharesNothing(t *testing.T) {
	at := metav1.NewTime(now)
	record := recordOf("jane")
	record.Spec.Groups, record.Spec.Problems = []string{"a"}, []string{"b"}
	record.Spec.Request, record.Spec.Requester = &Request{CreatedAt: &at, DecidedAt: &at}, &Requester{Groups: []string{"c"}}
	record.Spec.Decision, record.Spec.Renews, record.Status.LastSeen = &Decision{}, &Renewal{Since: &at}, &at
	copied, _ := record.DeepCopyObject().(*ClientCertificate)
	if !reflect.DeepEqual(record, copied) {
		t.Fatalf("%+v", copied)
	}
	copied.Spec.Groups[0], copied.Spec.Problems[0], copied.Spec.Requester.Groups[0] = "x", "x", "x"
	copied.Spec.Decision.By, copied.Spec.Request.Name = "x", "x"
	*copied.Spec.Renews.Since, *copied.Status.LastSeen, *copied.Spec.Request.CreatedAt = metav1.Time{}, metav1.Time{}, metav1.Time{}
	if record.Spec.Groups[0] != "a" || record.Spec.Problems[0] != "b" || record.Spec.Requester.Groups[0] != "c" || record.Spec.Decision.By != "" || record.Spec.Request.Name != "" || at.IsZero() {
		t.Errorf("%+v", record)
	}
}

// testAuthority is the certificate and the key of a new authority, in PEM.
func testAuthority(t *testing.T) (certificate, key []byte) {
	t.Helper()
	private, err := pki.NewKey(pki.DefaultKeyAlgorithm)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "kubernetes"}, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	if key, err = pki.EncodeKey(private); err != nil {
		t.Fatal(err)
	}
	return encode(der), key
}
