package team

import (
	"testing"
	"time"
)

func TestStall_AStall(t *testing.T) {
	const heard, answered, due = "heard", "answered", "due"
	type moment struct {
		at time.Duration
		// what happens: something is heard, the API server has answered, or the next step
		// is due.
		what string
		want step
	}
	for name, test := range map[string]struct {
		patience, timeout time.Duration
		moments           []moment
	}{
		"is explained, looked into and given up": {10 * time.Second, time.Minute, []moment{
			{10 * time.Second, due, explain},
			{60 * time.Second, due, look},
			{61 * time.Second, answered, nothing},
			{62 * time.Second, due, giveUp},
		}},
		"is given up when the API server does not answer": {10 * time.Second, time.Minute, []moment{
			{10 * time.Second, due, explain},
			{60 * time.Second, due, look},
			{70 * time.Second, due, giveUp},
		}},
		"begins again with anything that is heard": {10 * time.Second, time.Minute, []moment{
			{9 * time.Second, heard, nothing},
			{19 * time.Second, due, explain},
			{68 * time.Second, heard, nothing},
			{78 * time.Second, due, explain},
			{128 * time.Second, due, look},
		}},
		"begins again with what was found by looking": {10 * time.Second, time.Minute, []moment{
			{10 * time.Second, due, explain},
			{60 * time.Second, due, look},
			{61 * time.Second, answered, nothing},
			{61500 * time.Millisecond, heard, nothing},
			{71500 * time.Millisecond, due, explain},
			{121500 * time.Millisecond, due, look},
			{131500 * time.Millisecond, due, giveUp},
		}},
		"is looked into before it is given up, however short the timeout": {10 * time.Second, 50 * time.Millisecond, []moment{
			{50 * time.Millisecond, due, look},
			{60 * time.Millisecond, answered, nothing},
			{110 * time.Millisecond, due, giveUp},
		}},
		"is explained while the API server does not answer": {2 * time.Second, time.Second, []moment{
			{time.Second, due, look},
			{2 * time.Second, due, explain},
			{11 * time.Second, due, giveUp},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			begin := time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)
			s := stall{patience: test.patience, timeout: test.timeout}
			s.heard(begin)
			for _, m := range test.moments {
				now := begin.Add(m.at)
				switch m.what {
				case heard:
					s.heard(now)
				case answered:
					s.looked(now)
				case due:
					if !s.due().Equal(now) {
						t.Fatalf("at %s: the next step is due at %s", m.at, s.due().Sub(begin))
					}
					if got := s.next(now.Add(-time.Millisecond)); got != nothing {
						t.Fatalf("just before %s: step %d", m.at, got)
					}
					if got := s.next(now); got != m.want {
						t.Fatalf("at %s: step %d, want %d", m.at, got, m.want)
					}
				}
				if got := s.next(now); got != nothing && m.want != giveUp {
					t.Errorf("at %s: step %d, and only one is to be taken", m.at, got)
				}
			}
		})
	}
}

// A program that was suspended finds that everything is due: it looks before it gives up.
func TestStall_AStallAfterALongSleepIsLookedIntoFirst(t *testing.T) {
	now := time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)
	s := stall{patience: time.Second, timeout: time.Minute}
	s.heard(now)
	now = now.Add(time.Hour)
	if got := s.next(now); got != look {
		t.Errorf("step %d, want %d", got, look)
	}
}
