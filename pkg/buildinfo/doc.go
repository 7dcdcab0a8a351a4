// Package buildinfo says which build of a program this is.
//
// A release tells the linker its version, commit and date. Programs that were built in other ways,
// by go install or go build, are described by what the go command recorded in them.
//
// It promises a version that is never empty. It reads nothing itself, and compares no versions.
package buildinfo
