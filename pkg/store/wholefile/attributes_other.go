//go:build !linux && !darwin

package wholefile

import (
	"io/fs"
	"os"
)

// KeepAttributes keeps the mode: a new file inherits its directory's access list.
func KeepAttributes(to, _ *os.File, mode fs.FileMode) error { return to.Chmod(mode) }
