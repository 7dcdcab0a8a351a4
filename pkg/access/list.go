package access

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
)

// The list of who is blocked, and of who was offboarded, is the data of one ConfigMap
// (BlockNamespace, BlockName). A name stands in a key in hexadecimal, since a key holds
// letters, digits, "-", "_" and "." only, and CEL can compute it.
//
//	user-HEX                "user:NAME"             every write of the user is refused
//	credential-HEX          "credential:ID"         every write with this certificate is refused
//	details-KEY             JSON of Details         about the entry of that key
//	offboarded-HEX          JSON of Details         the user was offboarded; the policy does not read it
//
// An earlier policy went through all values and compared each with "user:NAME" and
// "credential:ID". Entries made for it are in force under other keys: Change moves them
// to these keys in the same write, and the values stay, so that they are in force under
// the earlier policy and under this one at every moment.
const (
	userKeyPrefix        = "user-"
	certificateKeyPrefix = "credential-"
	detailsKeyPrefix     = "details-"
	offboardedKeyPrefix  = "offboarded-"

	userValuePrefix        = "user:"
	certificateValuePrefix = "credential:"
)

const (
	// MaximumBlockedName is the longest name, or credential id, that can be blocked, in
	// bytes: the longest key of it has 253 characters (Kubernetes
	// pkg/apis/core/validation, ConfigMap keys), two of them for each byte.
	MaximumBlockedName = (253 - len(detailsKeyPrefix+certificateKeyPrefix)) / 2
	// maximumListBytes bounds the list. The API server refuses a ConfigMap with more
	// than 1 MiB of values (core/v1 MaxSecretSize), and etcd one with little more.
	maximumListBytes = 1 << 20
)

// Details are what is remembered about an entry.
type Details struct {
	// User is the user that the entry is about, also where one certificate is blocked.
	User string `json:"user"`
	// NotAfter is when a blocked certificate expires; nil of a user.
	NotAfter *time.Time `json:"notAfter,omitempty"`
	// Groups are the groups in a blocked certificate.
	Groups []string `json:"groups,omitempty"`
	// By is the administrator, as the cluster knows them.
	By string `json:"by,omitempty"`
	// At is when the entry was made.
	At time.Time `json:"at"`
}

// String says when and by whom, safe to print; "" if neither is known.
func (d Details) String() string {
	if d.At.IsZero() {
		return ""
	}
	return fmt.Sprintf("%s by %s", d.At.UTC().Format(time.RFC3339), identity.Quote(d.By))
}

// Entry is one thing to remember: that an identity is blocked, or that a user was
// offboarded.
type Entry struct {
	// Blocked is the identity to block; empty in a record that a user was offboarded.
	Blocked Blocked
	// Details are about it. User is required.
	Details Details
}

// isBlock reports whether the entry blocks somebody.
func (e Entry) isBlock() bool { return e.Blocked != Blocked{} }

func hexKey(prefix, name string) string { return prefix + hex.EncodeToString([]byte(name)) }

func (b Blocked) key() string {
	if b.User != "" {
		return hexKey(userKeyPrefix, b.User)
	}
	return hexKey(certificateKeyPrefix, b.CredentialID)
}

func (b Blocked) value() string {
	if b.User != "" {
		return userValuePrefix + b.User
	}
	return certificateValuePrefix + b.CredentialID
}

// CheckBlockable refuses what the policy cannot look up, so that nothing is called
// blocked that is not. The error is an outcome.ErrRefused.
func (b Blocked) CheckBlockable() error {
	for _, name := range []string{b.User, b.CredentialID} {
		if len(name) > MaximumBlockedName {
			return outcome.WithHint(
				outcome.Errorf(outcome.ErrRefused, "cannot block %s: the name has %d bytes, and the policy looks up names of at most %d", b, len(name), MaximumBlockedName),
				"remove the role bindings instead: run offboard without --block")
		}
	}
	return nil
}

// blockedIn is what a value of the list blocks, under whatever key.
func blockedIn(value string) (_ Blocked, isBlock bool) {
	if user, isUser := strings.CutPrefix(value, userValuePrefix); isUser && user != "" {
		return Blocked{User: user}, true
	}
	if id, isCredential := strings.CutPrefix(value, certificateValuePrefix); isCredential && id != "" {
		return Blocked{CredentialID: id}, true
	}
	return Blocked{}, false
}

// List is who is blocked and who was offboarded, as the cluster has it.
type List struct {
	data map[string]string
	// keys are those under which each identity is blocked, and certificates the blocked
	// certificates of each user.
	keys         map[Blocked][]string
	certificates map[string][]Entry
}

