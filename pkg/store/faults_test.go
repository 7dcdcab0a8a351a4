//go:build linux

package store

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome/outcometest"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/store/guard"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/store/lock"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/store/wholefile"
)

// small mounts a file system that holds a number of pages and is full then.
func small(t *testing.T, pages int) string {
	t.Helper()
	directory := t.TempDir()
	if err := syscall.Mount("tmpfs", directory, "tmpfs", 0, fmt.Sprintf("mode=700,size=%d", pages*os.Getpagesize())); err != nil {
		t.Skipf("a file system cannot be mounted here: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(directory, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return directory
}

// asOther runs something with the rights that another user of the machine has to files. The thread
// that had them is not used again.
func asOther(t *testing.T, run func()) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root can be somebody else")
	}
	done := make(chan error)
	go func() {
		runtime.LockOSThread()
		var err error
		defer func() { done <- err }()
		if err = errors.Join(syscall.Setfsgid(otherUser), syscall.Setfsuid(otherUser)); err == nil {
			run()
		}
	}()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

// ofOther is a directory of that user, whom t.TempDir does not let in.
func ofOther(t *testing.T) string {
	t.Helper()
	directory, err := os.MkdirTemp("", "other") //nolint:usetesting // See above.
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(directory) })
	if os.Geteuid() == 0 {
		if err := os.Chown(directory, otherUser, otherUser); err != nil {
			t.Fatal(err)
		}
	}
	return directory
}

// closed is a file that was closed, and of which nothing can be learned.
func closed(t *testing.T) *os.File {
	t.Helper()
	file, err := os.Create(filepath.Join(t.TempDir(), "closed"))
	if err == nil {
		err = file.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return file
}

// opened is a file with content that is open for reading and writing.
func opened(t *testing.T, content string) *os.File {
	t.Helper()
	path := filepath.Join(t.TempDir(), "opened")
	write(t, path, content, 0o600)
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = file.Close() })
	return file
}

// ownerless is what a file system says of a file whose owner is not known.
func ownerless(t *testing.T) fs.FileInfo {
	t.Helper()
	info, err := fs.Stat(fstest.MapFS{"file": {Mode: 0o600}}, "file")
	if err != nil {
		t.Fatal(err)
	}
	return info
}

// circle is a symbolic link that leads to itself.
func circle(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "circle")
	if err := os.Symlink(path, path); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestAttributes_WhatCannotBeReadOrKeptIsAnError(t *testing.T) {
	file := opened(t, "text")
	if err := wholefile.KeepAttributes(closed(t), file, 0o600); !errors.Is(err, unix.EBADF) {
		t.Errorf("to a file that is closed: %v", err)
	}
	if err := wholefile.KeepAttributes(file, closed(t), 0o640); !errors.Is(err, unix.EBADF) {
		t.Errorf("from a file that is closed: %v", err)
	}
	if mode := modeOf(t, file.Name()).Perm(); mode != 0o600 {
		t.Errorf("before the attributes are known, its group can read it: %v", mode)
	}
}

func TestAttributes_OneOfThePersonsThatCannotBeKeptIsAnError(t *testing.T) {
	from := opened(t, "text")
	setAttribute(t, from.Name(), "user.comment", []byte("shared with the night shift"))
	to, err := os.CreateTemp(withoutAccessLists(t), "new")
	if err != nil {
		t.Fatal(err)
	}
	defer to.Close() //nolint:errcheck // Nothing was written.
	err = wholefile.KeepAttributes(to, from, 0o600)
	outcometest.Says(t, "a file system without attributes", err, `"user.comment" cannot be kept`)
	if !errors.Is(err, unix.ENOTSUP) {
		t.Error(err)
	}
}

