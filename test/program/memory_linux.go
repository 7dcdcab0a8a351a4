package program

import (
	"os"
	"runtime/debug"
)

// ForgetPeakMemory has the processes that this one starts from now on report their own memory. Until a
// process is another program, it is its parent, whose peak Linux counts as that of the process (fs/exec.c,
// setmax_mm_hiwater_rss): a small program of a large parent looks as large as that.
func ForgetPeakMemory() error {
	debug.FreeOSMemory()
	// The peak becomes what is used now (Documentation/filesystems/proc.rst, clear_refs).
	return os.WriteFile("/proc/self/clear_refs", []byte("5"), 0)
}
