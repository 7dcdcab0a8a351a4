// Package onboard tells the program's story: one file a use case, each a
// stretch of the same line.
//
//	name and groups → private key → PKCS#10 request → CertificateSigningRequest
//	  → submitted → reviewed → approved → signed → checked → kubeconfig → logged in
//
// A use case takes one input, tells what happens on the way as events, and
// returns a result. It may be interrupted at any point and run again: what is
// there already is found, checked and used. It prints nothing, asks through the
// functions it is given, and claims nothing that it did not check.
package onboard

import (
	"time"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cluster"
)

// Program is what every use case needs of the world.
type Program struct {
	// Cluster is the API server, as the person who runs the program.
	Cluster *cluster.Client
	// Version is the program's own, for approvals and audit logs.
	Version string
	// UserAgent is how audit logs should call the program.
	UserAgent string
	// Now is the clock.
	Now func() time.Time
	// Tell takes what happens on the way.
	Tell func(Event)
}
