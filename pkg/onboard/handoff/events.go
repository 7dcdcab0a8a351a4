package handoff

import (
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/event"
)

// NotHandedOff says why nothing came of one approved request among several.
type NotHandedOff struct {
	event.Marker

	Reason error
}

// Written says that a user's handoff file is on the disk.
type Written struct {
	event.Marker

	Path string
	User identity.User
}

// ToConfirm is what an administrator tells a user apart from the handoff file, so
// that a file that was exchanged on the way is noticed.
type ToConfirm struct {
	event.Marker

	User identity.User
	// Endpoints are those of the file's clusters.
	Endpoints []EndpointToConfirm
	// KeyFingerprints are of the keys that the certificates are for.
	KeyFingerprints []string
	// Command is what the user runs.
	Command string
}

// EndpointToConfirm is where a handoff leads for one cluster.
type EndpointToConfirm struct {
	// Cluster is the cluster's name in the file.
	Cluster string
	Server  string
	// Authorities are those of the server; none where it is checked against the
	// system's, or not at all.
	Authorities []Authority
}

// EndpointNamed is where a handoff leads, before anything is sent there.
type EndpointNamed struct {
	event.Marker

	Server      string
	Authorities []Authority
	// RestsOnFile says that the person has not confirmed it: it is accepted because the
	// authorities have signed the certificate, and both are from the file.
	RestsOnFile bool
}

// CertificatesNotReaching says that client certificates do not reach the API server at an
// address, so that the kubeconfigs with it do not log in.
type CertificatesNotReaching struct {
	event.Marker

	Server string
}

// ClusterUnreachable says why a certificate could not be tried.
type ClusterUnreachable struct {
	event.Marker

	Reason error
}
