// Package ledger knows the records of client certificates that a cluster has issued: how a record
// is made of a certificate and its request, what state a certificate is in, and how records are
// exported so that a changed, removed or moved line is found.
//
// A record says what was seen, and by whom it was checked: a field that nobody can know is empty,
// and who decided is never guessed. Everything here is a pure function of its arguments.
package ledger
