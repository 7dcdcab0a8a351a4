package access

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
)

var now = time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)

// apply is what the API server makes of a change.
func apply(data map[string]string, change Change) map[string]string {
	after := map[string]string{}
	for key, value := range data {
		after[key] = value
	}
	for key, value := range change {
		delete(after, key)
		if value != nil {
			after[key] = *value
		}
	}
	return after
}

func entryFor(user string) Entry {
	return Entry{Blocked: Blocked{User: user}, Details: Details{User: user, By: "admin", At: now}}
}

func added(t *testing.T, data map[string]string, entries ...Entry) map[string]string {
	t.Helper()
	change, err := ListOf(data).Add(now, entries...)
	if err != nil {
		t.Fatal(err)
	}
	return apply(data, change)
}

func TestList_AnEntryIsWhereThePolicyLooksItUp(t *testing.T) {
	id := CredentialID([]byte{1, 2})
	for _, name := range []string{"jane", "Jane", "jane@example.com", "佐藤", "a/b\n\x00", strings.Repeat("x", MaximumBlockedName)} {
		data := added(t, nil, entryFor(name))
		if data[fmt.Sprintf("user-%x", name)] != "user:"+name {
			t.Errorf("%q: %q", name, data)
		}
		for key := range data {
			if problems := validation.IsConfigMapKey(key); len(problems) > 0 {
				t.Errorf("%q: the key %q: %v", name, key, problems)
			}
		}
		if details, blocked := ListOf(data).Blocks(Blocked{User: name}); !blocked || details.By != "admin" || !details.At.Equal(now) {
			t.Errorf("%q: %v, %+v", name, blocked, details)
		}
		if _, blocked := ListOf(data).Blocks(Blocked{CredentialID: name}); blocked {
			t.Errorf("%q: a user is taken for a certificate", name)
		}
	}
	data := added(t, nil, Entry{Blocked: Blocked{CredentialID: id}, Details: Details{User: "jane"}})
	if data[fmt.Sprintf("credential-%x", id)] != "credential:"+id {
		t.Errorf("%q", data)
	}
}

func TestList_WhatThePolicyCannotLookUpIsRefused(t *testing.T) {
	tooLong := strings.Repeat("é", MaximumBlockedName/2+1)
	full := map[string]string{"other": strings.Repeat("x", maximumListBytes)}
	for about, add := range map[string]func() (Change, error){
		"a user":              func() (Change, error) { return ListOf(nil).Add(now, entryFor(tooLong)) },
		"a certificate":       func() (Change, error) { return ListOf(nil).Add(now, Entry{Blocked: Blocked{CredentialID: tooLong}}) },
		"a record":            func() (Change, error) { return ListOf(nil).Add(now, Entry{Details: Details{User: tooLong}}) },
		"a list that is full": func() (Change, error) { return ListOf(full).Add(now, entryFor("jane")) },
		"an entry of the version before": func() (Change, error) {
			return ListOf(map[string]string{"user.x": "user:" + tooLong}).Add(now, entryFor("jane"))
		},
	} {
		change, err := add()
		if !errors.Is(err, outcome.ErrRefused) || outcome.Hint(err) == "" && about != "a record" {
			t.Errorf("%s: %v, %v, hint %q", about, change, err, outcome.Hint(err))
		}
	}
}

func TestList_EntriesOfTheVersionBeforeAreMovedAndStay(t *testing.T) {
	certificate := Blocked{CredentialID: CredentialID([]byte{0})}
	before := map[string]string{"user.abc": "user:jane", "credential.abc": certificate.value(), "anything": "user:bob", "note": "kept"}
	if _, blocked := ListOf(before).Blocks(Blocked{User: "jane"}); !blocked {
		t.Error("an entry of the version before is not read")
	}
	after := added(t, before, entryFor("new"))
	for _, blocked := range []Blocked{{User: "jane"}, {User: "bob"}, certificate, {User: "new"}} {
		if after[blocked.Key()] != blocked.value() {
			t.Errorf("%s is not where the policy looks: %q", blocked, after)
		}
	}
	if after["note"] != "kept" || after["user.abc"] != "" || after["credential.abc"] != "" || after["anything"] != "" {
		t.Errorf("%q", after)
	}
	for _, data := range []map[string]string{before, after} {
		rest := ListOf(apply(data, ListOf(data).Remove(Blocked{User: "jane"})))
		if _, blocked := rest.Blocks(Blocked{User: "jane"}); blocked {
			t.Errorf("cannot be unblocked in %q", data)
		}
		if _, blocked := rest.Blocks(Blocked{User: "bob"}); !blocked {
			t.Errorf("unblocking one unblocks another in %q", data)
		}
	}
}

