// Package approve has the commands that look at requests and decide about them: approve, deny and
// list.
//
// approve and deny are one command with another decision (decideOptions); approve.go and deny.go
// have what each has of its own.
package approve
