// Package audit has the command ledger and those below it: import, export, verify, seen and
// release.
package audit
