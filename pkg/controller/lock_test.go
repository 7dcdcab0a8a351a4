package controller

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
)

// answeringLock answers everything with an error.
type answeringLock struct {
	resourcelock.Interface

	err error
}

func (l *answeringLock) Get(context.Context) (*resourcelock.LeaderElectionRecord, []byte, error) {
	return nil, nil, l.err
}
func (l *answeringLock) Create(context.Context, resourcelock.LeaderElectionRecord) error {
	return l.err
}
func (l *answeringLock) Update(context.Context, resourcelock.LeaderElectionRecord) error {
	return l.err
}

// TestLock_WhyNobodyLeadsIsLoggedOnce is for a replica that cannot read or write the Lease: it waits
// forever, as one does that waits for another.
func TestLock_WhyNobodyLeadsIsLoggedOnce(t *testing.T) {
	leases := schema.GroupResource{Group: "coordination.k8s.io", Resource: "leases"}
	var log bytes.Buffer
	inner := &answeringLock{}
	lock := &loggedLock{Interface: inner, log: slog.New(slog.NewTextHandler(&log, nil))}
	ended, end := context.WithCancel(t.Context())
	end()
	for _, step := range []struct {
		about string
		ctx   context.Context
		err   error
		lines int
	}{
		{"forbidden", t.Context(), apierrors.NewForbidden(leases, "l", errors.New("no")), 1},
		{"still", t.Context(), apierrors.NewForbidden(leases, "l", errors.New("no")), 1},
		{"another reason", t.Context(), errors.New("away"), 2},
		{"well", t.Context(), nil, 2},
		{"the same again", t.Context(), errors.New("away"), 3},
		{"ended", ended, errors.New("stopped"), 3},
	} {
		inner.err = step.err
		_, _, getErr := lock.Get(step.ctx)
		if err := errors.Join(getErr, lock.Create(step.ctx, resourcelock.LeaderElectionRecord{}), lock.Update(step.ctx, resourcelock.LeaderElectionRecord{})); (err == nil) != (step.err == nil) {
			t.Errorf("%s: %v", step.about, err)
		}
		if got := strings.Count(log.String(), "\n"); got != step.lines {
			t.Errorf("%s: %d lines:\n%s", step.about, got, log.String())
		}
	}
	// What another replica does is not a fault.
	for _, err := range []error{apierrors.NewNotFound(leases, "l"), apierrors.NewAlreadyExists(leases, "l"), apierrors.NewConflict(leases, "l", errors.New("x"))} {
		inner.err, lock.last = err, ""
		before := log.Len()
		switch {
		case apierrors.IsNotFound(err):
			_, _, _ = lock.Get(t.Context())
		case apierrors.IsAlreadyExists(err):
			_ = lock.Create(t.Context(), resourcelock.LeaderElectionRecord{})
		default:
			_ = lock.Update(t.Context(), resourcelock.LeaderElectionRecord{})
		}
		if log.Len() != before {
			t.Errorf("%v is logged", err)
		}
	}
}