// TestAttributes_RightsOfAProgramAreNotThoseOfAnotherContent is about the capabilities of a file
// (capabilities(7)), which hold for what the file was.
func TestAttributes_RightsOfAProgramAreNotThoseOfAnotherContent(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can give a file capabilities")
	}
	path := filepath.Join(t.TempDir(), "config")
	write(t, path, "old", 0o600)
	// Version 2 with CAP_NET_BIND_SERVICE permitted (uapi/linux/capability.h).
	var rights bytes.Buffer
	_ = binary.Write(&rights, binary.LittleEndian, []uint32{0x02000000, 1 << 10, 0, 0, 0})
	setAttribute(t, path, "security.capability", rights.Bytes())
	setAttribute(t, path, "user.comment", []byte("kept"))
	if err := updateShared(t.Context(), path, to("new")); err != nil {
		t.Fatal(err)
	}
	if got := attribute(path, "security.capability"); got != syscall.ENODATA.Error() {
		t.Errorf("the new content has the capabilities %q", got)
	}
	if got := attribute(path, "user.comment"); got != "kept" {
		t.Errorf("the comment became %q", got)
	}
	// A file that nothing is written to would keep them.
	from, to := opened(t, ""), opened(t, "")
	setAttribute(t, from.Name(), "security.capability", rights.Bytes())
	if err := wholefile.KeepAttributes(to, from, 0o600); err != nil {
		t.Fatal(err)
	}
	if got := attribute(to.Name(), "security.capability"); got != syscall.ENODATA.Error() {
		t.Errorf("an empty file has the capabilities %q", got)
	}
}

func TestStore_EachDirectoryThatCannotBeMadeIsSaid(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	write(t, file, "text", 0o600)
	below := filepath.Join(file, "below")
	enforcement, err := EnforcementIn(below)
	if err != nil {
		t.Fatal(err)
	}
	for about, err := range map[string]error{
		"a credential cache":   CredentialCacheAt(below).Prepare(),
		"an enforcer":          enforcement.Make(),
		"a kubeconfig":         updateShared(t.Context(), filepath.Join(below, "config"), to("new")),
		"a kubeconfig, twice":  UpdateSharedFile(t.Context(), filepath.Join(below, "config"), to("new")),
		"a handoff":            UpdateFile(t.Context(), Handoff, filepath.Join(below, "handoff"), to("new")),
		"a log":                AppendLine(t.Context(), filepath.Join(below, "log"), []byte("line")),
		"a lock of a renewal":  lockError(TryLock(filepath.Join(below, "renewal"))),
		"a lock waited for":    lockError(WaitForLock(t.Context(), filepath.Join(below, "renewal"))),
		"what can be created":  CheckCreatable(Certificate, filepath.Join(below, "certificate")),
		"what can be writable": CheckWritable(t.Context(), SharedKubeconfig, filepath.Join(below, "config")),
	} {
		outcometest.Says(t, about, err, "not a directory")
		if !errors.Is(err, syscall.ENOTDIR) {
			t.Errorf("%s: %v", about, err)
		}
	}
	if _, _, err := openLog(below); !errors.Is(err, syscall.ENOTDIR) {
		t.Errorf("a log that was locked: %v", err)
	}
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink("nowhere", link); err != nil {
		t.Fatal(err)
	}
	outcometest.Says(t, "a program below a link that leads nowhere", InstallProgram(filepath.Join(link, "program"), []byte("text")), link)
	holds(t, file, "text")
	onlyFiles(t, filepath.Dir(file), "file")
}

func lockError(held *Lock, err error) error {
	if held != nil {
		return errors.Join(errors.New("it is locked"), held.Release())
	}
	return err
}

// TestStore_ADirectoryInThePlaceOfALockIsRefused has it in the place of each kind's lock.
func TestStore_ADirectoryInThePlaceOfALockIsRefused(t *testing.T) {
	for about, test := range map[string]struct {
		name string
		lock func(directory string) error
	}{
		"of an enforcer": {"enforce", func(directory string) error {
			enforcement, err := EnforcementIn(directory)
			if err == nil {
				_, err = enforcement.Lock()
			}
			return err
		}},
		"of a renewal": {"renewal", func(directory string) error { return lockError(TryLock(filepath.Join(directory, "renewal"))) }},
		"that is waited on": {"renewal", func(directory string) error {
			return lockError(WaitForLock(t.Context(), filepath.Join(directory, "renewal")))
		}},
		"of a kubeconfig": {"config", func(directory string) error {
			return updateShared(t.Context(), filepath.Join(directory, "config"), to("new"))
		}},
		"of a handoff": {"handoff", func(directory string) error {
			return UpdateFile(t.Context(), Handoff, filepath.Join(directory, "handoff"), to("new"))
		}},
		"of a recovery": {"config", func(directory string) error {
			write(t, filepath.Join(directory, "config"+beforeSuffix), "before", 0o600)
			defer os.Remove(filepath.Join(directory, "config"+beforeSuffix)) //nolint:errcheck // It is seen below.
			_, err := RecoverFile(filepath.Join(directory, "config"))
			return err
		}},
	} {
		directory := filepath.Join(t.TempDir(), "D")
		if err := os.MkdirAll(filepath.Join(directory, test.name+lock.Suffix), 0o700); err != nil {
			t.Fatal(err)
		}
		outcometest.Says(t, about, test.lock(directory), "is not a regular file", "move it away", test.name+lock.Suffix)
		onlyFiles(t, directory, test.name+lock.Suffix)
	}
}

