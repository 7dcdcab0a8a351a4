//go:build !linux

package store

import "errors"

// linkUnnamed is Linux's alone.
func linkUnnamed(string, []byte, durability) error { return errors.ErrUnsupported }
