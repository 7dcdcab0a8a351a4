package ledger

import (
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/fields"
)

// Query says which records are meant. The zero value means certificates that log in.
type Query struct {
	// User, Group and ApprovedBy take only certificates of a user, of a group, and those that
	// somebody approved. Optional.
	User, Group, ApprovedBy string
	// States takes certificates in any of these states. Optional: those that log in.
	States []State
	// All takes certificates in every state. Optional.
	All bool
	// Expiring takes only certificates that expire within it. Optional.
	Expiring time.Duration
	// WithoutRenewal takes only certificates that were due to be renewed, and were not. Optional.
	WithoutRenewal bool
}

// FieldSelector is what the API server can select by.
func (q Query) FieldSelector() string {
	if q.User == "" {
		return ""
	}
	return fields.OneTermEqualSelector(UserField[1:], q.User).String()
}

// Takes reports whether a query means a record.
func (q Query) Takes(record *ClientCertificate, now time.Time) bool {
	state := record.StateAt(now)
	switch {
	case q.User != "" && record.Spec.User != q.User,
		q.Group != "" && !slices.Contains(record.Spec.Groups, q.Group),
		q.ApprovedBy != "" && record.ApprovedBy() != q.ApprovedBy,
		q.Expiring > 0 && now.Add(q.Expiring).Before(record.Spec.NotAfter.Time),
		q.WithoutRenewal && (state != Valid || now.Before(record.renewFrom())):
		return false
	case len(q.States) > 0:
		return slices.Contains(q.States, state)
	}
	return q.All || state.LogsIn()
}

// renewFrom is when a certificate was due to be renewed: when less than a third of its lifetime is
// left, as for pki.Certificate.
func (c *ClientCertificate) renewFrom() time.Time {
	return c.Spec.NotAfter.Add(-c.Spec.NotAfter.Sub(c.Spec.NotBefore.Time) / 3)
}
