package audit

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cluster/recording"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cluster/resources"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/ledger"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/parallel"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/pki"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/store"
)

// writers is how many records are written at the same time.
const writers = 16

// Import is what to import from. At least one is required.
type Import struct {
	// AuditLogs are files of an API server's audit log, and IssuanceLogs those of sign.
	AuditLogs, IssuanceLogs []string
	// Certificates are certificates that were issued.
	Certificates []*pki.Certificate
}

// Imported is what came of it.
type Imported struct {
	// Found is how many certificates were found, and New how many of them were not on the ledger.
	Found, New int
	// Decisions is of how many records it was learned who approved the request.
	Decisions int
}

// Run imports. The same certificate is found once however often it is in the files. A line that
// cannot be read is an error that names it; what was found before is imported then.
func (in Import) Run(ctx context.Context, p *onboard.Program) (Imported, error) {
	records, err := p.Cluster.Resources().Records()
	if err != nil {
		return Imported{}, err
	}
	found := &findings{records: map[string]*ledger.ClientCertificate{}, decisions: map[string][]ledger.Decided{}, circumstances: circumstancesOf(ctx, p)}
	readErr := found.read(ctx, in)
	result, err := found.write(ctx, records)
	return result, errors.Join(err, readErr)
}

// circumstancesOf are what records are made with here.
func circumstancesOf(ctx context.Context, p *onboard.Program) ledger.Circumstances {
	text, err := p.Cluster.ControlPlane().ClientAuthorities(ctx)
	if err != nil {
		p.Tell(AuthoritiesUnknown{Reason: err})
		return ledger.Circumstances{}
	}
	return ledger.Circumstances{Authorities: pki.ParseClientAuthorities(text)}
}

// findings are what was found in files.
type findings struct {
	circumstances ledger.Circumstances
	records       map[string]*ledger.ClientCertificate
	// decisions are those that audit logs have, by the names of requests.
	decisions map[string][]ledger.Decided
}

func (f *findings) read(ctx context.Context, in Import) error {
	f.circumstances.Source = ledger.FromFile
	for _, certificate := range in.Certificates {
		f.add(ledger.OfFile(certificate, f.circumstances))
	}
	for _, path := range in.IssuanceLogs {
		if err := eachLine(ctx, path, func(line []byte) error {
			record, err := ledger.ParseIssuance(line)
			if err == nil {
				f.add(record)
			}
			return err
		}); err != nil {
			return err
		}
	}
	f.circumstances.Source = ledger.FromAuditLog
	for _, path := range in.AuditLogs {
		if err := eachLine(ctx, path, func(line []byte) error {
			event, err := ledger.ParseAuditEvent(line)
			if err != nil || event == nil {
				return err
			}
			if event.Issued != nil {
				f.add(ledger.OfRequest(event.Issued, f.circumstances)...)
			}
			if event.Decided != nil {
				f.decisions[event.Decided.Request] = append(f.decisions[event.Decided.Request], *event.Decided)
			}
			return nil
		}); err != nil {
			return err
		}
	}
	return nil
}

// eachLine reads the lines of a file that are not empty, and names the one that is at fault.
func eachLine(ctx context.Context, path string, take func([]byte) error) error {
	return store.EachLine(path, func(number int, line []byte) error {
		if ctx.Err() != nil {
			return outcome.Errorf(outcome.ErrInterrupted, "%w while reading %q", outcome.ErrInterrupted, path)
		}
		if len(line) == 0 {
			return nil
		}
		if err := take(line); err != nil {
			return outcome.Errorf(outcome.ErrUsage, "%s, line %d: %w", identity.Quote(path), number, err)
		}
		return nil
	})
}

// add takes in records. The one that was made of the most is kept.
func (f *findings) add(found ...*ledger.ClientCertificate) {
	for _, record := range found {
		before := f.records[record.Name]
		if before == nil || len(record.Spec.Problems) < len(before.Spec.Problems) {
			f.records[record.Name] = record
		}
	}
}

