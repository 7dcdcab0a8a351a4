package revocation

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/access"
)

// Remembered is what an enforcer remembers of the list: the object that it saw last, and what
// it still keeps in force of the objects before.
//
// An entry ends by an update of the ConfigMap that has it. If a ConfigMap is deleted and
// another one is created in its place, which a mistake does as easily as a decision, what the
// deleted one refused stays refused until somebody accepts the new one.
type Remembered struct {
	// UID is that of the ConfigMap; "" if none was seen yet.
	UID string `json:"uid"`
	// Data is what the ConfigMap had.
	Data map[string]string `json:"data"`
	// Kept are the entries of ConfigMaps before it that it has not had itself.
	Kept []access.Entry `json:"kept,omitempty"`
}

// Seen is what is remembered after the list was seen in a ConfigMap. isAccepted says that
// somebody accepted that ConfigMap in the place of those before.
func (r Remembered) Seen(uid string, isAccepted bool, list access.List, now time.Time) Remembered {
	next := Remembered{UID: uid, Data: list.Data()}
	if isAccepted {
		return next
	}
	kept := r.Kept
	if r.UID != "" && r.UID != uid {
		kept, _ = r.Entries(now)
	}
	present, _ := Entries(list, now)
	for _, entry := range kept {
		isCovered := slices.ContainsFunc(present, func(other access.Entry) bool { return covers(other, entry) })
		if !isCovered && !entry.Details.IsOver(now, clockSkew) {
			next.Kept = append(next.Kept, entry)
		}
	}
	return next
}

// Entries are the entries that are to be in force at a time, and what is wrong with the
// others. Of two for the same identity, the one that was kept counts.
func (r Remembered) Entries(now time.Time) (entries []access.Entry, problems []Problem) {
	isKept := map[access.Blocked]bool{}
	for _, entry := range r.Kept {
		if entry.Details.IsOver(now, clockSkew) {
			continue
		}
		// Another version, or somebody with an editor, may have written it.
		usable, isUsable, wrong := enforceable(entry.Blocked.Key(), entry)
		problems = append(problems, wrong...)
		if isUsable {
			isKept[entry.Blocked] = true
			entries = append(entries, usable)
		}
	}
	listed, listedProblems := Entries(access.ListOf(r.Data), now)
	problems = append(problems, listedProblems...)
	for _, entry := range listed {
		if !isKept[entry.Blocked] {
			entries = append(entries, entry)
		}
	}
	return entries, problems
}

// mostKeptNamed bounds the entries that Explain names.
const mostKeptNamed = 5

// Explain says what is kept of lists that were deleted; "" if nothing is. It is safe to print.
func (r Remembered) Explain() string {
	var names []string
	for _, entry := range r.Kept {
		if _, isInForce, _ := enforceable("", entry); isInForce {
			names = append(names, entry.Blocked.String())
		}
	}
	if len(names) == 0 {
		return ""
	}
	if more := len(names) - mostKeptNamed; more > 0 {
		names = append(names[:mostKeptNamed], fmt.Sprintf("and %d more", more))
	}
	return "the list was deleted and created again; still refused, though not on the new list: " + strings.Join(names, ", ")
}

// covers reports whether an entry refuses everything that another one for the same identity
// refuses.
func covers(entry, other access.Entry) bool {
	if entry.Blocked != other.Blocked || entry.Details.PinGroup != "" && entry.Details.PinGroup != other.Details.PinGroup {
		return false
	}
	end, ends := NextEnd([]access.Entry{entry})
	otherEnd, otherEnds := NextEnd([]access.Entry{other})
	return !ends || otherEnds && !end.Before(otherEnd)
}
