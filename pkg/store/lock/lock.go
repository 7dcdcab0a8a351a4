package lock

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/store/guard"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/store/trouble"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/store/wholefile"
)

// lockPatience is how long a lock of somebody else's is waited for. kubectl
// holds its own for milliseconds and never waits.
const lockPatience = 15 * time.Second

// Suffix is what kubectl adds to a file's name for its lock.
const Suffix = ".lock"

// File is kubectl's own lock on a kubeconfig: a file FILE.lock next to it,
// created exclusively (client-go tools/clientcmd/loader.go). kubectl cannot tell
// a lock whose holder has died, and leaves it to the person to remove it. Ours
// can: the holder also has the kernel's lock on the file, and says in it that it
// is ours. So one whose kernel lock is free is taken over.
type File struct {
	path string
	// program is the program that holds it, for a person.
	program string
	file    *os.File
}

// Acquire waits for the lock on a file and takes it.
func Acquire(ctx context.Context, path string) (*File, error) {
	limited, cancel := context.WithTimeout(ctx, lockPatience)
	defer cancel()
	lock, err := Wait(limited, path)
	if errors.Is(err, outcome.ErrTimedOut) && ctx.Err() == nil {
		name := path + Suffix
		return nil, outcome.WithHint(
			fmt.Errorf("the file %q is locked by another program (%q has been there for %s)", path, name, lockPatience),
			"if no kubectl is running that writes it, remove the lock: %s", identity.NewCommand("rm").File(name))
	}
	return lock, err
}

// Try takes the lock on a file, or returns nil where another process holds it.
func Try(path string) (*File, error) { return TryAs(Plugin, path) }

// TryAs is Try for one of the programs, which the lock names.
func TryAs(program, path string) (*File, error) {
	l := &File{path: path + Suffix, program: program}
	if isHeld, err := l.try(); err != nil || !isHeld {
		return nil, err
	}
	return l, nil
}

// Wait waits for the lock on a file, as long as the context lasts, and takes
// it.
func Wait(ctx context.Context, path string) (*File, error) {
	l := &File{path: path + Suffix, program: Plugin}
	for pauses := 0; ; pauses++ {
		held, err := l.try()
		if err != nil {
			return nil, trouble.About(path, err)
		}
		if held {
			return l, nil
		}
		// Several that wait for one lock should not all ask at the same moment, and
		// one that waits long not without end.
		milliseconds := min(2+rand.IntN(8)+pauses/4, 250) //nolint:gosec // Nothing secret.
		pause := time.NewTimer(time.Duration(milliseconds) * time.Millisecond)
		select {
		case <-ctx.Done():
			pause.Stop()
			if errors.Is(ctx.Err(), context.Canceled) {
				return nil, outcome.Errorf(outcome.ErrInterrupted, "interrupted while waiting for the lock %q", l.path)
			}
			return nil, outcome.Errorf(outcome.ErrTimedOut, "timed out while waiting for the lock %q", l.path)
		case <-pause.C:
		}
	}
}

// try takes the lock if it is free or its holder has died.
func (l *File) try() (held bool, _ error) {
	held, err := l.create()
	if held || err != nil {
		return held, err
	}
	return l.takeOver()
}

// create makes the lock file such that it appears with its content and its
// kernel lock at once: a process that is killed in between leaves no lock that
// nobody can tell from kubectl's.
func (l *File) create() (held bool, err error) {
	if _, err := os.Lstat(l.path); err == nil {
		return false, nil
	}
	wholefile.RemoveAbandoned(filepath.Dir(l.path))
	file, err := createTemporary(l.path)
	if err != nil {
		return false, err
	}
	defer func() {
		_ = os.Remove(file.Name())
		if !held {
			_ = file.Close()
		}
	}()
	if _, err := file.WriteString(l.marker()); err != nil {
		return false, err
	}
	if held, err := holdWhileAlive(file); err != nil || !held {
		return false, err
	}
	err = os.Link(file.Name(), l.path)
	if errors.Is(err, fs.ErrExist) {
		return false, nil
	}
	if err != nil {
		// File systems without hard links.
		return l.createInPlace()
	}
	l.file = file
	return true, nil
}

