// Package connection calls one API server as one identity, for package cluster and the
// packages below it.
//
// It makes client-go's typed clients and guards what they receive: answers are bounded in
// size, number of values and time, have the kind that was asked for, and come from the
// address that was asked; a list that makes no progress is an error. It says in words why a
// call failed, and what to try. It decides nothing, and knows nothing of what the objects
// mean. Nothing outside package cluster can import it.
package connection
