package clusters

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/event"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
)

func itself(name string) string { return name }

// failing runs a use case that fails on the clusters that have an error.
func failing(all []string, errs map[string]error) (results []Result[string], told []string, err error) {
	results = Run(all, itself, func(name string) (string, error) { return "value of " + name, errs[name] })
	err = Failure(results, func(e event.Event) {
		if notDone, is := e.(NotDone); is {
			told = append(told, notDone.Cluster)
		}
	})
	return results, told, err
}

func TestClusters_WhatFailsOnOneClusterStopsNoOther(t *testing.T) {
	results, told, err := failing([]string{"b", "a", "c"}, map[string]error{"a": outcome.Errorf(outcome.ErrNotFound, "jane not found")})
	if err == nil || err.Error() != `1 of 3 clusters is not done: "a": jane not found` || outcome.ExitCode(err) != 4 || outcome.Hint(err) == "" {
		t.Errorf("got %v, exit code %d", err, outcome.ExitCode(err))
	}
	if !slices.Equal(told, []string{"a"}) || results[0].Value != "value of b" || results[2].Cluster != "c" || AreFailed(results) {
		t.Errorf("told %q, results %+v", told, results)
	}
}

func TestClusters_TheErrorIsTheFirstClustersUnlessInterrupted(t *testing.T) {
	refusedErr, interruptedErr := outcome.Errorf(outcome.ErrRefused, "no"), outcome.Errorf(outcome.ErrInterrupted, "interrupted")
	_, told, err := failing([]string{"a", "b"}, map[string]error{"a": refusedErr, "b": outcome.Errorf(outcome.ErrNotFound, "nothing")})
	if outcome.ExitCode(err) != 6 || !strings.HasPrefix(err.Error(), `2 of 2 clusters are not done: "a", "b"; the first: no`) || len(told) != 2 {
		t.Errorf("got %v, told %q", err, told)
	}
	if hint := outcome.Hint(FailureToRead([]Result[string]{{Cluster: "a", Err: outcome.WithHint(refusedErr, "its own")}, {Cluster: "b"}}, func(event.Event) {})); hint != "" {
		t.Errorf("the hint of what only reads is %q", hint)
	}
	if _, _, err := failing([]string{"a", "b"}, map[string]error{"a": refusedErr, "b": interruptedErr}); outcome.ExitCode(err) != 130 {
		t.Errorf("got %v", err)
	}
	if _, told, err := failing([]string{"a\x1b"}, map[string]error{"a\x1b": refusedErr}); err.Error() != `cluster "a\x1b": no` || len(told) != 0 {
		t.Errorf("got %v, told %q", err, told)
	}
	if _, told, err := failing([]string{"a", "b"}, nil); err != nil || told != nil {
		t.Errorf("got %v, told %q", err, told)
	}
}

func TestMeeting_QuestionsAreAskedTogetherInTheOrderOfTheClusters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked []string
		no := errors.New("no")
		meeting := NewMeeting(3, func(_ context.Context, questions []string) []error {
			asked = append(asked, strings.Join(questions, " "))
			answers := make([]error, len(questions))
			answers[0] = no
			return answers
		})
		// The first run has one question, the second two, and the third none.
		results := Run([]int{0, 1, 2}, func(int) string { return "" }, func(place int) (string, error) {
			defer meeting.Leave(t.Context())
			var answers []string
			for n := range []int{1, 2, 0}[place] {
				<-time.After(time.Duration(3-place) * time.Second)
				answers = append(answers, fmt.Sprint(meeting.Ask(t.Context(), place, fmt.Sprintf("%d/%d", place, n))))
			}
			return strings.Join(answers, " "), nil
		})
		if want := []string{"0/0 1/0", "1/1"}; !slices.Equal(asked, want) {
			t.Errorf("asked %q, want %q", asked, want)
		}
		if results[0].Value != "no" || results[1].Value != "<nil> no" || results[2].Value != "" {
			t.Errorf("answers: %+v", results)
		}
	})
}

func TestMeeting_AnInterruptionEndsTheWait(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	meeting := NewMeeting(2, func(context.Context, []int) []error { t.Error("asked"); return nil })
	cancel()
	err := meeting.Ask(ctx, 0, 1)
	meeting.Leave(ctx)
	meeting.Leave(ctx)
	if !errors.Is(err, outcome.ErrInterrupted) {
		t.Errorf("got %v", err)
	}
}
