// Package audit answers from the ledger which client certificates exist: it lists records, imports
// what was issued before or elsewhere, exports records so that a changed line is found, and takes
// the ledger off a cluster.
//
// It reads page by page, and keeps no more than it shows. What is imported is never written over a
// record that exists.
package audit
