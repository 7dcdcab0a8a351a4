package main

import (
	"runtime"
	"runtime/debug"
)

// collectLate delays the first garbage collection until the heap has 16 MB. Most commands
// never have that much, and the end of the process frees it anyway. Later collections come
// as usual.
//
// The benchmark one-user (bench/compare/oneuser.go) measures it: with the usual 4 MB, a
// command of 30 ms spends 3 ms on collections.
func collectLate() {
	const firstAt = 16 << 20
	const usual = 100
	const usualFirstAt = 4 << 20
	debug.SetGCPercent(usual * firstAt / usualFirstAt)
	type sentinel struct{ _ [16]byte }
	runtime.AddCleanup(new(sentinel), func(percent int) { debug.SetGCPercent(percent) }, usual)
}
