// Package handoff passes a certificate to a user without access to the cluster, in a file
// that holds everything but the private key, and makes a kubeconfig of it on the machine
// where the key is.
//
// Nothing in the file is secret. The server and the certificate authority that it names are
// not believed: see Trust.
package handoff
