package main

import (
	"runtime"
	"runtime/debug"
)

// collectLate puts the first garbage collection off until there are sixteen megabytes,
// which most commands never come to; after it, collections come as they always do.
// Starting with the usual four, a command of thirty milliseconds spends three of them
// collecting what its end frees anyway.
func collectLate() {
	const firstAt = 16 << 20
	const usual = 100
	const usualFirstAt = 4 << 20
	debug.SetGCPercent(usual * firstAt / usualFirstAt)
	type sentinel struct{ _ [16]byte }
	runtime.AddCleanup(new(sentinel), func(percent int) { debug.SetGCPercent(percent) }, usual)
}