func TestStore_ALinkThatLeadsToItselfIsNotFollowed(t *testing.T) {
	path := circle(t)
	for about, err := range map[string]error{
		"to update": UpdateSharedFile(t.Context(), path, to("new")),
		"to check":  CheckWritable(t.Context(), SharedKubeconfig, path),
	} {
		if !errors.Is(err, guard.ErrTooManyLinks) {
			t.Errorf("%s: %v", about, err)
		}
	}
	if _, err := readShared(path); !errors.Is(err, guard.ErrTooManyLinks) {
		t.Errorf("to read: %v", err)
	}
	onlyFiles(t, filepath.Dir(path), "circle")
}

func TestCredentialCache_ADirectoryWithoutAKubeconfigIsOneThatCanBeUsed(t *testing.T) {
	cache := CredentialCacheAt(filepath.Join(t.TempDir(), "cache"))
	if err := cache.Prepare(); err != nil {
		t.Fatal(err)
	}
	if err := cache.Check(); err != nil {
		t.Error(err)
	}
	if err := os.Chmod(cache.Directory(), 0o755); err != nil { //nolint:gosec // Too open on purpose.
		t.Fatal(err)
	}
	outcometest.Says(t, "one that others can look into", cache.Check(), "chmod 700")
}

// TestInPlace_WhatIsInTheWayOfTheKeptContentsStays has one thing at a time fail before a file is
// written in place: what the file holds, and what is in the way, stay.
func TestInPlace_WhatIsInTheWayOfTheKeptContentsStays(t *testing.T) {
	for about, test := range map[string]struct {
		prepare func(path string) error
		says    string
		left    []string
	}{
		"another name": {func(path string) error { return os.Link(path, path+".other") }, "has 2 names", []string{"config", "config.other"}},
		"content from after": {
			func(path string) error { return os.WriteFile(path+afterSuffix, []byte("in the way"), 0o600) },
			afterSuffix, []string{"config", "config" + afterSuffix},
		},
		"content from before": {
			func(path string) error { return os.WriteFile(path+beforeSuffix, []byte("in the way"), 0o600) },
			beforeSuffix, []string{"config", "config" + beforeSuffix},
		},
	} {
		path := filepath.Join(t.TempDir(), "config")
		write(t, path, "old", 0o600)
		file, err := readShared(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := test.prepare(path); err != nil {
			t.Fatal(err)
		}
		outcometest.Says(t, about, file.rewrite([]byte("new")), test.says)
		file.close()
		holds(t, path, "old")
		onlyFiles(t, filepath.Dir(path), test.left...)
		if strings.HasPrefix(about, "content") {
			holds(t, filepath.Join(filepath.Dir(path), test.left[1]), "in the way")
		}
	}
	if err := refill(closed(t), []byte("new")); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("a file that is closed: %v", err)
	}
}

