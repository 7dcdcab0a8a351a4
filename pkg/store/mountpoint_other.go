//go:build !linux

package store

import "os"

// isMountPoint is for Linux, where single files are mounted.
func isMountPoint(*os.File) bool { return false }
