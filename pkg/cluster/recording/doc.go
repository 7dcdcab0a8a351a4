// Package recording writes the records of issued certificates: those of all requests for the
// recorder, that of one certificate for a command that receives it where no recorder runs, and those
// that are imported.
//
// The first two make the same record of the same request, whichever of them is first: a record that exists is
// never written again.
package recording
