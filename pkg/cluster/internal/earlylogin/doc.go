// Package earlylogin logs in with a certificate that is still being signed.
//
// In a TLS handshake the client sends its certificate last. All that comes before it is done
// while the certificate is being signed, which saves two round trips to the server: the one
// of TCP and the one of TLS. That counts far from the cluster, and is a part of the ratio
// that the benchmark one-user measures next to it (docs/performance.md).
//
// It promises nothing but speed: whatever fails, the login starts again as an ordinary one,
// whose result is the result. Only package cluster knows it, and chooses it.
package earlylogin
