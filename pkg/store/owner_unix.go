//go:build unix

package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/store/guard"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/store/trouble"
)

// keepOwner gives a new file the owner and group of the one it replaces, where they differ.
// It reports whether it could have the group, which one who is not in it cannot give.
func keepOwner(to *os.File, existing fs.FileInfo) (hasGroup bool, _ error) {
	before, known := existing.Sys().(*syscall.Stat_t)
	if !known {
		return true, nil
	}
	info, err := to.Stat()
	if err != nil {
		return false, err
	}
	now, known := info.Sys().(*syscall.Stat_t)
	if known && now.Uid == before.Uid && now.Gid == before.Gid {
		return true, nil
	}
	err = to.Chown(int(before.Uid), int(before.Gid))
	if err == nil {
		return true, nil
	}
	if known && now.Uid == before.Uid && errors.Is(err, fs.ErrPermission) {
		return false, nil
	}
	return false, fmt.Errorf("%w, %s: %w", errNotGiven, guard.NameOf(int(before.Uid)), trouble.Cause(err))
}
