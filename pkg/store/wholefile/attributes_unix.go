//go:build linux || darwin

package wholefile

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// accessList is where Linux keeps the access list of a file (acl(5)). The mode's bits for
// the group are the list's mask then: they say more than what the file's group can do.
const accessList = "system.posix_acl_access"

// ofContent are attributes that say something about a file's content or are the kernel's,
// and would be wrong for another one.
var ofContent = []string{"security.ima", "security.evm", "security.capability", "com.apple.provenance"}

// KeepAttributes gives a new file the access list and the other extended attributes of the
// one whose place it takes. A list that cannot be kept takes the group's rights with it,
// so that nobody can do more than before.
func KeepAttributes(to, from *os.File, mode fs.FileMode) error {
	// A directory's default list is not the file's: without it, the mode is what holds.
	if err := unix.Fremovexattr(int(to.Fd()), accessList); err != nil && !isWithoutAttribute(err) {
		return err
	}
	if err := to.Chmod(mode &^ 0o070); err != nil {
		return err
	}
	names, err := attributes(from)
	if err != nil {
		return err
	}
	isListKept := true
	for _, name := range names {
		if slices.Contains(ofContent, name) {
			continue
		}
		err := copyAttribute(to, from, name)
		switch {
		case err == nil:
		case name == accessList && isWithoutAttribute(err):
			isListKept = false
		case name == accessList || strings.HasPrefix(name, "user."):
			return fmt.Errorf("the extended attribute %q cannot be kept: %w", name, err)
		}
		// Labels of the system are kept as far as the system allows it.
	}
	if !isListKept {
		return nil
	}
	return to.Chmod(mode)
}

func isWithoutAttribute(err error) bool {
	return errors.Is(err, unix.ENOTSUP) || errors.Is(err, errNoAttribute)
}

// attributes are the names of a file's extended attributes.
func attributes(file *os.File) ([]string, error) {
	list, err := sized(func(buffer []byte) (int, error) { return unix.Flistxattr(int(file.Fd()), buffer) })
	if err != nil {
		if isWithoutAttribute(err) {
			return nil, nil
		}
		return nil, err
	}
	var names []string
	for name := range bytes.SplitSeq(list, []byte{0}) {
		if len(name) > 0 {
			names = append(names, string(name))
		}
	}
	return names, nil
}

func copyAttribute(to, from *os.File, name string) error {
	value, err := sized(func(buffer []byte) (int, error) { return unix.Fgetxattr(int(from.Fd()), name, buffer) })
	if err != nil {
		return err
	}
	return unix.Fsetxattr(int(to.Fd()), name, value, 0)
}

// sized reads something whose size is to be asked for first, and may change meanwhile.
func sized(read func([]byte) (int, error)) ([]byte, error) {
	for range 10 {
		size, err := read(nil)
		if err != nil || size == 0 {
			return nil, err
		}
		buffer := make([]byte, size)
		size, err = read(buffer)
		if !errors.Is(err, unix.ERANGE) {
			return buffer[:max(size, 0)], err
		}
	}
	return nil, unix.ERANGE
}