// createTemporary is os.CreateTemp for a file that can be removed while it is open.
func createTemporary(path string) (*os.File, error) {
	before, after, _ := strings.Cut(wholefile.TemporaryPattern(path), "*")
	for tries := 0; ; tries++ {
		random := strconv.FormatUint(uint64(rand.Uint32()), 10) //nolint:gosec // It is created exclusively.
		file, err := openFile(filepath.Join(filepath.Dir(path), before+random+after), os.O_RDWR|os.O_CREATE|os.O_EXCL)
		if !errors.Is(err, fs.ErrExist) || tries == 1000 {
			return file, err
		}
	}
}

func (l *File) createInPlace() (held bool, _ error) {
	file, err := openFile(l.path, os.O_RDWR|os.O_CREATE|os.O_EXCL)
	if errors.Is(err, fs.ErrExist) || isBeingRemoved(err) {
		// That the directory takes files was seen.
		return false, nil
	}
	if err != nil {
		return false, err
	}
	// Only with the kernel's lock may it say that it is ours: a process that finds the
	// one without the other takes over.
	if alive, err := holdWhileAlive(file); err == nil && alive {
		_, err = file.WriteString(l.marker())
		if err != nil {
			return false, errors.Join(err, file.Close(), os.Remove(l.path))
		}
	}
	l.file = file
	return true, nil
}

// takeOver takes a lock of csr-onboard's whose holder has died.
func (l *File) takeOver() (held bool, _ error) {
	file, err := openFile(l.path, os.O_RDWR)
	if err != nil {
		// Released meanwhile, or not ours to open; but nobody's lock is a link or a pipe.
		if info, statErr := os.Lstat(l.path); statErr == nil && !info.Mode().IsRegular() {
			return false, l.notALock()
		}
		return false, nil
	}
	defer func() {
		if !held {
			_ = file.Close()
		}
	}()
	opened, err := file.Stat()
	if err != nil {
		return false, err
	}
	if !opened.Mode().IsRegular() {
		return false, l.notALock()
	}
	if owner, _, known := guard.Ownership(opened); known && owner != guard.EffectiveUser() && guard.EffectiveUser() != 0 {
		// Its holder is to see to it: it may not be ours to remove.
		return false, nil
	}
	content := make([]byte, len(Controller+MarkerPrefix))
	if n, _ := file.Read(content); !isMarker(string(content[:n])) {
		return false, nil
	}
	if held, err := holdWhileAlive(file); err != nil || !held {
		return false, nil
	}
	// The holder may have released it, and somebody made another, between the
	// opening and the locking.
	current, err := os.Lstat(l.path)
	if err != nil || !os.SameFile(opened, current) {
		return false, nil
	}
	// Its text names the process that has died. One that cannot be written to is a lock as well.
	if n, err := file.WriteAt([]byte(l.marker()), 0); err == nil {
		_ = file.Truncate(int64(n))
	}
	l.file = file
	return true, nil
}

func (l *File) notALock() error {
	return trouble.Refuse("move it away", "the lock %q is not a regular file", l.path)
}

// Check says why the lock on a file could never be taken.
func Check(path string) error {
	l := &File{path: path + Suffix}
	if info, err := os.Lstat(l.path); err == nil && !info.Mode().IsRegular() {
		return l.notALock()
	}
	return nil
}

// Release removes the lock. It is removed first: as long as its file is open, no other process
// takes it over.
func (l *File) Release() error {
	return errors.Join(os.Remove(l.path), l.file.Close())
}

// marker is what a lock of csr-onboard holds, for a person who finds one.
func (l *File) marker() string {
	return fmt.Sprintf("%s%s%d on %s\n", l.program, beforeProcess, os.Getpid(), wholefile.Machine())
}

// isMarker reports whether the content of a lock begins as one of csr-onboard.
func isMarker(content string) bool {
	return strings.HasPrefix(content, MarkerPrefix) || strings.HasPrefix(content, Controller+beforeProcess)
}

const (
	// Plugin is what the lock of a command names as its holder.
	Plugin = "kubectl csr-onboard"
	// Controller is what that of the controller names.
	Controller = "csr-onboard-controller"

	beforeProcess = ", process "
	// MarkerPrefix is how the content of a lock of the plugin begins.
	MarkerPrefix = Plugin + beforeProcess
)
