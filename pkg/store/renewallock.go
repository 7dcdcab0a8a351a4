package store

import (
	"context"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/store/lock"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/store/trouble"
)

// Lock is held by one process at a time. It ends with the process, however that
// ends.
type Lock struct{ file *lock.File }

// TryLock takes the lock that belongs to a path, or returns nil where another
// process holds it. The path's directory is made where it does not exist, and must be the
// program's own.
func TryLock(path string) (*Lock, error) {
	if err := renewalKey.preparePlace(path); err != nil {
		return nil, err
	}
	held, err := lock.Try(path)
	if err != nil {
		return nil, trouble.About(path, err)
	}
	if held == nil {
		return nil, nil
	}
	return &Lock{held}, nil
}

// WaitForLock takes the lock that belongs to a path as soon as no other process
// holds it. When the context ends before, the error is an outcome.ErrTimedOut or
// outcome.ErrInterrupted.
func WaitForLock(ctx context.Context, path string) (*Lock, error) {
	if err := renewalKey.preparePlace(path); err != nil {
		return nil, err
	}
	held, err := lock.Wait(ctx, path)
	if err != nil {
		return nil, err
	}
	return &Lock{held}, nil
}

// Release gives the lock up.
func (l *Lock) Release() error { return l.file.Release() }
