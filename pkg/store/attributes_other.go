//go:build !linux && !darwin

package store

import (
	"io/fs"
	"os"
)

// keepAttributes keeps the mode: a new file inherits its directory's access list.
func keepAttributes(to, _ *os.File, mode fs.FileMode) error { return to.Chmod(mode) }
