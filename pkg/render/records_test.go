package render

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/ledger"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/render/records"
)

// recorded are records in every state, and with everything that a record can say.
func recorded() []records.Record {
	at := func(after time.Duration) metav1.Time { return metav1.NewTime(now.Add(after)) }
	seen := at(-3 * time.Hour)
	full := func(user string, change func(*ledger.ClientCertificate)) records.Record {
		record := &ledger.ClientCertificate{
			ObjectMeta: metav1.ObjectMeta{Name: strings.Repeat("ab", 32)},
			Spec: ledger.Spec{
				User: user, Groups: []string{"dev", "on call"}, Serial: "2f", NotBefore: at(-time.Hour), NotAfter: at(48 * time.Hour),
				Key: ledger.Key{Fingerprint: "SHA256:abc", Algorithm: "ECDSA P-256"}, Request: &ledger.Request{Name: "jane-7h2k4m6p3q"},
				Requester: &ledger.Requester{User: "requester"}, Decision: &ledger.Decision{By: "approver", Policy: "renewals"},
				Source: ledger.FromCluster, Verified: true,
			},
			Status: ledger.Status{LastSeen: &seen},
		}
		change(record)
		return records.Record{ClientCertificate: record}
	}
	return []records.Record{
		full("valid", func(*ledger.ClientCertificate) {}),
		full("superseded", func(r *ledger.ClientCertificate) { r.Status.SupersededBy = strings.Repeat("cd", 32) }),
		full("revoked", func(r *ledger.ClientCertificate) { r.Status.Revoked = true }),
		full("expired", func(r *ledger.ClientCertificate) { r.Spec.NotAfter = at(-time.Minute) }),
		full("later", func(r *ledger.ClientCertificate) { r.Spec.NotBefore = at(time.Hour) }),
		full("problem", func(r *ledger.ClientCertificate) {
			r.Spec.Problems, r.Spec.Verified = []string{ledger.SeveralCertificates, ledger.RequestNotSeen}, false
		}),
		full(hostile, func(r *ledger.ClientCertificate) {
			r.Spec.Groups, r.Spec.Requester.User, r.Spec.Decision.By, r.Spec.Decision.Policy = []string{hostile, "a,b"}, hostile, hostile, hostile
			r.Spec.Request.Name, r.Spec.Serial, r.Spec.Key = hostile, hostile, ledger.Key{Fingerprint: hostile, Algorithm: hostile}
		}),
		full("=HYPERLINK(1)", func(r *ledger.ClientCertificate) { r.Spec.Groups = []string{"+1", "-1"} }),
		full(strings.Repeat("long", 40), func(r *ledger.ClientCertificate) { r.Spec.Groups = []string{strings.Repeat("group", 40)} }),
		{ClientCertificate: &ledger.ClientCertificate{ObjectMeta: metav1.ObjectMeta{Name: strings.Repeat("00", 32)}, Spec: ledger.Spec{Source: ledger.FromFile, Problems: []string{ledger.Unreadable}}}},
	}
}

// writeRecords writes a list as the command ledger does, a page at a time.
func writeRecords(writer *records.Writer, pages ...[]records.Record) error {
	var errs []error
	for _, page := range pages {
		errs = append(errs, writer.Write(page...))
	}
	return errors.Join(append(errs, writer.End())...)
}

func TestRecords_AreWrittenAsInTheGoldenFile(t *testing.T) {
	g := golden{name: "records"}
	all := recorded()
	for _, format := range append([]string{""}, records.Formats()...) {
		write := func(out io.Writer) error {
			return writeRecords(records.NewWriter(out, format, false, clock), all[:3], all[3:])
		}
		g.add(t, strings.TrimSpace("a list "+format), write)
		g.add(t, strings.TrimSpace("nothing "+format), func(out io.Writer) error { return writeRecords(records.NewWriter(out, format, false, clock)) })
		var written bytes.Buffer
		if err := write(&written); err != nil {
			t.Error(err)
		}
		checkHidden(t, format, written.String())
	}
	g.add(t, "--no-headers", func(out io.Writer) error { return writeRecords(records.NewWriter(out, "", true, clock), all[:2]) })
	onCluster := []records.Record{{ClientCertificate: all[0].ClientCertificate, Cluster: hostile}, {ClientCertificate: all[1].ClientCertificate, Cluster: "prod"}}
	for _, format := range []string{"", records.JSON, records.CSV, records.Name} {
		g.add(t, strings.TrimSpace("of several clusters "+format), func(out io.Writer) error {
			return writeRecords(records.NewWriterOfClusters(out, format, false, clock), onCluster)
		})
	}
	g.compare(t)
}
