// Package controlplane asks a cluster about itself: what its API server serves and trusts,
// and how its controller manager runs.
//
// Each question returns an error where it could not be asked: what is unknown is never taken
// for a yes. It changes nothing in the cluster.
package controlplane
