package access

import "time"

// Certificates are the client certificates that a user has, as a cluster's ledger knows them.
type Certificates struct {
	User string
	// Live is how many log in, and Until when the last of them expires.
	Live  int
	Until time.Time
	// Revoked is how many have not expired and are revoked.
	Revoked int
}
