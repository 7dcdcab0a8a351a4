//go:build !linux

package store

import (
	"errors"
	"io/fs"
)

// linkUnnamed is Linux's alone.
func linkUnnamed(string, []byte, fs.FileMode, durability) error { return errors.ErrUnsupported }
