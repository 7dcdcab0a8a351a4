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
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/destination"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/event"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/store"
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
	Tell func(event.Event)
}

// Destination is where the certificate of a user goes, for the program's cluster.
func (p *Program) Destination(in destination.Input, directory store.UserDirectory, user identity.User) *destination.Destination {
	return destination.New(p.Cluster.Endpoint(), in, directory, user)
}

// Run is what package destination needs of the program.
func (p *Program) Run() destination.Run {
	return destination.Run{UserAgent: p.UserAgent, Now: p.Now, Tell: p.Tell}
}
