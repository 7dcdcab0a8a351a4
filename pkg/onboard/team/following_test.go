package team

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/event"
)

// newSilent is a session for users, and what it is told.
func newSilent(names ...string) (*session, *[]event.Event) {
	var told []event.Event
	in := Input{}
	for i, name := range names {
		in.Members = append(in.Members, Member{NewUserInput: onboard.NewUserInput{User: identity.User{Name: name}}, Line: i + 1})
	}
	return newSession(&onboard.Program{Now: time.Now, Tell: func(e event.Event) { told = append(told, e) }}, in), &told
}

// TestFollowing_AUserHasOneResult is for a certificate that comes when its user was given up already.
func TestFollowing_AUserHasOneResult(t *testing.T) {
	t.Parallel()
	s, told := newSilent("jane", "sam")
	f := newFollowing(s, nil)
	errLost := errors.New("lost")
	f.take(report{place: 0})
	f.take(report{place: 0, result: &Result{State: MemberFetched}})
	f.giveUp(errLost)
	f.take(report{place: 1, result: &Result{State: MemberFetched}})
	if f.left != 0 || f.failed != 1 || f.results[0].State != MemberFetched || f.results[1].State != MemberFailed || !errors.Is(f.results[1].Err, errLost) || f.results[1].Line != 2 {
		t.Errorf("%d left, %d failed, %+v", f.left, f.failed, f.results)
	}
	var given []MembersNotOnboarded
	var progress []onboard.Progress
	for _, one := range *told {
		switch e := one.(type) {
		case MembersNotOnboarded:
			given = append(given, e)
		case onboard.Progress:
			progress = append(progress, e)
		}
	}
	if len(given) != 1 || len(given[0].Users) != 1 || given[0].Users[0].User.Name != "sam" || !errors.Is(given[0].Reason, errLost) {
		t.Errorf("%+v", given)
	}
	if len(progress) != 2 || progress[1].Done != 2 || progress[1].Failed != 1 || progress[1].Total != 2 {
		t.Errorf("%+v", progress)
	}
}

func TestSession_PlacesAreYieldedUntilNoMoreAreWanted(t *testing.T) {
	t.Parallel()
	s, _ := newSilent("jane", "sam", "joe")
	if all := slices.Collect(s.places); !slices.Equal(all, []int{0, 1, 2}) {
		t.Errorf("%v", all)
	}
	var some []int
	for place := range s.places {
		if some = append(some, place); len(some) == 2 {
			break
		}
	}
	if !slices.Equal(some, []int{0, 1}) {
		t.Errorf("%v", some)
	}
}

// TestHearing_WhatIsTheSameForAllIsToldOnce is for what thousands of users have in common.
func TestHearing_WhatIsTheSameForAllIsToldOnce(t *testing.T) {
	t.Parallel()
	for about, test := range map[string]struct {
		heard []event.Event
		want  int
	}{
		"not recorded, for whatever reason": {[]event.Event{onboard.NotRecorded{Reason: errors.New("a")}, onboard.NotRecorded{Reason: errors.New("b")}}, 1},
		"two reasons why roles are unread":  {[]event.Event{onboard.GrantsUnread{Reason: "a"}, onboard.GrantsUnread{Reason: "a"}, onboard.GrantsUnread{Reason: "b"}}, 2},
		"a lifetime that was asked for":     {[]event.Event{onboard.CertificateIssued{}, onboard.CertificateIssued{}}, 0},
		"what is in the result":             {[]event.Event{onboard.KeyReady{}, onboard.Recorded{}, onboard.LoggedIn{}}, 0},
		"progress":                          {[]event.Event{onboard.Progress{Done: 1}, onboard.Progress{Done: 1}}, 2},
	} {
		s, told := newSilent()
		for _, one := range test.heard {
			s.tell(one)
		}
		if len(*told) != test.want {
			t.Errorf("%s: %+v", about, *told)
		}
	}
}
