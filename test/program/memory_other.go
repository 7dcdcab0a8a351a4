//go:build !linux

package program

// ForgetPeakMemory is for Linux.
func ForgetPeakMemory() error { return nil }
