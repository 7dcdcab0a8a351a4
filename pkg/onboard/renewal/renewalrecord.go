package renewal

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"strings"
	"time"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/pair"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/store"
)

// renewalRecord is what the credential plugin remembers of the renewals that it
// began by itself. It is about one certificate.
type renewalRecord struct {
	// Certificate is the SHA-256 of the certificate it is about, in hexadecimal.
	Certificate string `json:"certificate"`
	// Attempted is when a renewal was begun last.
	Attempted time.Time `json:"attempted,omitzero"`
	// Ending is how the last one ended; "" where it is under way or there was none.
	Ending renewalEnding `json:"ending,omitempty"`
	// Trouble is why the last one did not come to its end, and Advice what to do;
	// "" if there is nothing to tell. They are safe to print.
	Trouble string `json:"trouble,omitempty"`
	Advice  string `json:"advice,omitempty"`
	// Told is when the person was told the trouble.
	Told time.Time `json:"told,omitzero"`
}

// renewalEnding is how a renewal in the background ended that brought no certificate.
type renewalEnding string

const (
	// renewalWaits is one that nobody has approved yet.
	renewalWaits renewalEnding = "waiting"
	// renewalFailed is one that something else kept from its certificate.
	renewalFailed renewalEnding = "failed"
	// renewalRevoked is one of somebody who is revoked, which may be taken back.
	renewalRevoked renewalEnding = "revoked"
)

// tellAgain is how long a person is not told the same trouble again.
const tellAgain = 24 * time.Hour

func (r renewalRecord) isToBeTold(now time.Time) bool {
	return r.Trouble != "" && now.Sub(r.Told) >= tellAgain
}

// withoutNames is a trouble without what is in quotes. The request of each attempt can have another name.
func withoutNames(trouble string) string {
	var kept strings.Builder
	for i, part := range strings.Split(trouble, `"`) {
		if i%2 == 0 {
			kept.WriteString(part)
		}
	}
	return kept.String()
}

// isToBeTried reports whether to begin another renewal, when left is left of the
// certificate. One that waits for an approval is looked at soon, because it costs one
// question; what fails otherwise is not repeated at every command; what was refused
// is begun again by a person only.
func (r renewalRecord) isToBeTried(now time.Time, left time.Duration, refused bool) bool {
	if refused {
		return false
	}
	const soon, shortest, longest = 5 * time.Second, 15 * time.Second, time.Hour
	pause := soon
	switch r.Ending {
	case renewalFailed:
		pause = min(max(left/20, shortest), longest)
	case renewalRevoked:
		pause = longest
	case renewalWaits:
	}
	since := now.Sub(r.Attempted)
	// A clock that was put back must not hold it up.
	return since >= pause || since < 0
}

func readRenewalRecord(cache store.CredentialCache, held *pair.Held) renewalRecord {
	data, err := store.ReadFileOf(store.RenewalState, cache.StatePath())
	if err != nil {
		data = nil
	}
	return renewalRecordIn(data, held)
}

// renewalRecordIn reads a record. One that is damaged, or about another certificate,
// says nothing.
func renewalRecordIn(data []byte, held *pair.Held) renewalRecord {
	blank := renewalRecord{Certificate: hex.EncodeToString(held.Certificate.SHA256())}
	var record renewalRecord
	if json.Unmarshal(data, &record) != nil || record.Certificate != blank.Certificate {
		return blank
	}
	return record
}

// recordPatience is how long the record is waited for, which others hold for
// milliseconds.
const recordPatience = 3 * time.Second

func changeRenewalRecord(ctx context.Context, cache store.CredentialCache, held *pair.Held, change func(*renewalRecord)) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordPatience)
	defer cancel()
	return store.UpdateFile(ctx, store.RenewalState, cache.StatePath(), func(existing []byte) ([]byte, error) {
		record := renewalRecordIn(existing, held)
		before := record
		change(&record)
		if existing != nil && record == before {
			return existing, nil
		}
		encoded, err := json.Marshal(record)
		return append(bytes.TrimSpace(encoded), '\n'), err
	})
}
