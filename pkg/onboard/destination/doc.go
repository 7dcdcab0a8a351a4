// Package destination writes a user's new certificate where the user wants it.
//
// A Destination is a content and a sink, both chosen once from an Input. The content is what
// is written: a kubeconfig with the certificate and the private key, a kubeconfig that logs in
// from a credential cache, or the certificate alone. The sink is where it is written: a file of
// its own, a kubeconfig among other entries, or the caller's hands.
//
// It promises that what could keep the content from being written is found by CheckEarly,
// before a certificate is issued; that nothing is replaced but an older content of the same
// user; and that no certificate and key are replaced that expire later, unless the Input says
// so. It refuses to read or write a file that another user can have put there (package store).
package destination