// TestInPlace_AFullDiskUndoesTheWrite has place for both contents that are kept, and then not for
// the longer one in the file itself.
func TestInPlace_AFullDiskUndoesTheWrite(t *testing.T) {
	path := filepath.Join(small(t, 50), "config")
	write(t, path, "old", 0o600)
	file, err := readShared(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.close()
	outcometest.Says(t, "a full disk", file.rewrite(bytes.Repeat([]byte("new "), 30*os.Getpagesize()/4)), "no space left", path, "run the same command again")
	holds(t, path, "old")
	onlyFiles(t, filepath.Dir(path), "config")
}

// TestInPlace_AFileThatCannotBeRestoredKeepsWhatItHeld has everything fail that a recovery needs.
func TestInPlace_AFileThatCannotBeRestoredKeepsWhatItHeld(t *testing.T) {
	for about, test := range map[string]struct {
		prepare func(path string) error
		says    []string
	}{
		"another name": {
			func(path string) error { return os.Link(path, path+".other") }, []string{"has 2 names", "what it held before is in"},
		},
		"an open new content": {
			func(path string) error {
				return errors.Join(os.WriteFile(path+afterSuffix, []byte("after"), 0o600), os.Chmod(path+afterSuffix, 0o644)) //nolint:gosec // Too open on purpose.
			},
			[]string{"can be read by others", "chmod 600"},
		},
		"a directory in its place": {
			func(path string) error { return errors.Join(os.Remove(path), os.Mkdir(path, 0o700)) }, []string{"is not a regular file"},
		},
	} {
		path := filepath.Join(t.TempDir(), "config")
		write(t, path, "bef", 0o600)
		write(t, path+beforeSuffix, "before", 0o600)
		if err := test.prepare(path); err != nil {
			t.Fatal(err)
		}
		_, err := RecoverFile(path)
		outcometest.Says(t, about, err, test.says...)
		holds(t, path+beforeSuffix, "before")
		if Exists(path + lock.Suffix) {
			t.Errorf("%s: it stays locked", about)
		}
	}
}

func TestInPlace_WhileAnotherProgramHasTheLockNothingIsRestored(t *testing.T) {
	path := filepath.Join(t.TempDir(), "config")
	for name, content := range map[string]string{path: "bef", path + beforeSuffix: "before", path + lock.Suffix: ""} {
		write(t, name, content, 0o600)
	}
	if wasIncomplete, err := RecoverFile(path); wasIncomplete || err != nil {
		t.Errorf("%v, %v", wasIncomplete, err)
	}
	holds(t, path, "bef")
	onlyFiles(t, filepath.Dir(path), "config", "config"+beforeSuffix, "config"+lock.Suffix)
}

func TestInputs_APipeThatNobodyOpensIsNotWaitedForWithoutEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		opened, stop := make(chan struct{}), make(chan struct{})
		defer close(stop)
		began := time.Now()
		_, err := Inputs{}.wait("pipe", opened, func() ([]byte, error) {
			<-stop
			return nil, nil
		})
		outcometest.Says(t, "a pipe", err, `"pipe" is a pipe`, openPatience.String())
		if took := time.Since(began); !errors.Is(err, outcome.ErrTimedOut) || took != openPatience {
			t.Errorf("after %v: %v", took, err)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		opened := make(chan struct{})
		data, err := Inputs{}.wait("pipe", opened, func() ([]byte, error) {
			close(opened)
			<-time.After(time.Hour)
			return []byte("late"), nil
		})
		if err != nil || string(data) != "late" {
			t.Errorf("one that was opened: %q, %v", data, err)
		}
	})
}

func TestInputs_ADeviceWithoutADriverIsAnError(t *testing.T) {
	path := filepath.Join(t.TempDir(), "device")
	if err := syscall.Mknod(path, syscall.S_IFCHR|0o600, int(unix.Mkdev(241, 241))); err != nil { //nolint:gosec // It is small.
		t.Skipf("a device cannot be made here: %v", err)
	}
	if data, err := (Inputs{}).Read(path); err == nil || data != nil || !strings.Contains(err.Error(), path) {
		t.Errorf("%q, %v", data, err)
	}
}

// TestStore_AFileThatCannotBeReadIsAnError has the memory of a process, which is a regular file whose
// first byte cannot be read.
func TestStore_AFileThatCannotBeReadIsAnError(t *testing.T) {
	const path = "/proc/self/mem"
	_, fileErr := ReadFile(path)
	_, secretErr := ReadSecret(path)
	_, sharedErr := readShared(path)
	for about, err := range map[string]error{
		"a file":   fileErr,
		"a secret": secretErr,
		"shared":   sharedErr,
		"a log":    EachLine(path, func(int, []byte) error { return errors.New("a line was read") }),
	} {
		if !errors.Is(err, syscall.EIO) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v", about, err)
		}
	}
}

func TestIssuanceLog_ALineThatCannotBeWrittenWholeIsTakenBack(t *testing.T) {
	path := filepath.Join(small(t, 8), "log")
	if err := AppendLine(t.Context(), path, []byte("first")); err != nil {
		t.Fatal(err)
	}
	outcometest.Says(t, "a full disk", AppendLine(t.Context(), path, bytes.Repeat([]byte("x"), 20*os.Getpagesize())), "no space left", path, "run the same command again")
	holds(t, path, "first\n")
	onlyFiles(t, filepath.Dir(path), "log")
	if err := AppendLine(t.Context(), path, []byte("second")); err != nil {
		t.Error(err)
	}
	holds(t, path, "first\nsecond\n")
	if err := appendLine(closed(t), []byte("line")); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("a log that is closed: %v", err)
	}
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close() //nolint:errcheck // Nothing is to be written.
	if err := appendLine(file, []byte("third")); err == nil {
		t.Error("a log whose last line cannot be read was written to")
	}
	holds(t, path, "first\nsecond\n")
}

