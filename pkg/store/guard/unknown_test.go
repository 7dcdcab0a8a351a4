//go:build linux

package guard

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"testing/fstest"
)

func TestOwnership_AFileSystemWithoutOwnersTellsNothing(t *testing.T) {
	info, err := fs.Stat(fstest.MapFS{"file": {}}, "file")
	if err != nil {
		t.Fatal(err)
	}
	if owner, links, known := Ownership(info); owner != 0 || links != 0 || known {
		t.Errorf("%d, %d, %v", owner, links, known)
	}
	if IsPrivateGroup(info) {
		t.Error("a group that is not known is private")
	}
	if lines := database(filepath.Join(t.TempDir(), "missing")); lines != nil {
		t.Errorf("of a file that does not exist: %q", lines)
	}
	if err := judgeLink(filepath.Join(t.TempDir(), "gone")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a link that is gone: %v", err)
	}
}

// TestGuarded_AWorkingDirectoryThatWasRemovedIsAnError is about relative paths, which lead nowhere then.
func TestGuarded_AWorkingDirectoryThatWasRemovedIsAnError(t *testing.T) {
	removed := filepath.Join(t.TempDir(), "removed")
	if err := os.Mkdir(removed, 0o700); err != nil {
		t.Fatal(err)
	}
	t.Chdir(removed)
	if err := os.Remove(removed); err != nil {
		t.Fatal(err)
	}
	for about, err := range map[string]error{"guarded": Guarded("below"), "private": Private("below")} {
		if !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %v", about, err)
		}
	}
}

// TestIsPrivateGroup_AGroupOfTwoUsersIsNot has two users of this machine with one group, as the users
// of daemons often are.
func TestIsPrivateGroup_AGroupOfTwoUsersIsNot(t *testing.T) {
	if EffectiveUser() != 0 {
		t.Skip("only root can give files away")
	}
	seen := map[string]bool{}
	for _, line := range database("/etc/passwd") {
		if len(line) < 4 || !seen[line[3]] {
			if len(line) >= 4 {
				seen[line[3]] = true
			}
			continue
		}
		shared := line[3]
		for _, of := range database("/etc/passwd") {
			if len(of) < 4 || of[3] != shared {
				continue
			}
			path := directory(t, "shared", 0o775)
			user, userErr := strconv.Atoi(of[2])
			group, groupErr := strconv.Atoi(shared)
			if err := errors.Join(userErr, groupErr, os.Chown(path, user, group)); err != nil {
				t.Fatal(err)
			}
			info, err := os.Stat(path)
			if err != nil || IsPrivateGroup(info) {
				t.Errorf("the group %s is private to %s, %v", shared, of[0], err)
			}
		}
		return
	}
	t.Skip("no two users of this machine have one group")
}
