package audit

import (
	"slices"
	"time"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/event"
)

// NothingListed says that the ledger has no certificate that is meant.
type NothingListed struct{ event.Marker }

// LaterFields says that records have fields that this version does not know.
type LaterFields struct {
	event.Marker

	// Certificates is how many records have such fields, and Fields are their paths, each once.
	Certificates int
	Fields       []string
}

func (l *LaterFields) add(fields []string) {
	if len(fields) > 0 {
		l.Certificates++
	}
	for _, field := range fields {
		if !slices.Contains(l.Fields, field) {
			l.Fields = append(l.Fields, field)
		}
	}
}

// RecorderAwaited says that a recorder may still run, and for how long it has to be silent.
type RecorderAwaited struct {
	event.Marker

	Left time.Duration
}

// AuthoritiesUnknown says why certificates cannot be checked against the authorities whose client
// certificates the API server accepts.
type AuthoritiesUnknown struct {
	event.Marker

	Reason error
}

// Exported says where an export can be checked against.
type Exported struct {
	event.Marker

	// Head is the hash of the last line, and Lines how many there are.
	Head  string
	Lines int
}