// write writes the records that do not exist yet, each after what it renews, and who approved where that is
// unknown.
func (f *findings) write(ctx context.Context, records *resources.Records) (Imported, error) {
	var found []*ledger.ClientCertificate
	for _, name := range slices.Sorted(maps.Keys(f.records)) {
		found = append(found, f.records[name])
	}
	result := Imported{Found: len(found)}
	var mutex sync.Mutex
	var firstErr error
	for _, generation := range ledger.Generations(found) {
		parallel.Each(ctx, writers, slices.Values(generation), func(record *ledger.ClientCertificate) {
			isNew, isDecided, err := f.writeOne(ctx, records, record)
			mutex.Lock()
			defer mutex.Unlock()
			if isNew {
				result.New++
			}
			if isDecided {
				result.Decisions++
			}
			if err != nil && firstErr == nil {
				firstErr = err
			}
		})
	}
	if firstErr == nil && ctx.Err() != nil {
		firstErr = outcome.Errorf(outcome.ErrInterrupted, "%w while importing; run it again to continue", outcome.ErrInterrupted)
	}
	if firstErr != nil || len(f.decisions) == 0 && result.New == 0 {
		return result, firstErr
	}
	learned, err := f.complete(ctx, records)
	result.Decisions += learned
	return result, err
}

func (f *findings) writeOne(ctx context.Context, records *resources.Records, record *ledger.ClientCertificate) (isNew, isDecided bool, _ error) {
	stored, isNew, err := recording.Write(ctx, records, record)
	if err != nil || !isNew {
		return false, false, err
	}
	by := f.deciderOf(stored)
	if by == "" {
		return true, false, nil
	}
	return true, true, recording.ChangeStatus(ctx, records, stored, func(status *ledger.Status) bool {
		status.ApprovedBy = by
		return true
	})
}

// deciderOf is who approved the request of a certificate, if the audit log says so.
func (f *findings) deciderOf(record *ledger.ClientCertificate) string {
	if record.ApprovedBy() != "" || record.Spec.Request == nil {
		return ""
	}
	for _, decided := range f.decisions[record.Spec.Request.Name] {
		if decided.IsOf(record) {
			return decided.By
		}
	}
	return ""
}

// complete fills in who approved in records that were on the ledger before, and which records were renewed by
// one that was.
func (f *findings) complete(ctx context.Context, records *resources.Records) (learned int, _ error) {
	var links ledger.Links
	_, err := records.EachPage(ctx, "", func(page []*ledger.ClientCertificate) error {
		for _, record := range page {
			links.Add(record)
			by := f.deciderOf(record)
			if by == "" {
				continue
			}
			if err := recording.ChangeStatus(ctx, records, record, func(status *ledger.Status) bool {
				if status.ApprovedBy != "" {
					return false
				}
				status.ApprovedBy = by
				return true
			}); err != nil {
				return err
			}
			learned++
		}
		return nil
	})
	if err != nil {
		return learned, err
	}
	return learned, recording.Link(ctx, records, links.Missing())
}

// Seen is what audit logs say about the use of certificates.
type Seen struct {
	// Certificates is how many were used, and Unknown how many of them are not on the ledger.
	Certificates, Unknown int
	// Changed is of how many records the last use was filled in.
	Changed int
}

// FillInSeen reads audit logs, and fills in when each certificate was last used.
func FillInSeen(ctx context.Context, p *onboard.Program, paths []string) (Seen, error) {
	records, err := p.Cluster.Resources().Records()
	if err != nil {
		return Seen{}, err
	}
	latest := map[string]time.Time{}
	for _, path := range paths {
		if err := eachLine(ctx, path, func(line []byte) error {
			event, err := ledger.ParseAuditEvent(line)
			if err == nil && event != nil && event.Seen != "" && event.At.After(latest[event.Seen]) {
				latest[event.Seen] = event.At
			}
			return err
		}); err != nil {
			return Seen{}, err
		}
	}
	result := Seen{Certificates: len(latest)}
	for name, at := range latest {
		record, err := records.Get(ctx, name)
		if errors.Is(err, outcome.ErrNotFound) {
			result.Unknown++
			continue
		}
		if err != nil {
			return result, err
		}
		isChanged := false
		if err := recording.ChangeStatus(ctx, records, record, func(status *ledger.Status) bool {
			if status.LastSeen != nil && !at.Truncate(time.Second).After(status.LastSeen.Time) {
				return false
			}
			status.LastSeen, isChanged = &metav1.Time{Time: at.UTC().Truncate(time.Second)}, true
			return true
		}); err != nil {
			return result, err
		}
		if isChanged {
			result.Changed++
		}
	}
	return result, nil
}