func TestList_ExpiredCertificatesAreDropped(t *testing.T) {
	certificate := func(id string, notAfter time.Time) Entry {
		return Entry{Blocked: Blocked{CredentialID: id}, Details: Details{User: "jane", NotAfter: &notAfter}}
	}
	// One that has just expired is kept: the clock here may be wrong.
	data := added(t, nil, certificate("expired", now.Add(-keptAfterEnd)), certificate("valid", now), entryFor("jane"), Entry{Details: Details{User: "jane"}})
	data = added(t, data, entryFor("bob"))
	if found := ListOf(data).CertificatesOf("jane"); len(found) != 1 || found[0].Blocked.CredentialID != "valid" {
		t.Errorf("%+v in %q", found, data)
	}
	if _, offboarded := ListOf(data).Offboarded("jane"); !offboarded {
		t.Error("the record is gone")
	}
	if _, blocked := ListOf(data).Blocks(Blocked{User: "jane"}); !blocked {
		t.Error("the user's block is gone")
	}
	rest := ListOf(apply(data, ListOf(data).Remove(Blocked{User: "jane"})))
	if _, offboarded := rest.Offboarded("jane"); offboarded || len(rest.CertificatesOf("jane")) != 1 {
		t.Error("unblocking a user keeps the record, or takes the certificate off")
	}
}

func TestList_AListThatIsNotOursIsReadWithoutBelief(t *testing.T) {
	list := ListOf(map[string]string{"details-user-6a616e65": "{", "offboarded-6a616e65": `{"user":"bob"}`, "user-6a616e65": "else", "user:": "user:"})
	if _, blocked := list.Blocks(Blocked{User: "jane"}); blocked {
		t.Error("jane is blocked by a value that does not say so")
	}
	if _, offboarded := list.Offboarded("jane"); offboarded {
		t.Error("jane is offboarded by a record of bob")
	}
}

func revokedUntil(user string, until time.Time) Entry {
	return Entry{Blocked: Blocked{User: user}, Details: Details{User: user, By: "admin", At: now, IsRevoked: true, Until: &until}}
}

func revokedJane(reason string) Entry {
	return Entry{Blocked: Blocked{User: "jane"}, Details: Details{User: "jane", By: "admin", At: now, IsRevoked: true, Reason: reason}}
}

func TestList_WhatEndsIsNotWhereThePolicyLooks(t *testing.T) {
	id := CredentialID([]byte{7})
	until := now.Add(time.Hour)
	data := added(t, nil, revokedUntil("jane", until), Entry{Blocked: Blocked{CredentialID: id}, Details: Details{User: "bob", IsRevoked: true, Until: &until}})
	if data["until-user-6a616e65"] != "user:jane" || data["user-6a616e65"] != "" || data[fmt.Sprintf("credential-%x", id)] != "" || data[fmt.Sprintf("until-credential-%x", id)] != "credential:"+id {
		t.Errorf("%q", data)
	}
	longest := added(t, nil, revokedUntil(strings.Repeat("x", MaximumBlockedName), until), Entry{Blocked: Blocked{CredentialID: strings.Repeat("x", MaximumBlockedName)}, Details: Details{Until: &until}})
	for key := range longest {
		if problems := validation.IsConfigMapKey(key); len(problems) > 0 {
			t.Errorf("the key %q: %v", key, problems)
		}
	}
	// Another change of the list leaves it there.
	data = added(t, data, entryFor("new"))
	if _, isRefused := ListOf(data).Refuses(Blocked{User: "jane"}, now); !isRefused || data["until-user-6a616e65"] == "" {
		t.Errorf("%q", data)
	}
	if _, isRefused := ListOf(data).Refuses(Blocked{User: "jane"}, until); isRefused {
		t.Error("refused after its end")
	}
	items := ListOf(data).Items()
	for _, item := range items {
		if !item.Agrees() || len(item.Named) != 1 {
			t.Errorf("%+v", item)
		}
	}
	if len(items) != 3 {
		t.Errorf("%d items", len(items))
	}
	// One without an end takes its place, and removes it.
	data = added(t, data, revokedJane(""))
	if data["until-user-6a616e65"] != "" || data["user-6a616e65"] != "user:jane" {
		t.Errorf("%q", data)
	}
	data = apply(added(t, nil, revokedUntil("jane", until)), ListOf(added(t, nil, revokedUntil("jane", until))).Remove(Blocked{User: "jane"}))
	if len(data) != 0 {
		t.Errorf("after it was removed: %q", data)
	}
}

