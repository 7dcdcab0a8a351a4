//go:build !linux

package store

import "errors"

// linkUnnamed is Linux's alone.
func linkUnnamed(string, []byte) error { return errors.ErrUnsupported }
