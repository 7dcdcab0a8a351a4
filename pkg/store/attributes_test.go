//go:build linux

package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/store/wholefile"
)

// accessList is where Linux keeps the access list of a file (acl(5)).
const accessList = "system.posix_acl_access"

// otherUsersAccessList is an access list (acl(5)) as Linux keeps it (uapi/linux/posix_acl_xattr.h):
// the owner can read and write, the file's group nothing, another user can read and write,
// and the mask says so in the mode's place for the group.
func otherUsersAccessList() []byte {
	type entry struct {
		Tag, Rights uint16
		ID          uint32
	}
	const none = ^uint32(0)
	var list bytes.Buffer
	for _, part := range []any{uint32(2), []entry{{0x01, 6, none}, {0x02, 6, otherUser}, {0x04, 0, none}, {0x10, 6, none}, {0x20, 0, none}}} {
		_ = binary.Write(&list, binary.LittleEndian, part)
	}
	return list.Bytes()
}

func setAttribute(t *testing.T, path, name string, value []byte) {
	t.Helper()
	err := unix.Setxattr(path, name, value, 0)
	if errors.Is(err, unix.ENOTSUP) {
		t.Skipf("the file system of %s keeps no %s", path, name)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func attribute(path, name string) string {
	value := make([]byte, 1000)
	n, err := unix.Getxattr(path, name, value)
	if err != nil {
		return err.Error()
	}
	return string(value[:n])
}

func TestAttributes_AReplacedFileKeepsItsAccessListAndAttributes(t *testing.T) {
	path := filepath.Join(t.TempDir(), "config")
	write(t, path, "old", 0o600)
	list := otherUsersAccessList()
	setAttribute(t, path, accessList, list)
	setAttribute(t, path, "user.comment", []byte("shared with the night shift"))
	before := modeOf(t, path)
	if before.Perm() != 0o660 {
		t.Fatalf("the mask is %v", before)
	}
	if err := updateShared(t.Context(), path, to("new")); err != nil {
		t.Fatal(err)
	}
	if got := attribute(path, accessList); got != string(list) {
		t.Errorf("the access list became %q", got)
	}
	if got := attribute(path, "user.comment"); got != "shared with the night shift" {
		t.Errorf("the attribute became %q", got)
	}
	if after := modeOf(t, path); after != before {
		t.Errorf("the mode became %v", after)
	}
}

// TestAttributes_AnAccessListThatCannotBeKeptOpensNothing is about a file system without them, which
// the new file is on here and the old one is not.
func TestAttributes_AnAccessListThatCannotBeKeptOpensNothing(t *testing.T) {
	listed := filepath.Join(t.TempDir(), "config")
	write(t, listed, "old", 0o600)
	setAttribute(t, listed, accessList, otherUsersAccessList())
	from, err := os.Open(listed)
	if err != nil {
		t.Fatal(err)
	}
	defer from.Close() //nolint:errcheck // Nothing was written.
	without := withoutAccessLists(t)
	to, err := os.CreateTemp(without, "new")
	if err != nil {
		t.Fatal(err)
	}
	defer to.Close() //nolint:errcheck // Nothing was written.
	if err := wholefile.KeepAttributes(to, from, modeOf(t, listed).Perm()); err != nil {
		t.Fatal(err)
	}
	if mode := modeOf(t, to.Name()).Perm(); mode != 0o600 {
		t.Errorf("the mode is %v: the file's group can do what its list did not allow", mode)
	}
}

// withoutAccessLists mounts a file system that has no access lists.
func withoutAccessLists(t *testing.T) string {
	t.Helper()
	directory := t.TempDir()
	if err := syscall.Mount("ramfs", directory, "ramfs", 0, ""); err != nil {
		t.Skipf("a file system can't be mounted here: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(directory, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return directory
}

// TestAttributes_ADirectorysDefaultListIsNotTheFiles is about a file with a mode that lets its group
// read: where the directory has a list for new files, that mode would be the list's mask.
func TestAttributes_ADirectorysDefaultListIsNotTheFiles(t *testing.T) {
	path := filepath.Join(t.TempDir(), "config")
	write(t, path, "old", 0o640)
	setAttribute(t, filepath.Dir(path), "system.posix_acl_default", otherUsersAccessList())
	if err := updateShared(t.Context(), path, to("new")); err != nil {
		t.Fatal(err)
	}
	if got := attribute(path, accessList); got != syscall.ENODATA.Error() {
		t.Errorf("the file has the access list %q", got)
	}
	if mode := modeOf(t, path); mode != 0o640 {
		t.Errorf("the mode is %v", mode)
	}
}

func TestAttributes_AnOwnFileKeepsItsAccessListAndLetsNobodyWrite(t *testing.T) {
	path := filepath.Join(t.TempDir(), "jane.handoff.yaml")
	write(t, path, "old", 0o600)
	list := otherUsersAccessList()
	setAttribute(t, path, accessList, list)
	if err := UpdateFile(t.Context(), Handoff, path, to("new")); err != nil {
		t.Fatal(err)
	}
	// The mask says that nobody else can write to it.
	if mode := modeOf(t, path).Perm(); mode != 0o640 {
		t.Errorf("the mode is %v", mode)
	}
	list[4+3*8+2] = 4
	if got := attribute(path, accessList); got != string(list) {
		t.Errorf("the access list became %q", got)
	}
}