func TestList_WhatEndsNeverEndsWhatIsRefusedForLonger(t *testing.T) {
	soon, later := now.Add(time.Minute), now.Add(time.Hour)
	pin := Entry{Blocked: Blocked{User: "jane", IsPin: true}, Details: Details{User: "jane", IsRevoked: true, PinGroup: "g"}}
	for about, before := range map[string]Entry{"a revocation": revokedJane(""), "a block": entryFor("jane"), "a pin": pin, "a later end": revokedUntil("jane", later)} {
		data := added(t, nil, before)
		if change, err := ListOf(data).Add(now, revokedUntil("jane", soon)); !errors.Is(err, outcome.ErrRefused) || outcome.Hint(err) == "" {
			t.Errorf("%s: %v, %v", about, change, err)
		}
	}
	for about, before := range map[string]Entry{"an earlier end": revokedUntil("jane", soon), "one that has ended": revokedUntil("jane", now)} {
		data := added(t, added(t, nil, before), revokedUntil("jane", later))
		if details, isRefused := ListOf(data).Refuses(Blocked{User: "jane"}, now); !isRefused || !details.Until.Equal(later) {
			t.Errorf("%s: %+v, %v", about, details, isRefused)
		}
	}
}

func TestList_WhatIsAddedAgainKeepsWhatIsRemembered(t *testing.T) {
	later := now.Add(time.Hour)
	by := func(entry Entry, name string) Entry {
		entry.Details.By, entry.Details.At = name, later
		return entry
	}
	certificate := Entry{Blocked: Blocked{CredentialID: "c"}, Details: Details{User: "jane", By: "admin", At: now, IsRevoked: true, Groups: []string{"dev"}, NotAfter: &later}}
	for about, test := range map[string]struct {
		before, again Entry
		want          Details
	}{
		"the same":          {revokedJane("left"), by(revokedJane(""), "other"), revokedJane("left").Details},
		"another reason":    {revokedJane("left"), by(revokedJane("fired"), "other"), by(revokedJane("fired"), "other").Details},
		"a block":           {revokedJane("left"), by(entryFor("jane"), "other"), revokedJane("left").Details},
		"a block twice":     {entryFor("jane"), by(entryFor("jane"), "other"), entryFor("jane").Details},
		"revoke a blocked":  {entryFor("jane"), by(revokedJane("left"), "other"), by(revokedJane("left"), "other").Details},
		"another end":       {revokedUntil("jane", now.Add(time.Minute)), by(revokedUntil("jane", later), "other"), by(revokedUntil("jane", later), "other").Details},
		"a certificate":     {certificate, by(Entry{Blocked: certificate.Blocked, Details: Details{IsRevoked: true}}, "other"), certificate.Details},
		"what had no facts": {Entry{Blocked: Blocked{User: "jane"}, Details: Details{User: "jane"}}, entryFor("jane"), entryFor("jane").Details},
	} {
		data := added(t, added(t, nil, test.before), test.again)
		details, _ := ListOf(data).Blocks(test.again.Blocked)
		got, _ := json.Marshal(details)
		want, _ := json.Marshal(test.want)
		if string(got) != string(want) {
			t.Errorf("%s: %s, want %s", about, got, want)
		}
	}
	first := added(t, nil, Entry{Details: Details{User: "jane", By: "admin", At: now}})
	again := added(t, first, Entry{Details: Details{User: "jane", By: "other", At: later}})
	if details, _ := ListOf(again).Offboarded("jane"); details.By != "admin" {
		t.Errorf("the record is of %s", details.By)
	}
}

func TestList_ABlockWeakensNoRevocation(t *testing.T) {
	until := now.Add(72 * time.Hour)
	for about, before := range map[string]*time.Time{"without an end": nil, "until a time": &until} {
		data := added(t, nil, Entry{Blocked: Blocked{User: "jane"}, Details: Details{User: "jane", By: "a", At: now, IsRevoked: true, Until: before}})
		data = added(t, data, entryFor("jane"))
		if details, _ := ListOf(data).Blocks(Blocked{User: "jane"}); !details.IsRevoked || details.Until != nil {
			t.Errorf("%s: %+v", about, details)
		}
	}
}

