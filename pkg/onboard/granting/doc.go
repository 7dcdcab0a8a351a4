// Package granting gives roles to users and groups that might exist already.
//
// It checks that each role and namespace exists and that the caller can bind the role before it
// creates anything, and changes nothing that exists. It refuses to give a role to a user who is
// blocked or was offboarded, or if the holder of another valid certificate would get it as well, and
// warns about a user whom nothing on the cluster names.
package granting
