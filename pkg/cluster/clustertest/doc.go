// Package clustertest is an API server in memory, which tests start instead of a control plane.
//
// It stores the objects that the program reads and writes, by the rules on which the program
// relies: names are unique, an update carries the UID and the resourceVersion that it saw, a dry
// run stores nothing, the API server records who submitted a request, and an approved request is
// signed. It is not Kubernetes: what a real API server validates, authorizes and watches in detail
// is tested on a real control plane (test/e2e).
package clustertest
