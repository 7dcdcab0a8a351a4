package store

import (
	"errors"
	"io/fs"
	"runtime"
)

// maximumLinks is as many symbolic links as Linux follows.
const maximumLinks = 40

var errTooManyLinks = errors.New("too many levels of symbolic links")

// isOpen says whether group or others may do anything with a file. Windows keeps
// that in access lists, which a mode does not show.
func isOpen(mode fs.FileMode) bool { return runtime.GOOS != "windows" && mode.Perm()&0o077 != 0 }
