package revocation

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/access"
)

// until is an entry that ends.
func until(entry access.Entry, end time.Duration) access.Entry {
	at := now.Add(end)
	entry.Details.Until = &at
	return entry
}

// refusedBy are the keys of what is in force.
func refusedBy(r Remembered, at time.Time) string {
	entries, _ := r.Entries(at)
	var names []string
	for _, entry := range entries {
		names = append(names, entry.Blocked.String())
	}
	return strings.Join(names, ", ")
}

func TestRemembered_OnlyAnUpdateOfTheSameObjectEndsAnEntry(t *testing.T) {
	jane, bob, cleo := of("jane"), of("bob"), of("cleo")
	type seen struct {
		uid        string
		isAccepted bool
		entries    []access.Entry
	}
	for about, test := range map[string]struct {
		seen []seen
		want string
		kept int
	}{
		"the first list is taken as it is":      {[]seen{{"1", false, []access.Entry{jane}}}, `the user "jane"`, 0},
		"an update ends an entry":               {[]seen{{"1", false, []access.Entry{jane, bob}}, {"1", false, []access.Entry{bob}}}, `the user "bob"`, 0},
		"another object does not":               {[]seen{{"1", false, []access.Entry{jane, bob}}, {"2", false, []access.Entry{bob}}}, `the user "jane", the user "bob"`, 1},
		"nor does one without entries":          {[]seen{{"1", false, []access.Entry{jane}}, {"2", false, nil}}, `the user "jane"`, 1},
		"nor a third one":                       {[]seen{{"1", false, []access.Entry{jane}}, {"2", false, []access.Entry{bob}}, {"3", false, []access.Entry{cleo}}}, `the user "jane", the user "bob", the user "cleo"`, 2},
		"nor an update of the other object":     {[]seen{{"1", false, []access.Entry{jane}}, {"2", false, []access.Entry{bob}}, {"2", false, nil}}, `the user "jane"`, 1},
		"a backup that has them all is well":    {[]seen{{"1", false, []access.Entry{jane, bob}}, {"2", false, []access.Entry{bob, jane}}}, `the user "bob", the user "jane"`, 0},
		"what comes back can be ended again":    {[]seen{{"1", false, []access.Entry{jane}}, {"2", false, nil}, {"2", false, []access.Entry{jane}}, {"2", false, nil}}, "", 0},
		"who accepts the new one ends the rest": {[]seen{{"1", false, []access.Entry{jane}}, {"2", false, []access.Entry{bob}}, {"2", true, []access.Entry{bob}}}, `the user "bob"`, 0},
		"also at once":                          {[]seen{{"1", false, []access.Entry{jane}}, {"2", true, nil}}, "", 0},
		"an earlier end is kept out":            {[]seen{{"1", false, []access.Entry{until(jane, time.Hour)}}, {"2", false, []access.Entry{until(jane, time.Minute)}}}, `the user "jane"`, 1},
		"a later one is not":                    {[]seen{{"1", false, []access.Entry{until(jane, time.Minute)}}, {"2", false, []access.Entry{jane}}}, `the user "jane"`, 0},
		"another pin is kept out":               {[]seen{{"1", false, []access.Entry{pinOf("kim", groupOf(1))}}, {"2", false, []access.Entry{pinOf("kim", groupOf(2))}}}, `the user "kim" except with pinned certificates`, 1},
		"a stricter one is not":                 {[]seen{{"1", false, []access.Entry{pinOf("kim", groupOf(1))}}, {"2", false, []access.Entry{pinOf("kim", "")}}}, `the user "kim" except with pinned certificates`, 0},
	} {
		t.Run(about, func(t *testing.T) {
			var r Remembered
			for _, s := range test.seen {
				r = r.Seen(s.uid, s.isAccepted, listWith(t, nil, s.entries...), now)
				// It is the same after a restart.
				encoded, err := json.Marshal(r)
				if err != nil {
					t.Fatal(err)
				}
				var again Remembered
				if err := json.Unmarshal(encoded, &again); err != nil || !reflect.DeepEqual(again, r) {
					t.Fatalf("%+v, %v, want %+v", again, err, r)
				}
			}
			got := strings.Split(refusedBy(r, now), ", ")
			want := strings.Split(test.want, ", ")
			if len(got) != len(want) || len(r.Kept) != test.kept || (r.Explain() == "") != (test.kept == 0) {
				t.Errorf("%q, %+v, %q", got, r.Kept, r.Explain())
			}
			for _, one := range want {
				if !strings.Contains(refusedBy(r, now), one) {
					t.Errorf("%q is missing in %q", one, got)
				}
			}
		})
	}
}

func TestRemembered_WhatIsKeptEndsAtItsTimeAndCountsBeforeTheList(t *testing.T) {
	var r Remembered
	r = r.Seen("1", false, listWith(t, nil, until(of("jane"), time.Hour), pinOf("kim", groupOf(1))), now)
	r = r.Seen("2", false, listWith(t, nil, pinOf("kim", groupOf(2))), now)
	entries, _ := r.Entries(now)
	for _, entry := range entries {
		if entry.Blocked.IsPin && entry.Details.PinGroup != groupOf(1) {
			t.Errorf("the pin of the new list counts: %+v", entry)
		}
	}
	if later := refusedBy(r, now.Add(time.Hour)); strings.Contains(later, "jane") {
		t.Errorf("after its time: %s", later)
	}
	if r = r.Seen("2", false, listWith(t, nil), now.Add(time.Hour)); len(r.Kept) != 1 {
		t.Errorf("%+v", r.Kept)
	}
}

func TestRemembered_TheFirstKeptAreNamedAndTheOthersCounted(t *testing.T) {
	var all []access.Entry
	for i := range mostKeptNamed + 2 {
		all = append(all, of(fmt.Sprintf("user-%d", i)))
	}
	r := Remembered{}.Seen("1", false, listWith(t, nil, all...), now).Seen("2", false, listWith(t, nil), now)
	if said := r.Explain(); !strings.HasSuffix(said, `the user "user-4", and 2 more`) {
		t.Errorf("%q", said)
	}
	if said := (Remembered{}).Explain(); said != "" {
		t.Errorf("%q", said)
	}
}

// TestRemembered_AKeptEntryThatCannotBeInForceIsAProblemAndNoObstacle: another version, or an editor, wrote the file.
func TestRemembered_AKeptEntryThatCannotBeInForceIsAProblemAndNoObstacle(t *testing.T) {
	verbose := of("kim")
	verbose.Details.Reason = strings.Repeat("x", MaximumReason+1)
	wrong := of("system:kube-scheduler")
	r := Remembered{UID: "2", Data: listWith(t, nil, of("jane")).Data(), Kept: []access.Entry{wrong, {}, of("bob"), verbose}}
	entries, problems := r.Entries(now)
	if _, err := Render(nodeAndRBAC(t), entries, Options{Kubeconfig: kubeconfigPath}); err != nil {
		t.Error(err)
	}
	if got := refusedBy(r, now); got != `the user "bob", the user "kim", the user "jane"` {
		t.Error(got)
	}
	if len(problems) != 3 || problems[0].Key != wrong.Blocked.Key() || !strings.Contains(problems[0].Says, "never refused") || !strings.Contains(problems[2].Says, "the details are ignored") {
		t.Errorf("%q", problems)
	}
	if said := r.Explain(); !strings.HasSuffix(said, `: the user "bob", the user "kim"`) {
		t.Errorf("%q", said)
	}
}
