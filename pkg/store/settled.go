package store

import (
	"bytes"
	"context"
	"errors"
	"os"
	"time"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/store/lock"
)

// kubectl config truncates a kubeconfig and then writes it, while it holds FILE.lock
// (client-go tools/clientcmd WriteToFile). Who reads in between finds an empty file.

const (
	// SettleTime is how long a reader waits for a kubeconfig that is being written.
	SettleTime = time.Second
	// SettlePause is the time between two looks at it.
	SettlePause = 10 * time.Millisecond
	// justChanged is how long after a write a program may still write more.
	justChanged = 100 * time.Millisecond
)

// IsUnsettled reports whether another program may be writing a kubeconfig at this moment:
// its lock exists, or it has just changed.
func IsUnsettled(path string, now time.Time) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && (Exists(path+lock.Suffix) || now.Sub(info.ModTime()).Abs() < justChanged)
}

// IsBeingWritten reports whether a kubeconfig is unsettled and empty.
func IsBeingWritten(path string, now time.Time) bool {
	info, err := os.Stat(path)
	return err == nil && info.Size() == 0 && IsUnsettled(path, now)
}

// ReadKubeconfig is ReadFile for a kubeconfig, which kubectl may be rewriting: one that is
// being written is read again for a moment.
func ReadKubeconfig(path string, now func() time.Time) ([]byte, error) {
	for deadline := now().Add(SettleTime); ; {
		isBeingWritten := IsBeingWritten(path, now())
		data, err := ReadFile(path)
		if err != nil || len(data) > 0 || !isBeingWritten && !IsBeingWritten(path, now()) || now().After(deadline) {
			return data, err
		}
		<-time.After(SettlePause)
	}
}

// errIncomplete is the error of a shared file that another program is writing.
var errIncomplete = errors.New("another program is writing the file; try again")

// isIncomplete reports whether a file that was read is empty or ends within a line.
func (s *openedFile) isIncomplete() bool {
	return s.file != nil && !bytes.HasSuffix(s.data, []byte("\n"))
}

// changesSoon reports whether a file changes in the time in which a program continues to write.
func (s *openedFile) changesSoon(ctx context.Context) bool {
	for range justChanged / SettlePause {
		select {
		case <-ctx.Done():
			return false
		case <-time.After(SettlePause):
		}
		if !s.isInPlace() {
			return true
		}
	}
	return false
}
