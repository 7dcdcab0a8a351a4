// Package revoke has every API server of a cluster refuse a user, a certificate or a service
// account token, and takes that back.
//
// It promises that nothing is said to be refused before each API server's enforcer has seen
// it refused, and that a cluster that cannot do it is told from one that has done it.
package revoke