// TestList_WhatBecomesKnownOfACertificateIsAdded is for one that was revoked by its id alone.
func TestList_WhatBecomesKnownOfACertificateIsAdded(t *testing.T) {
	id, notAfter := CredentialID([]byte{1}), now.Add(24*time.Hour)
	for about, later := range map[string]Details{
		"a block":            {User: "sam", NotAfter: &notAfter, Groups: []string{"dev"}, By: "b", At: now},
		"a revocation":       {User: "sam", Groups: []string{"dev"}, By: "b", At: now, IsRevoked: true},
		"one without groups": {User: "sam", By: "b", At: now, IsRevoked: true},
	} {
		before := Details{By: "a", At: now, IsRevoked: true}
		if later.Groups == nil {
			before.Groups = []string{"dev"}
		}
		data := added(t, nil, Entry{Blocked: Blocked{CredentialID: id}, Details: before})
		known := ListOf(added(t, data, Entry{Blocked: Blocked{CredentialID: id}, Details: later})).CertificatesOf("sam")
		if len(known) != 1 || known[0].Details.By != "a" || !slices.Equal(known[0].Details.Groups, []string{"dev"}) || known[0].Details.NotAfter == nil != (later.NotAfter == nil) {
			t.Errorf("%s: %+v", about, known)
		}
	}
}

func TestList_WhatWasDoneWithAStolenCertificateIsNotTrustedAfterItHasExpired(t *testing.T) {
	id, notAfter, until := CredentialID([]byte{1}), now.Add(time.Hour), now.Add(time.Hour)
	for about, test := range map[string]struct {
		details      Details
		after        time.Duration
		isDistrusted bool
	}{
		"that is valid":                {Details{NotAfter: &notAfter}, 0, true},
		"that has expired":             {Details{NotAfter: &notAfter}, time.Hour, true},
		"until a time":                 {Details{Until: &until}, time.Hour - 1, true},
		"until a time that has passed": {Details{Until: &until}, time.Hour, false},
	} {
		list := ListOf(added(t, nil, Entry{Blocked: Blocked{CredentialID: id}, Details: test.details}))
		if got := list.Distrusts(id, now.Add(test.after)); got != test.isDistrusted {
			t.Errorf("%s: %v", about, got)
		}
	}
	if ListOf(nil).Distrusts(id, now) {
		t.Error("one that is not on the list")
	}
}

func TestList_APinIsReplacedWithoutTheRecordThatTheUserWasOffboarded(t *testing.T) {
	until := now.Add(72 * time.Hour)
	list := ListOf(added(t, nil, Entry{Details: Details{User: "jane", By: "a", At: now}}))
	change, err := list.Replace(now, Entry{Blocked: Blocked{User: "jane"}, Details: Details{User: "jane", IsRevoked: true, At: now, Until: &until}}, Blocked{User: "jane", IsPin: true})
	if err != nil {
		t.Fatal(err)
	}
	if _, wasOffboarded := ListOf(apply(list.Data(), change)).Offboarded("jane"); !wasOffboarded {
		t.Errorf("%v", change)
	}
}

func TestList_AnEntryOfTheEarlierFormIsReplaced(t *testing.T) {
	list := ListOf(map[string]string{"user.abc": "user:jane", "user.def": "user:joe"})
	change, err := list.Replace(now, Entry{Blocked: Blocked{User: "jane", IsPin: true}, Details: Details{User: "jane", At: now}}, Blocked{User: "jane"})
	if err != nil {
		t.Fatal(err)
	}
	after := ListOf(apply(list.Data(), change))
	_, isBlocked := after.Blocks(Blocked{User: "jane"})
	_, isPinned := after.Blocks(Blocked{User: "jane", IsPin: true})
	if _, isOther := after.Blocks(Blocked{User: "joe"}); isBlocked || !isPinned || !isOther {
		t.Errorf("%q", after.Data())
	}
}

// TestList_AKeyUntilATimeIsEnforcedByItselfAsOthersAre: where its value cannot be read.
func TestList_AKeyUntilATimeIsEnforcedByItselfAsOthersAre(t *testing.T) {
	for _, key := range []string{Blocked{User: "jane"}.Key(), untilKeyPrefix + Blocked{User: "jane"}.Key()} {
		items := ListOf(map[string]string{key: "jane"}).Items()
		if len(items) != 1 || len(items[0].Named) != 1 || items[0].Named[0].User != "jane" || items[0].Agrees() {
			t.Errorf("%s: %+v", key, items)
		}
	}
	if items := ListOf(map[string]string{untilKeyPrefix + "x": "y"}).Items(); len(items) != 1 || len(items[0].Named) != 0 {
		t.Errorf("one that names nobody: %+v", items)
	}
}
