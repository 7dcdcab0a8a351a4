package guard

import (
	"errors"
	"io/fs"
	"runtime"
)

// MaximumLinks is as many symbolic links as Linux follows.
const MaximumLinks = 40

// ErrTooManyLinks is the error of a path with more symbolic links than MaximumLinks.
var ErrTooManyLinks = errors.New("too many levels of symbolic links")

// IsOpen reports whether group or others may do anything with a file. Windows keeps
// that in access lists, which a mode does not show.
func IsOpen(mode fs.FileMode) bool { return runtime.GOOS != "windows" && mode.Perm()&0o077 != 0 }
