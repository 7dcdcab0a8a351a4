package ledger

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestChain_ATimeThatCannotBeWrittenIsAnError(t *testing.T) {
	chain := NewChain(time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC), "admin")
	if line, err := chain.Begin(); err == nil || line != nil {
		t.Errorf("%q, %v", line, err)
	}
	if head, _ := chain.Head(); head != "" {
		t.Errorf("its head is %q", head)
	}
}

// TestChain_LinesThatAreChainedAndDoNotBelongThereAreNamed has hostile exports of which each hash is right.
func TestChain_LinesThatAreChainedAndDoNotBelongThereAreNamed(t *testing.T) {
	encode := func(lines ...exportLine) (all [][]byte) {
		head := ""
		for i, line := range lines {
			line.Line = i + 1
			if line.Previous == "" {
				line.Previous = head
			}
			text, err := json.Marshal(line)
			if err != nil {
				t.Fatal(err)
			}
			head = hashOf(text)
			all = append(all, text)
		}
		return all
	}
	for about, test := range map[string]struct {
		lines [][]byte
		says  string
	}{
		"the rest of a longer one": {encode(exportLine{Event: eventBegin, Previous: hashOf(nil)}), "line 1 is not the start of an export"},
		"a record at the begin":    {encode(exportLine{Event: eventRecord}, exportLine{Event: eventEnd}), `line 1 is not what belongs there: "recorded"`},
		"a second begin":           {encode(exportLine{Event: eventBegin}, exportLine{Event: eventBegin}, exportLine{Event: eventEnd}), `line 2 is not what belongs there: "export"`},
		"a line after the end":     {encode(exportLine{Event: eventBegin}, exportLine{Event: eventEnd}, exportLine{Event: eventRecord}), "line 3 follows the end"},
		"no end":                   {encode(exportLine{Event: eventBegin}), "line 2 is missing"},
	} {
		if err := verify(test.lines); err == nil || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s: %v, want %q", about, err, test.says)
		}
	}
	if err := verify(encode(exportLine{Event: eventBegin}, exportLine{Event: eventRecord}, exportLine{Event: eventEnd})); err != nil {
		t.Errorf("one that is whole: %v", err)
	}
}

// TestOfRequest_AnAuthorityBehindTheCertificateIsNotOneMore has another certificate of a user there as well.
func TestOfRequest_AnAuthorityBehindTheCertificateIsNotOneMore(t *testing.T) {
	authority, _ := testAuthority(t)
	object, accepted := issued(t, func(o *certificatesv1.CertificateSigningRequest) {
		o.Status.Certificate = append(o.Status.Certificate, authority...)
	})
	records := OfRequest(object, Circumstances{Authorities: accepted, Source: FromCluster})
	if len(records) != 1 || !records[0].Spec.Verified {
		t.Fatalf("%d records, %+v", len(records), records)
	}
	object, accepted = issued(t, func(o *certificatesv1.CertificateSigningRequest) {
		o.Status.Certificate = append(o.Status.Certificate, o.Status.Certificate...)
	})
	records = OfRequest(object, Circumstances{Authorities: accepted, Source: FromCluster})
	if len(records) != 2 || records[0].Spec.Verified || records[1].Spec.Verified {
		t.Errorf("with one of a user: %d records", len(records))
	}
}

func TestOfRequest_OnlyAnApprovalIsTheDecision(t *testing.T) {
	later := metav1.NewTime(now.Add(time.Minute))
	for about, test := range map[string]struct {
		conditions []certificatesv1.CertificateSigningRequestCondition
		reason     string
	}{
		"after a failure":        {[]certificatesv1.CertificateSigningRequestCondition{{Type: certificatesv1.CertificateFailed, Reason: "other"}, {Type: certificatesv1.CertificateApproved, Reason: "r", LastUpdateTime: later}}, "r"},
		"one that does not hold": {[]certificatesv1.CertificateSigningRequestCondition{{Type: certificatesv1.CertificateApproved, Status: corev1.ConditionFalse, Reason: "other"}}, ""},
		"none":                   {nil, ""},
	} {
		object, accepted := issued(t, func(o *certificatesv1.CertificateSigningRequest) { o.Status.Conditions = test.conditions })
		records := OfRequest(object, Circumstances{Authorities: accepted, Source: FromCluster})
		if len(records) != 1 {
			t.Fatalf("%s: %d records", about, len(records))
		}
		decision, asked := records[0].Spec.Decision, records[0].Spec.Request
		switch {
		case test.reason == "" && (decision != nil || asked.DecidedAt != nil):
			t.Errorf("%s: %+v", about, decision)
		case test.reason != "" && (decision == nil || decision.Reason != test.reason || asked.DecidedAt == nil || !asked.DecidedAt.Equal(&later)):
			t.Errorf("%s: %+v", about, decision)
		}
	}
}

func TestDecided_ADecisionIsOfOneRequestAtOneTime(t *testing.T) {
	record := func(uid string, at *time.Time) *ClientCertificate {
		one := &ClientCertificate{Spec: Spec{Request: &Request{Name: "jane-x", UID: uid}}}
		if at != nil {
			decided := metav1.NewTime(*at)
			one.Spec.Request.DecidedAt = &decided
		}
		return one
	}
	decided := Decided{Request: "jane-x", UID: "uid", By: "boss", At: now}
	late, later := now.Add(decisionSlack), now.Add(decisionSlack+time.Millisecond)
	for about, test := range map[string]struct {
		decided Decided
		record  *ClientCertificate
		want    bool
	}{
		"the same":                 {decided, record("uid", &now), true},
		"a little later":           {decided, record("uid", &late), true},
		"later":                    {decided, record("uid", &later), false},
		"without a request":        {decided, &ClientCertificate{}, false},
		"without a time":           {decided, record("uid", nil), false},
		"another UID":              {decided, record("other", &now), false},
		"a record without a UID":   {decided, record("", &now), true},
		"a decision without a UID": {Decided{Request: "jane-x", At: now}, record("uid", &now), true},
		"another name":             {Decided{Request: "joe-x", UID: "uid", At: now}, record("uid", &now), false},
	} {
		if got := test.decided.IsOf(test.record); got != test.want {
			t.Errorf("%s: %v", about, got)
		}
	}
}
