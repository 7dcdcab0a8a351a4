// Package sign signs a user's request with a certificate authority's own certificate and
// key, on a machine that needs no access to the cluster.
//
// It signs exactly what was shown, with the lifetimes and usages of Kubernetes' signer, and
// refuses what the review refuses. The authority's key is decrypted in memory only.
package sign
