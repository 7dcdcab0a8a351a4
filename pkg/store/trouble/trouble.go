package trouble

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
)

// About says which file an error is about, once, and what to try.
func About(path string, err error) error {
	return WithHint(fmt.Errorf("%q: %w", path, Cause(err)), path)
}

// WithHint adds to an error about a path what to try, where its cause tells that.
func WithHint(err error, path string) error {
	hint := hintFor(err, path)
	if hint == "" {
		return err
	}
	return outcome.WithHint(err, "%s", hint)
}

// hintFor says what to try about an error of the operating system at a path; "" where the
// caller knows better, such as for a file that does not exist.
func hintFor(err error, path string) string {
	switch {
	case errors.Is(err, syscall.EROFS):
		return "the file system is read-only there: name another place, or have it mounted writable"
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return "no space is left there for you: free some, and run the same command again"
	case errors.Is(err, syscall.ENOTDIR):
		return "a part of that path is a file and not a directory: name another place"
	case errors.Is(err, syscall.EISDIR):
		return IsDirectory(path)
	case errors.Is(err, fs.ErrPermission):
		return "see who can read and write there: " + identity.NewCommand("ls -ld").File(existing(path)).String()
	}
	return ""
}

// IsDirectory is the hint for a directory in the place of a file.
func IsDirectory(path string) string {
	return "it is a directory: name a file in it, for example " + identity.Command{}.File(filepath.Join(path, "NAME")).String()
}

// NotRegular is the error of what is in the place of a regular file.
func NotRegular(path string) error {
	err := fmt.Errorf("%q is not a regular file", path)
	if info, statErr := os.Stat(path); statErr == nil && info.IsDir() {
		return outcome.WithHint(err, "%s", IsDirectory(path))
	}
	return err
}

// existing is a path, or the nearest directory above it that can be seen.
func existing(path string) string {
	for {
		if _, err := os.Lstat(path); err == nil {
			return path
		}
		above := filepath.Dir(path)
		if above == path {
			return path
		}
		path = above
	}
}

// Cause strips what os adds to an error, the call's name and a path that may
// be a temporary one.
func Cause(err error) error {
	var pathError *fs.PathError
	if errors.As(err, &pathError) {
		return pathError.Err
	}
	var linkError *os.LinkError
	if errors.As(err, &linkError) {
		return linkError.Err
	}
	return err
}

// Refuse is an error with a hint.
func Refuse(hint, format string, arguments ...any) error {
	return outcome.WithHint(fmt.Errorf(format, arguments...), "%s", hint)
}
