package access

import (
	"cmp"
	"crypto/sha256"
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
//	pin-HEX                 "pin:NAME"              the user is refused except with certificates in the group in the details;
//	                                                only an enforcer reads it
//	until-KEY               as KEY has it           the same until the time in the details; the policy, which cannot compare
//	                                                times, does not read it
//	details-KEY             JSON of Details         about the entry of that key, and of until-KEY
//	offboarded-HEX          JSON of Details         the user was offboarded; the policy does not read it
//
// An earlier policy went through all values and compared each with "user:NAME" and
// "credential:ID". Entries made for it are in force under other keys: Change moves them
// to these keys in the same write, and the values stay, so that they are in force under
// the earlier policy and under this one at every moment.
const (
	userKeyPrefix        = "user-"
	certificateKeyPrefix = "credential-"
	pinKeyPrefix         = "pin-"
	untilKeyPrefix       = "until-"
	detailsKeyPrefix     = "details-"
	offboardedKeyPrefix  = "offboarded-"

	userValuePrefix        = "user:"
	certificateValuePrefix = "credential:"
	pinValuePrefix         = "pin:"
)

const (
	// MaximumBlockedName is the longest name, or credential id, that can be blocked, in
	// bytes: the longest key of it has 253 characters (Kubernetes
	// pkg/apis/core/validation, ConfigMap keys), two of them for each byte.
	MaximumBlockedName = (253 - len(detailsKeyPrefix+certificateKeyPrefix)) / 2
	// maximumListBytes bounds the list. The API server refuses a ConfigMap with more
	// than 1 MiB of values (core/v1 MaxSecretSize), and etcd one with little more.
	maximumListBytes = 1 << 20
	// keptAfterEnd is for how long an entry is kept after it has ended: the clock of an administrator
	// who changes the list may be wrong, and enforcers have clocks of their own.
	keptAfterEnd = 7 * 24 * time.Hour
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
	// IsRevoked tells an entry that was made to refuse everything from one that was made to
	// block writes. Enforcers refuse everything for both.
	IsRevoked bool `json:"revoked,omitempty"`
	// Reason is why, as the administrator wrote it.
	Reason string `json:"reason,omitempty"`
	// Until is when the entry stops being in force; nil if it does not.
	Until *time.Time `json:"until,omitempty"`
	// PinGroup is the group by which a pin knows the certificates that it lets through; "" if
	// it lets none through.
	PinGroup string `json:"pinGroup,omitempty"`
}

// IsOver reports whether an entry has nothing left to refuse: its certificate has expired
// for longer than clocks differ, or its own time has passed.
func (d Details) IsOver(now time.Time, clockSkew time.Duration) bool {
	return d.NotAfter != nil && !now.Before(d.NotAfter.Add(clockSkew)) || d.Until != nil && !now.Before(*d.Until)
}

// again is what is remembered of an entry that is added while the list has it: since when, by whom
// and why stay, unless there is another reason or end, and what refuses everything does not become a
// block of writes.
func (d Details) again(before Details) Details {
	d.User, d.NotAfter = cmp.Or(d.User, before.User), cmp.Or(d.NotAfter, before.NotAfter)
	if len(d.Groups) == 0 {
		d.Groups = before.Groups
	}
	if before.IsRevoked && !d.IsRevoked && before.Until == nil {
		before.User, before.NotAfter, before.Groups = d.User, d.NotAfter, d.Groups
		return before
	}
	d.IsRevoked = d.IsRevoked || before.IsRevoked
	isSameEnd := d.Until == nil && before.Until == nil || d.Until != nil && before.Until != nil && d.Until.Equal(*before.Until)
	if d.IsRevoked == before.IsRevoked && isSameEnd && (d.Reason == "" || d.Reason == before.Reason) && !before.At.IsZero() {
		d.At, d.By = before.At, before.By
	}
	d.Reason = cmp.Or(d.Reason, before.Reason)
	return d
}

// endsBefore reports whether an entry ends before another one for the same identity.
func (d Details) endsBefore(other Details) bool {
	return d.Until != nil && (other.Until == nil || d.Until.Before(*other.Until))
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

// IsBlockOfWrites reports whether a block was made to refuse what an identity writes, by the admission
// policy, and not to revoke it.
func (e Entry) IsBlockOfWrites() bool { return e.isBlock() && !e.Blocked.IsPin && !e.Details.IsRevoked }

func hexKey(prefix, name string) string { return prefix + hex.EncodeToString([]byte(name)) }

// Key is the key of an identity in the list.
func (b Blocked) Key() string {
	switch {
	case b.IsPin:
		return hexKey(pinKeyPrefix, b.User)
	case b.User != "":
		return hexKey(userKeyPrefix, b.User)
	}
	return hexKey(certificateKeyPrefix, b.CredentialID)
}

func (b Blocked) value() string {
	switch {
	case b.IsPin:
		return pinValuePrefix + b.User
	case b.User != "":
		return userValuePrefix + b.User
	}
	return certificateValuePrefix + b.CredentialID
}

// blockedUnder is the identity that a key of the list names.
func blockedUnder(key string) (_ Blocked, isBlock bool) {
	for prefix, blockedOf := range map[string]func(string) Blocked{
		userKeyPrefix:        func(name string) Blocked { return Blocked{User: name} },
		certificateKeyPrefix: func(id string) Blocked { return Blocked{CredentialID: id} },
		pinKeyPrefix:         func(name string) Blocked { return Blocked{User: name, IsPin: true} },
	} {
		encoded, hasPrefix := strings.CutPrefix(key, prefix)
		name, err := hex.DecodeString(encoded)
		if hasPrefix && err == nil && len(name) > 0 && hexKey(prefix, string(name)) == key {
			return blockedOf(string(name)), true
		}
	}
	return Blocked{}, false
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
	if user, isPin := strings.CutPrefix(value, pinValuePrefix); isPin && user != "" {
		return Blocked{User: user, IsPin: true}, true
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
		if details, known := list.details(detailsKeyPrefix + blocked.Key()); known {
			list.certificates[details.User] = append(list.certificates[details.User], Entry{Blocked: blocked, Details: details})
		}
	}
	return list
}

// Data is the data of the ConfigMap, as it was read.
func (l List) Data() map[string]string { return l.data }

// Blocks reports whether an identity is on the list of who is blocked, and what is
// remembered about it.
func (l List) Blocks(blocked Blocked) (Details, bool) {
	if len(l.keys[blocked]) == 0 {
		return Details{}, false
	}
	details, _ := l.details(detailsKeyPrefix + blocked.Key())
	return details, true
}

// Refuses reports whether an identity is on the list of who is blocked and the entry is in force at a
// time, and what is remembered about it.
func (l List) Refuses(blocked Blocked, now time.Time) (Details, bool) {
	details, isListed := l.Blocks(blocked)
	return details, isListed && !details.IsOver(now, 0)
}

// Distrusts reports whether what was done with a credential is not to be trusted at a time: it is on the
// list, unless until a time that has passed. A certificate that has expired since was no better before.
func (l List) Distrusts(credentialID string, now time.Time) bool {
	details, isListed := l.Blocks(Blocked{CredentialID: credentialID})
	return isListed && (details.Until == nil || now.Before(*details.Until))
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
// the policy looks up, and drops entries that ended a week ago. What is remembered about an entry
// that the list has already is kept. A list that would be too large, or that has an entry which the
// policy could not look up, is refused, and so is an entry that would end what is refused for longer.
func (l List) Add(now time.Time, entries ...Entry) (Change, error) {
	change := Change{}
	for key, value := range l.data {
		blocked, isBlock := blockedIn(value)
		if !isBlock || key == blocked.Key() || key == untilKeyPrefix+blocked.Key() {
			continue
		}
		if err := blocked.CheckBlockable(); err != nil {
			return nil, outcome.WithHint(
				outcome.Errorf(outcome.ErrRefused, "the list of who is blocked has an entry that the policy cannot look up: %w", err),
				"remove that entry first: offboard --unblock")
		}
		change[key], change[blocked.Key()] = nil, &value
	}
	for key := range l.data {
		detailsKey := detailsKeyPrefix + strings.TrimPrefix(key, untilKeyPrefix)
		details, known := l.details(detailsKey)
		if known && details.IsOver(now.Add(-keptAfterEnd), 0) {
			change[key], change[detailsKey] = nil, nil
		}
	}
	for _, entry := range entries {
		merged, err := l.merged(entry, now)
		if err == nil {
			err = change.add(merged)
		}
		if err != nil {
			return nil, err
		}
		if !merged.isBlock() {
			continue
		}
		for _, key := range l.keys[merged.Blocked] {
			if key != merged.key() {
				change[key] = nil
			}
		}
	}
	return change, l.checkSize(change)
}

// Replace is Add for an entry that takes the place of others, which would refuse the same user in
// another way.
func (l List) Replace(now time.Time, entry Entry, replaced ...Blocked) (Change, error) {
	change, err := l.Add(now, entry)
	if err != nil {
		return nil, err
	}
	for _, other := range replaced {
		if _, isMoved := change[other.Key()]; isMoved {
			change[other.Key()] = nil
		}
		maps.Copy(change, l.Remove(other))
	}
	return change, nil
}

// merged is an entry with what the list remembers about it.
func (l List) merged(entry Entry, now time.Time) (Entry, error) {
	if !entry.isBlock() {
		if before, wasOffboarded := l.Offboarded(entry.Details.User); wasOffboarded {
			entry.Details = before
		}
		return entry, nil
	}
	if entry.Blocked.IsPin {
		return entry, nil
	}
	before, isRefused := l.Refuses(entry.Blocked, now)
	pin, isPinned := l.Refuses(Blocked{User: entry.Blocked.User, IsPin: true}, now)
	if isRefused && entry.Details.endsBefore(before) || isPinned && entry.Blocked.User != "" && entry.Details.endsBefore(pin) {
		return Entry{}, outcome.WithHint(
			outcome.Errorf(outcome.ErrRefused, "cannot revoke %s until %s: the list refuses it for longer", entry.Blocked, entry.Details.Until.UTC().Format(time.RFC3339)),
			"leave out --until; to end it earlier, run unrevoke first")
	}
	if isRefused {
		entry.Details = entry.Details.again(before)
	}
	return entry, nil
}

// key is the key of a block in the list.
func (e Entry) key() string {
	if e.Details.Until != nil && !e.Blocked.IsPin {
		return untilKeyPrefix + e.Blocked.Key()
	}
	return e.Blocked.Key()
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
	c[entry.key()], c[detailsKeyPrefix+entry.Blocked.Key()] = &value, &details
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
	keys := append(slices.Clone(l.keys[blocked]), detailsKeyPrefix+blocked.Key())
	if blocked.User != "" && !blocked.IsPin {
		keys = append(keys, hexKey(offboardedKeyPrefix, blocked.User))
	}
	for _, key := range keys {
		if _, listed := l.data[key]; listed {
			change[key] = nil
		}
	}
	return change
}

// Item is one key of the list that blocks somebody, or seems to.
type Item struct {
	// Key is the key, and Value its value.
	Key, Value string
	// Named are the identities that the key and the value name: one where they agree. None
	// where the key begins like that of an entry, and neither can be read.
	Named []Blocked
	// Details are what is remembered about the first identity, and DetailsErr says why that
	// cannot be read. That nothing is remembered is not an error.
	Details    Details
	DetailsErr error
}

// Items are all items of the list, in the order of their keys.
func (l List) Items() (items []Item) {
	for _, key := range slices.Sorted(maps.Keys(l.data)) {
		if strings.HasPrefix(key, detailsKeyPrefix) || strings.HasPrefix(key, offboardedKeyPrefix) {
			continue
		}
		item := Item{Key: key, Value: l.data[key]}
		byKey, isNamedByKey := blockedUnder(strings.TrimPrefix(key, untilKeyPrefix))
		byValue, isNamedByValue := blockedIn(item.Value)
		if isNamedByKey {
			item.Named = append(item.Named, byKey)
		}
		if isNamedByValue && byValue != byKey {
			item.Named = append(item.Named, byValue)
		}
		isOurs := slices.ContainsFunc([]string{userKeyPrefix, certificateKeyPrefix, pinKeyPrefix, untilKeyPrefix}, func(prefix string) bool { return strings.HasPrefix(key, prefix) })
		if len(item.Named) == 0 && !isOurs {
			continue
		}
		if len(item.Named) > 0 {
			if text, isKnown := l.data[detailsKeyPrefix+item.Named[0].Key()]; isKnown {
				if item.DetailsErr = json.Unmarshal([]byte(text), &item.Details); item.DetailsErr != nil {
					item.Details = Details{}
				}
			}
		}
		items = append(items, item)
	}
	return items
}

// Agrees reports whether key and value of an item name the same identity, or only the value
// names one, as the version before wrote it.
func (i Item) Agrees() bool {
	_, isNamedByValue := blockedIn(i.Value)
	return len(i.Named) == 1 && isNamedByValue
}

// Digest names a content of the list: two lists have the same digest if they have the same
// keys and values.
func (l List) Digest() string {
	hash := sha256.New()
	for _, key := range slices.Sorted(maps.Keys(l.data)) {
		value := l.data[key]
		// Each text follows its length, so that no two lists are written alike.
		// A hash never fails to be written to (package hash).
		_, _ = fmt.Fprintf(hash, "%d:%s%d:%s", len(key), key, len(value), value)
	}
	return hex.EncodeToString(hash.Sum(nil))
}
