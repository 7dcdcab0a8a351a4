// Package renewal replaces a certificate before it expires by one for a new key, of the same
// user and groups, and answers kubectl as a credential plugin from a cache that it renews. It
// also says of each context of a kubeconfig until when it is good.
//
// At every moment a kubeconfig holds one complete pair that logs in. A renewal that was
// interrupted is found and finished by the next run.
package renewal