func TestKind_AFileWhoseOwnerIsNotKnownIsJudgedByItsKind(t *testing.T) {
	if err := Handoff.judgeOwn("handoff", ownerless(t)); err != nil {
		t.Error(err)
	}
	if hasGroup, err := keepOwner(closed(t), ownerless(t)); err != nil || !hasGroup {
		t.Errorf("its group: %v, %v", hasGroup, err)
	}
	info, err := os.Stat(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if hasGroup, err := keepOwner(closed(t), info); !errors.Is(err, fs.ErrClosed) || hasGroup {
		t.Errorf("the owner of a file that is closed: %v, %v", hasGroup, err)
	}
	if isMountPoint(closed(t)) {
		t.Error("a file that is closed is mounted")
	}
}

// TestShared_AGroupThatCannotBeGivenLosesItsRights is a person whose file has a group that they are
// not in: the new file has another one, which could not read the old one.
func TestShared_AGroupThatCannotBeGivenLosesItsRights(t *testing.T) {
	const otherGroup = 54321
	directory := ofOther(t)
	path := filepath.Join(directory, "config")
	write(t, path, "old", 0o664)
	if os.Geteuid() == 0 {
		if err := os.Chown(path, otherUser, otherGroup); err != nil {
			t.Fatal(err)
		}
	}
	asOther(t, func() {
		if err := updateShared(t.Context(), path, to("new")); err != nil {
			t.Error(err)
		}
	})
	holds(t, path, "new")
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if status := info.Sys().(*syscall.Stat_t); status.Uid != otherUser || status.Gid == otherGroup || info.Mode().Perm() != 0o604 {
		t.Errorf("it belongs to %d and the group %d, with mode %v", status.Uid, status.Gid, info.Mode())
	}
	onlyFiles(t, directory, "config")
}

func TestRenewal_ADirectoryThatCannotBeRemovedIsAnError(t *testing.T) {
	// The directory above is root's: what is in a renewal can be removed, and not the renewal itself.
	above, err := os.MkdirTemp("", "renewals") //nolint:usetesting // Others are to enter it.
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(above) })
	if err := os.Chmod(above, 0o755); err != nil { //nolint:gosec // See above.
		t.Fatal(err)
	}
	renewal := RenewalOf(above, "jane", []byte("certificate"))
	if err := renewal.Prepare(); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(renewal.CreateKey([]byte("key")), renewal.WriteRefusal("denied")); err != nil {
		t.Fatal(err)
	}
	if os.Geteuid() == 0 {
		if err := os.Chown(renewal.Directory(), otherUser, otherUser); err != nil {
			t.Fatal(err)
		}
	}
	asOther(t, func() {
		if err := renewal.Discard(); !errors.Is(err, fs.ErrPermission) || !strings.Contains(err.Error(), renewal.Directory()) {
			t.Error(err)
		}
	})
	onlyFiles(t, renewal.Directory())
	if err := renewal.Discard(); err != nil || Exists(renewal.Directory()) {
		t.Errorf("root: %v", err)
	}
	missing := filepath.Join(above, "missing")
	RemoveAbandonedLocks(missing, "jane")
	if Exists(missing) {
		t.Error("a directory of renewals was made to look for locks")
	}
}

func TestShared_AFileThatWasNotThereIsInPlaceAsLongAsNothingIsThere(t *testing.T) {
	path := filepath.Join(t.TempDir(), "config")
	file, err := readShared(path)
	if err != nil || !file.isInPlace() {
		t.Errorf("%v", err)
	}
	write(t, path, "appeared", 0o600)
	if file.isInPlace() {
		t.Error("a file that appeared would be replaced")
	}
}

func TestWrite_AChangeThatFailsLeavesNothing(t *testing.T) {
	failed := errors.New("not changed")
	directory := t.TempDir()
	for _, k := range []*Kind{UserKubeconfig, Handoff, SharedKubeconfig} {
		path := filepath.Join(directory, "new")
		change := func([]byte) ([]byte, error) { return []byte("half"), failed }
		if k.way == shares {
			if err := UpdateSharedFile(t.Context(), path, change); !errors.Is(err, failed) {
				t.Errorf("%s: %v", k.name, err)
			}
		} else if err := UpdateFile(t.Context(), k, path, change); !errors.Is(err, failed) {
			t.Errorf("%s: %v", k.name, err)
		}
		onlyFiles(t, directory)
	}
}

