// Package lock takes kubectl's own lock on a file, FILE.lock (client-go
// tools/clientcmd/loader.go).
//
// It promises that one process at a time has the lock, and that the lock of a process of
// csr-onboard that was killed is taken over. It never takes over a lock of kubectl or
// another user, and waits for it for 15 seconds at most.
package lock
