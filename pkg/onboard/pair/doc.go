// Package pair reads the client certificate and private key that a kubeconfig user logs in
// with: in the entry itself, in files next to the kubeconfig, or in a credential cache.
//
// A pair is complete and belongs together, or it is an error. Nothing is written. No key and
// no value of a kubeconfig is in an error.
package pair
