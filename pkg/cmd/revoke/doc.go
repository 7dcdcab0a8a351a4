// Package revoke has the commands revoke, unrevoke and revocations.
package revoke
