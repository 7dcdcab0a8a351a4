package store

import "os"

// IsRegular reports whether there is a regular file at a path, links followed.
func IsRegular(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}
