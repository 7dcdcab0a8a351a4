package store

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// ReadFile reads a file that the person named; fs.ErrNotExist if there is none.
func ReadFile(path string) ([]byte, error) {
	data, _, err := read(path)
	return data, err
}

// OthersMayRead says whether a file is there that group or others may read or
// write. What is secret is not to be put into it.
func OthersMayRead(path string) bool {
	info, err := os.Stat(path)
	return err == nil && isOpen(info.Mode())
}

// UpdateFile changes a file that other programs change, too: it takes the lock
// that kubectl takes (FILE.lock), reads what is there, has it changed, and
// replaces it whole, all while the lock is held. A file that is not there is
// handed to change as nil; what is unchanged is not written. A file that is
// replaced keeps its mode, owner and symbolic links; a new one has mode 0600, and
// folders that are missing are made with mode 0700.
func UpdateFile(ctx context.Context, path string, change func(existing []byte) ([]byte, error)) (err error) {
	target, err := resolve(path)
	if err != nil {
		return about(path, err)
	}
	if err := os.MkdirAll(filepath.Dir(target), 0o700); err != nil {
		return about(path, err)
	}
	// kubectl locks the name that it was given, not what a link leads to; who
	// locks both is safe from either.
	names := []string{path}
	if target != path {
		names = append(names, target)
	}
	for _, name := range names {
		lock, lockError := acquireLock(ctx, name)
		if lockError != nil {
			return lockError
		}
		defer func() { err = errors.Join(err, lock.release()) }()
	}
	existing, err := ReadFile(target)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	changed, err := change(existing)
	if err != nil {
		return err
	}
	if existing != nil && bytes.Equal(existing, changed) {
		return nil
	}
	return replace(target, changed)
}

// WriteOwnFile is UpdateFile for a file that other programs may come to change, and do
// not make: where there is none, it is created exclusively, without a lock.
func WriteOwnFile(ctx context.Context, path string, change func(existing []byte) ([]byte, error)) error {
	if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
		data, err := change(nil)
		if err != nil {
			return err
		}
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return about(path, err)
		}
		if err := createExclusive(path, data, lasting); !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	return UpdateFile(ctx, path, change)
}

const (
	// settleTime is how long a shared file is watched after a change, and
	// settleInterval how often.
	settleTime     = 200 * time.Millisecond
	settleInterval = 20 * time.Millisecond
)

// UpdateSharedFile is UpdateFile for a file that kubectl may be writing at this
// very moment. kubectl config reads the file before it takes the lock, and then
// deletes what it had not seen there (client-go tools/clientcmd ModifyConfig), so
// that a change made in between is lost. So the file is looked at for a moment
// longer, and the change is made again where it is gone. change must be the same
// when it is applied twice.
func UpdateSharedFile(ctx context.Context, path string, change func(existing []byte) ([]byte, error)) error {
	var written []byte
	remember := func(existing []byte) (_ []byte, err error) {
		written, err = change(existing)
		return written, err
	}
	if err := UpdateFile(ctx, path, remember); err != nil {
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
		if err := UpdateFile(ctx, path, remember); err != nil {
			return err
		}
		if !bytes.Equal(before, written) {
			settled.Reset(settleTime)
		}
	}
}
