package ledger

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/document"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
)

// writtenSpec and writtenStatus are a Spec and a Status as they are written.
type (
	writtenSpec   Spec
	writtenStatus Status
)

// UnmarshalJSON keeps in mind which fields are unknown.
func (s *Spec) UnmarshalJSON(text []byte) error {
	var err error
	s.Later, err = document.DecodeKnown(text, (*writtenSpec)(s))
	return err
}

// UnmarshalJSON keeps the fields that are unknown.
func (s *Status) UnmarshalJSON(text []byte) error {
	later, err := document.DecodeKnown(text, (*writtenStatus)(s))
	s.Later = nil
	if err != nil || len(later) == 0 {
		return err
	}
	var all map[string]json.RawMessage
	if err := json.Unmarshal(text, &all); err != nil {
		return err
	}
	maps.DeleteFunc(all, func(name string, _ json.RawMessage) bool { return !slices.Contains(later, name) })
	s.Later = all
	return nil
}

// MarshalJSON writes the unknown fields as they were read: a status is replaced as a whole.
func (s Status) MarshalJSON() ([]byte, error) {
	text, err := json.Marshal(writtenStatus(s))
	if err != nil || len(s.Later) == 0 {
		return text, err
	}
	all := maps.Clone(s.Later)
	if err := json.Unmarshal(text, &all); err != nil {
		return nil, err
	}
	return json.Marshal(all)
}

// LaterFields are the fields that this version does not know, such as "spec.device", in order.
func (c *ClientCertificate) LaterFields() (fields []string) {
	for _, name := range c.Spec.Later {
		fields = append(fields, "spec."+name)
	}
	for name := range c.Status.Later {
		fields = append(fields, "status."+name)
	}
	slices.Sort(fields)
	return fields
}

// CheckComplete refuses a record with a field that this version does not know: what it reads is not all
// that the record says. The error is an outcome.ErrRefused.
func (c *ClientCertificate) CheckComplete() error {
	fields := c.LaterFields()
	if len(fields) == 0 {
		return nil
	}
	return outcome.WithHint(
		outcome.Errorf(outcome.ErrRefused, "the client certificate %s has fields of a later version of csr-onboard, which this version cannot read: %s",
			identity.Quote(c.Name), identity.Printable(strings.Join(fields, ", "))),
		"%s", outcome.UpgradeHint)
}