func TestSharedChange_ItsWatchEndsWithTheContextAndWithAnError(t *testing.T) {
	path := filepath.Join(t.TempDir(), "config")
	ctx, cancel := context.WithCancel(t.Context())
	if err := UpdateSharedFile(ctx, path, func([]byte) ([]byte, error) {
		cancel()
		return []byte("written\n"), nil
	}); err != nil {
		t.Error(err)
	}
	holds(t, path, "written\n")
	synctest.Test(t, func(t *testing.T) {
		failed := errors.New("not changed again")
		time.AfterFunc(settleInterval/2, func() { write(t, path, "overwritten\n", 0o600) })
		changes := 0
		err := UpdateSharedFile(t.Context(), path, func([]byte) ([]byte, error) {
			if changes++; changes > 1 {
				return nil, failed
			}
			return []byte("written again\n"), nil
		})
		if !errors.Is(err, failed) || changes != 2 {
			t.Errorf("after %d changes: %v", changes, err)
		}
	})
	holds(t, path, "overwritten\n")
	onlyFiles(t, filepath.Dir(path), "config")
}

func TestStore_ASecretThatOthersCanReadIsRefusedByAnyName(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key")
	for mode, isRefused := range map[fs.FileMode]bool{0o600: false, 0o400: false, 0o640: true, 0o604: true, 0o602: true} {
		write(t, path, "key", 0o600)
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		data, err := ReadSecret(path)
		if !isRefused {
			if err != nil || string(data) != "key" {
				t.Errorf("mode %04o: %q, %v", mode, data, err)
			}
			continue
		}
		outcometest.Says(t, fmt.Sprintf("mode %04o", mode), err, "can be read by others", fmt.Sprintf("mode %04o", mode), "chmod 600")
		if data != nil {
			t.Errorf("mode %04o: %q was read", mode, data)
		}
	}
}

func TestWrite_WhatIsInThePlaceOfAFileIsSaidBeforeItIsWritten(t *testing.T) {
	directory := t.TempDir()
	for _, k := range []*Kind{UserKubeconfig, Handoff} {
		outcometest.Says(t, k.name, CheckWritable(t.Context(), k, directory), "is a directory", "name a file in it")
	}
	open := filepath.Join(directory, "open")
	if err := errors.Join(os.Mkdir(open, 0o700), os.Chmod(open, 0o777)); err != nil { //nolint:gosec // Too open on purpose.
		t.Fatal(err)
	}
	outcometest.Says(t, "a directory of everybody", CheckCreatable(PairFile, filepath.Join(open, "key")), "chmod go-w")
	if err := CheckCreatable(SignedCertificate, filepath.Join(open, "certificate")); err != nil {
		t.Errorf("a certificate is safe there: %v", err)
	}
	onlyFiles(t, open)
}

// TestWholefile_ANameThatIsTooLongIsSaidAsIt is one that a file without a name cannot get.
func TestWholefile_ANameThatIsTooLongIsSaidAsIt(t *testing.T) {
	path := filepath.Join(t.TempDir(), strings.Repeat("x", 300))
	if err := wholefile.LinkUnnamed(path, []byte("text"), 0o600, wholefile.Lasting); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("a file without a name: %v", err)
	}
	for _, k := range []*Kind{SignedCertificate, PairFile} {
		if err := CreateFile(k, path, []byte("text")); !errors.Is(err, syscall.ENAMETOOLONG) {
			t.Errorf("%s: %v", k.name, err)
		}
	}
	onlyFiles(t, filepath.Dir(path))
}

// TestWholefile_AFullDiskKeepsWhatIsThere fills a disk in each way of writing.
func TestWholefile_AFullDiskKeepsWhatIsThere(t *testing.T) {
	directory := small(t, 8)
	path := filepath.Join(directory, "file")
	write(t, path, "old", 0o600)
	large := make([]byte, 20*os.Getpagesize())
	for about, err := range map[string]error{
		"created":  CreateFile(SignedCertificate, filepath.Join(directory, "new"), large),
		"replaced": pkcs10Request.replaceFile(new(wholefile.Directories), path, large),
		"updated":  UpdateFile(t.Context(), Handoff, path, to(string(large))),
		"shared":   updateShared(t.Context(), path, to(string(large))),
	} {
		outcometest.Says(t, about, err, "no space left", "free some")
		holds(t, path, "old")
		onlyFiles(t, directory, "file")
	}
}