// ListOf reads the data of the ConfigMap. It keeps what it does not know.
func ListOf(data map[string]string) List {
	list := List{data: data, keys: map[Blocked][]string{}, certificates: map[string][]Entry{}}
	for _, key := range slices.Sorted(maps.Keys(data)) {
		blocked, isBlock := blockedIn(data[key])
		if !isBlock {
			continue
		}
		list.keys[blocked] = append(list.keys[blocked], key)
		if blocked.User != "" || len(list.keys[blocked]) > 1 {
			continue
		}
		if details, known := list.details(detailsKeyPrefix + blocked.key()); known {
			list.certificates[details.User] = append(list.certificates[details.User], Entry{Blocked: blocked, Details: details})
		}
	}
	return list
}

// Blocks reports whether an identity is on the list of who is blocked, and what is
// remembered about it.
func (l List) Blocks(blocked Blocked) (Details, bool) {
	if len(l.keys[blocked]) == 0 {
		return Details{}, false
	}
	details, _ := l.details(detailsKeyPrefix + blocked.key())
	return details, true
}

// Offboarded reports whether a user was offboarded, and what is remembered about it.
func (l List) Offboarded(user string) (Details, bool) {
	details, known := l.details(hexKey(offboardedKeyPrefix, user))
	return details, known && details.User == user
}

func (l List) details(key string) (Details, bool) {
	var details Details
	text, known := l.data[key]
	// What cannot be read is an entry about which nothing is remembered.
	if known && json.Unmarshal([]byte(text), &details) != nil {
		return Details{}, false
	}
	return details, known
}

// CertificatesOf are the blocked certificates that are known to be a user's, in the
// order of their ids.
func (l List) CertificatesOf(user string) []Entry { return l.certificates[user] }

// Change is what to write into the list: a value for each key, nil to remove it.
type Change map[string]*string

// Add is the change that adds entries. It moves entries of the earlier form to keys that
// the policy looks up, and drops certificates that have expired. A list that would be
// too large, or that has an entry which the policy could not look up, is refused.
func (l List) Add(now time.Time, entries ...Entry) (Change, error) {
	change := Change{}
	for key, value := range l.data {
		blocked, isBlock := blockedIn(value)
		if !isBlock || key == blocked.key() {
			continue
		}
		if err := blocked.CheckBlockable(); err != nil {
			return nil, outcome.WithHint(
				outcome.Errorf(outcome.ErrRefused, "the list of who is blocked has an entry that the policy cannot look up: %w", err),
				"remove that entry first: offboard --unblock")
		}
		change[key], change[blocked.key()] = nil, &value
	}
	for key := range l.data {
		details, known := l.details(detailsKeyPrefix + key)
		if known && details.NotAfter != nil && !now.Before(*details.NotAfter) {
			change[key], change[detailsKeyPrefix+key] = nil, nil
		}
	}
	for _, entry := range entries {
		if err := change.add(entry); err != nil {
			return nil, err
		}
	}
	return change, l.checkSize(change)
}

func (c Change) add(entry Entry) error {
	encoded, err := json.Marshal(entry.Details)
	if err != nil {
		return err
	}
	details := string(encoded)
	if !entry.isBlock() {
		if len(entry.Details.User) > MaximumBlockedName {
			return outcome.Errorf(outcome.ErrRefused, "the user name has %d bytes, and names of at most %d are remembered", len(entry.Details.User), MaximumBlockedName)
		}
		c[hexKey(offboardedKeyPrefix, entry.Details.User)] = &details
		return nil
	}
	if err := entry.Blocked.CheckBlockable(); err != nil {
		return err
	}
	value := entry.Blocked.value()
	c[entry.Blocked.key()], c[detailsKeyPrefix+entry.Blocked.key()] = &value, &details
	return nil
}

// checkSize refuses a change after which the list is larger than a ConfigMap can be.
func (l List) checkSize(change Change) error {
	after := maps.Clone(l.data)
	if after == nil {
		after = map[string]string{}
	}
	for key, value := range change {
		delete(after, key)
		if value != nil {
			after[key] = *value
		}
	}
	size := 0
	for key, value := range after {
		size += len(key) + len(value)
	}
	if size > maximumListBytes {
		return outcome.WithHint(
			outcome.Errorf(outcome.ErrRefused, "the list of who is blocked would have %d bytes, and a ConfigMap has at most %d", size, maximumListBytes),
			"remove users whose certificates have expired first: offboard NAME --unblock")
	}
	return nil
}

// Remove is the change that takes an identity off the list, under whatever keys it is
// there; of a user also that they were offboarded.
func (l List) Remove(blocked Blocked) Change {
	change := Change{}
	keys := append(slices.Clone(l.keys[blocked]), detailsKeyPrefix+blocked.key())
	if blocked.User != "" {
		keys = append(keys, hexKey(offboardedKeyPrefix, blocked.User))
	}
	for _, key := range keys {
		if _, listed := l.data[key]; listed {
			change[key] = nil
		}
	}
	return change
}
