//go:build !linux

package wholefile

import (
	"errors"
	"io/fs"
)

// LinkUnnamed is Linux's alone.
func LinkUnnamed(string, []byte, fs.FileMode, Durability) error { return errors.ErrUnsupported }
