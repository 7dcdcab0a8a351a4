// Package completion finds the names that a person who is typing may mean: users with
// pending requests, users and groups whom role bindings name, and users whose requests are
// on this machine.
//
// It reads and changes nothing. Names are returned as they came from outside; the caller
// judges whether a shell or a terminal may see them.
package completion
