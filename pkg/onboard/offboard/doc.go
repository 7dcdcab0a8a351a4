// Package offboard takes from a user what the cluster gives: role bindings, pending
// requests, and with Input.Block the use of certificates to change anything. It shows what
// is left, such as rights by groups and certificates that are still valid.
//
// Users are found by decoding all requests, whatever labels say. A block is reported as
// proven only after a write as that user was seen refused.
package offboard
