//go:build unix

package guard

import (
	"bufio"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/store/trouble"
)

// noFollow refuses a symbolic link as the last part of a path, and noWait does not wait
// for another process at a named pipe (open(2)).
const (
	NoFollow = syscall.O_NOFOLLOW
	NoWait   = syscall.O_NONBLOCK
)

// EffectiveUser is whom new files belong to.
func EffectiveUser() int { return os.Geteuid() }

// Ownership is whose a file is, and how many names it has.
func Ownership(info fs.FileInfo) (owner int, links uint64, known bool) {
	status, known := info.Sys().(*syscall.Stat_t)
	if !known {
		return 0, 0, false
	}
	return int(status.Uid), uint64(status.Nlink), true //nolint:unconvert // Its size differs between systems.
}

// NameOf is a user of this machine, for a person.
func NameOf(id int) string {
	if found, err := user.LookupId(strconv.Itoa(id)); err == nil {
		return fmt.Sprintf("%s (uid %d)", identity.Printable(found.Username), id)
	}
	return fmt.Sprintf("uid %d", id)
}

// IsTrusted reports whether what belongs to a user can be relied on: root's, the effective
// user's, and with sudo those of the person who called it.
func IsTrusted(owner int) bool {
	switch owner {
	case 0, EffectiveUser():
		return true
	}
	return EffectiveUser() == 0 && os.Getenv("SUDO_UID") == strconv.Itoa(owner)
}

// Private says why a directory is not the program's own.
func Private(directory string) error {
	absolute, err := filepath.Abs(directory)
	if err != nil {
		return trouble.About(directory, err)
	}
	directory = absolute
	info, err := os.Lstat(directory)
	if err != nil {
		return trouble.About(directory, err)
	}
	owner, _, known := Ownership(info)
	const hint = "others could put files into it; move it away, or name another directory"
	switch {
	case info.Mode()&fs.ModeSymlink != 0:
		return trouble.Refuse(hint, "the directory %q is a symbolic link, and is not followed", directory)
	case !info.IsDir():
		return trouble.Refuse(hint, "%q is not a directory", directory)
	case known && owner != EffectiveUser():
		return trouble.Refuse(hint, "the directory %q belongs to %s, not to %s", directory, NameOf(owner), NameOf(EffectiveUser()))
	case info.Mode().Perm()&0o077 != 0:
		return trouble.Refuse("if nobody else can have put anything into it: "+identity.NewCommand("chmod 700").File(directory).String(),
			"the directory %q is open to others than its owner (mode %04o)", directory, info.Mode().Perm())
	}
	return Guarded(filepath.Dir(directory))
}

// Guarded says who else could exchange the files in a directory: it and every
// directory above it, and each symbolic link on the way, must belong to a trusted user,
// and nobody else can write to a directory unless it is sticky (as OpenSSH's safe_path in
// misc.c does, which knows no exception for sticky ones).
func Guarded(directory string) error {
	absolute, err := filepath.Abs(directory)
	if err != nil {
		return trouble.About(directory, err)
	}
	current, rest := "/", parts(absolute)
	if err := judgeStep(current); err != nil {
		return err
	}
	for links := 0; len(rest) > 0; {
		next := filepath.Join(current, rest[0])
		rest = rest[1:]
		target, err := os.Readlink(next)
		if err != nil {
			current = next
			if err := judgeStep(current); err != nil {
				return err
			}
			continue
		}
		if links++; links > MaximumLinks {
			return trouble.About(directory, ErrTooManyLinks)
		}
		if err := judgeLink(next); err != nil {
			return err
		}
		if filepath.IsAbs(target) {
			current = "/"
		}
		rest = append(parts(target), rest...)
	}
	return nil
}

func parts(path string) []string {
	return slices.DeleteFunc(strings.Split(path, "/"), func(part string) bool { return part == "" })
}

const guardHint = "name a directory that only you can write to"

func judgeLink(path string) error {
	info, err := os.Lstat(path)
	if err != nil {
		return trouble.About(path, err)
	}
	if owner, _, known := Ownership(info); known && !IsTrusted(owner) {
		return trouble.Refuse(guardHint, "the symbolic link %q belongs to %s, who can lead it elsewhere", path, NameOf(owner))
	}
	return nil
}

func judgeStep(directory string) error {
	info, err := os.Lstat(directory)
	if err != nil {
		return trouble.About(directory, err)
	}
	if !info.IsDir() {
		return fmt.Errorf("%q is not a directory", directory)
	}
	if owner, _, known := Ownership(info); known && !IsTrusted(owner) {
		return trouble.Refuse(guardHint, "the directory %q belongs to %s, who can exchange the files in it", directory, NameOf(owner))
	}
	mode := info.Mode()
	if mode&fs.ModeSticky != 0 || mode.Perm()&0o022 == 0 || mode.Perm()&0o002 == 0 && IsPrivateGroup(info) {
		return nil
	}
	return trouble.Refuse("remove that permission: "+identity.NewCommand("chmod go-w").File(directory).String()+"; or "+guardHint,
		"others than its owner can write to the directory %q (mode %04o), and exchange the files in it", directory, mode.Perm())
}

// IsPrivateGroup reports whether the group of a directory has no member but its owner. Where
// every user has a group of their own, the usual umask lets the group write.
func IsPrivateGroup(info fs.FileInfo) bool {
	status, known := info.Sys().(*syscall.Stat_t)
	if !known {
		return false
	}
	owner, err := user.LookupId(strconv.FormatUint(uint64(status.Uid), 10))
	group := strconv.FormatUint(uint64(status.Gid), 10)
	if err != nil || owner.Gid != group {
		return false
	}
	isListed := false
	for _, line := range database("/etc/group") {
		// NAME:PASSWORD:GID:MEMBERS (group(5))
		if len(line) < 4 || line[2] != group {
			continue
		}
		isListed = true
		for _, member := range strings.Split(line[3], ",") {
			if member != "" && member != owner.Username {
				return false
			}
		}
	}
	for _, line := range database("/etc/passwd") {
		// NAME:PASSWORD:UID:GID:… (passwd(5))
		if len(line) >= 4 && line[3] == group && line[0] != owner.Username {
			return false
		}
	}
	return isListed
}

// database reads the fields of the lines of a file such as /etc/passwd; nothing where that
// cannot be read.
func database(path string) (lines [][]string) {
	file, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer file.Close() //nolint:errcheck // Nothing was written.
	for scanner := bufio.NewScanner(file); scanner.Scan(); {
		lines = append(lines, strings.Split(scanner.Text(), ":"))
	}
	return lines
}

// IsWritableByEverybody reports whether anybody can put files into a directory.
func IsWritableByEverybody(directory string) bool {
	info, err := os.Stat(directory)
	return err != nil || info.Mode().Perm()&0o002 != 0
}
