// Package latecollection delays the first garbage collection until the heap has 16 MB. Most
// commands never have that much, and the end of the process frees it anyway. Later collections
// come as usual.
//
// client-go and its API types allocate nearly as much as starts a collection while they are
// initialized, so in main it would often have begun. Go initializes packages in the order of their import paths, each as
// soon as what it imports is initialized (Go specification, Program initialization). This package
// imports the runtime only, so it is initialized before client-go.
//
// The benchmark startup (bench/compare/startup.go) measures what it is for.
package latecollection

import (
	"runtime"
	"runtime/debug"
)

func init() {
	const firstAt = 16 << 20
	const usual = 100
	const usualFirstAt = 4 << 20
	debug.SetGCPercent(usual * firstAt / usualFirstAt)
	type sentinel struct{ _ [16]byte }
	runtime.AddCleanup(new(sentinel), func(percent int) { debug.SetGCPercent(percent) }, usual)
}
