package controller

import (
	"context"
	"log/slog"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
)

// loggedLock is a lock of a leader election that logs why it cannot be read or written, once until
// that changes: client-go tries again forever, and a replica that never leads would not say why.
type loggedLock struct {
	resourcelock.Interface

	log *slog.Logger

	mutex sync.Mutex
	// last is what was logged last; "" once the lock could be read or written again.
	last string
}

// Get implements resourcelock.Interface. A lock that does not exist yet is created by Create.
func (l *loggedLock) Get(ctx context.Context) (*resourcelock.LeaderElectionRecord, []byte, error) {
	record, raw, err := l.Interface.Get(ctx)
	if err != nil && !apierrors.IsNotFound(err) {
		l.note(ctx, err)
	}
	return record, raw, err
}

// Create implements resourcelock.Interface. Where another replica was first, the lock exists.
func (l *loggedLock) Create(ctx context.Context, record resourcelock.LeaderElectionRecord) error {
	err := l.Interface.Create(ctx, record)
	if !apierrors.IsAlreadyExists(err) {
		l.note(ctx, err)
	}
	return err
}

// Update implements resourcelock.Interface. Where another replica was first, it has changed.
func (l *loggedLock) Update(ctx context.Context, record resourcelock.LeaderElectionRecord) error {
	err := l.Interface.Update(ctx, record)
	if !apierrors.IsConflict(err) {
		l.note(ctx, err)
	}
	return err
}

func (l *loggedLock) note(ctx context.Context, err error) {
	text := ""
	if err != nil {
		text = err.Error()
	}
	l.mutex.Lock()
	defer l.mutex.Unlock()
	if text != "" && text != l.last && ctx.Err() == nil {
		l.log.Warn("the Lease by which replicas elect a leader cannot be read or written", "error", text)
	}
	l.last = text
}
