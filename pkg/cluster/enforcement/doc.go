// Package enforcement is how an enforcer and the people who wait for it talk to API servers:
// the list of who is revoked and its changes, proof that somebody is refused, and the reports
// of the enforcers.
//
// It changes nothing in the cluster but the report of one node. What cannot be asked is an
// error, never a proof.
package enforcement
