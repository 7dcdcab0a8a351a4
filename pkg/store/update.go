package store

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/store/guard"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/store/lock"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/store/trouble"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/store/wholefile"
)

// ReadFile reads a file that the person named; fs.ErrNotExist if there is none.
func ReadFile(path string) ([]byte, error) {
	data, _, err := readNamed(path)
	return data, err
}

// OthersMayRead reports whether a file is there that group or others may read or
// write. What is secret is not to be put into it. Of a directory it says nothing: that is
// no place for a secret, and not one to be made private. A pipe is not kept anywhere.
func OthersMayRead(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && guard.IsOpen(info.Mode())
}

// changeFunc is how a file becomes another. What is not there is nil.
type changeFunc func(existing []byte) ([]byte, error)

// UpdateFile changes a file of a kind that is the program's own, while its lock is held: it
// judges and reads what is there, has it changed, and puts a new file in its place, whole.
// A file that is not there is handed to change as nil; what is unchanged is not written.
// Directories that are missing are made with mode 0700.
func UpdateFile(ctx context.Context, k *Kind, path string, change changeFunc) error {
	return k.update(ctx, new(wholefile.Directories), path, change)
}

// UpdateFile is UpdateFile for a file of the user, wherever it is: users whose files one
// command writes may have them in one directory.
func (d UserDirectory) UpdateFile(ctx context.Context, k *Kind, path string, change changeFunc) error {
	return k.update(ctx, d.directories(), path, change)
}

func (k *Kind) update(ctx context.Context, directories *wholefile.Directories, path string, change changeFunc) (err error) {
	if err := k.preparePlace(path); err != nil {
		return err
	}
	if k.way == completes {
		// Nobody else makes it, so that it needs no lock where it is not there.
		if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
			data, err := change(nil)
			if err != nil {
				return err
			}
			if err := directories.Create(path, data, k.mode, k.durability); !errors.Is(err, fs.ErrExist) {
				return err
			}
		}
	}
	held, err := lock.Acquire(ctx, path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, held.Release()) }()
	if _, err := recoverInterrupted(path); err != nil {
		return err
	}
	before, err := k.read(path)
	if err != nil {
		return err
	}
	defer before.close()
	return before.change(k, change, replaceOwn)
}

// change has what was read of a file changed, and creates or replaces the file. What is
// unchanged is not written.
func (s *openedFile) change(k *Kind, change changeFunc, replace func(*openedFile, []byte) error) error {
	changed, err := change(s.data)
	if err != nil {
		return err
	}
	switch {
	case s.file == nil:
		return new(wholefile.Directories).Create(s.path, changed, k.mode, k.durability)
	case bytes.Equal(s.data, changed):
		return nil
	}
	return replace(s, changed)
}

// read opens, judges and reads a file of this kind.
func (k *Kind) read(path string) (*openedFile, error) {
	if k.way == shares {
		return readShared(path)
	}
	file, info, err := k.open(path, os.O_RDONLY)
	if errors.Is(err, fs.ErrNotExist) {
		return &openedFile{path: path}, nil
	}
	if err != nil {
		return nil, err
	}
	opened := &openedFile{path: path, file: file, info: info}
	if err = k.judgeReadable(path, info); err == nil {
		opened.data, err = readAll(path, file)
	}
	if err != nil {
		opened.close()
		return nil, err
	}
	return opened, nil
}

// updateShared changes a file that other programs change, too: it takes the lock that
// kubectl takes (FILE.lock), reads what is there, has it changed, and replaces it whole,
// all while the lock is held. A file that is not there is handed to change as nil; what is
// unchanged is not written. A file that is replaced keeps its mode, owner, extended
// attributes and symbolic links; a new one has mode 0600, and directories that are missing
// are made with mode 0700.
//
// Few other programs take the lock, and most empty the file and then write it. So a file that
// is incomplete, cannot be changed, or was written after it was read is looked at for a moment,
// and changed again where it is another one then. kubectl does not wait for a lock, and can
// have it meanwhile.
func updateShared(ctx context.Context, path string, change changeFunc) error {
	target, err := resolve(path)
	if err != nil {
		return err
	}
	if err := makeDirectory(filepath.Dir(target)); err != nil {
		return err
	}
	before, err := updateSharedOnce(ctx, path, target, nil, change)
	limited, cancel := context.WithTimeout(ctx, SettleTime)
	defer cancel()
	for err != nil && before != nil {
		settled := before
		if before.changesSoon(limited) {
			settled = nil
		} else if !errors.Is(err, errIncomplete) {
			return err
		}
		switch {
		case errors.Is(ctx.Err(), context.Canceled):
			return outcome.Errorf(outcome.ErrInterrupted, "interrupted while another program was writing %q", path)
		case limited.Err() != nil:
			return err
		}
		before, err = updateSharedOnce(ctx, path, target, settled, change)
	}
	return err
}

// updateSharedOnce is updateShared for the file as it is now, which it returns where it could be
// read. It can be incomplete only if it is as settled was.
func updateSharedOnce(ctx context.Context, path, target string, settled *openedFile, change changeFunc) (before *openedFile, err error) {
	unlock, err := lockShared(ctx, path, target)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, unlock()) }()
	if _, err := recoverInterrupted(target); err != nil {
		return nil, err
	}
	if before, err = openShared(target, target, settled == nil); err != nil {
		return nil, err
	}
	defer before.close()
	if before.isIncomplete() && (settled == nil || !settled.isAsRead(before.info)) {
		return before, trouble.About(path, errIncomplete)
	}
	return before, before.change(SharedKubeconfig, change, replaceShared)
}

// lockShared takes the locks on a shared file: kubectl locks the name that it was given, not
// what a link leads to; who locks both is safe from either.
func lockShared(ctx context.Context, path, target string) (unlock func() error, _ error) {
	var heldLocks []*lock.File
	unlock = func() (err error) {
		for _, held := range heldLocks {
			err = errors.Join(err, held.Release())
		}
		return err
	}
	names := []string{path}
	if target != path {
		names = append(names, target)
	}
	for _, name := range names {
		held, err := lock.Acquire(ctx, name)
		if err != nil {
			return nil, errors.Join(err, unlock())
		}
		heldLocks = append(heldLocks, held)
	}
	return unlock, nil
}

const (
	// settleTime is how long a shared file is watched after a change, and
	// settleInterval how often.
	settleTime     = 200 * time.Millisecond
	settleInterval = 20 * time.Millisecond
)

// UpdateSharedFile is UpdateFile for a kubeconfig that kubectl may be writing at this
// very moment. kubectl config reads the file before it takes the lock, and then
// deletes what it had not seen there (client-go tools/clientcmd ModifyConfig), so
// that a change made in between is lost. So the file is looked at for a moment
// longer, and the change is made again where it is gone. change must be the same
// when it is applied twice.
func UpdateSharedFile(ctx context.Context, path string, change changeFunc) error {
	var written []byte
	remember := func(existing []byte) (_ []byte, err error) {
		written, err = change(existing)
		return written, err
	}
	if err := updateShared(ctx, path, remember); err != nil {
		return err
	}
	settled := time.NewTimer(settleTime)
	defer settled.Stop()
	tick := time.NewTicker(settleInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-settled.C:
			return nil
		case <-tick.C:
		}
		if now, err := ReadFile(path); err == nil && bytes.Equal(now, written) {
			continue
		}
		before := written
		if err := updateShared(ctx, path, remember); err != nil {
			return err
		}
		if !bytes.Equal(before, written) {
			settled.Reset(settleTime)
		}
	}
}
