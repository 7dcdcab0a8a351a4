// Package recording writes the records of issued certificates: those of all requests for the
// recorder, and that of one certificate for a command that receives it where no recorder runs.
//
// Both make the same record of the same request, whichever of them is first: a record that exists is
// never written again.
package recording
