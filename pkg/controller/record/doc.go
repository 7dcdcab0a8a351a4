// Package record writes the ledger: a record of every client certificate that the cluster issues,
// for every requester and every way of approval.
//
// Nothing is lost while it does not run: requests are held by a finalizer until their certificate
// is recorded, or until they are deleted without one. It adds the finalizer itself where the API
// server does not. It changes nothing of a request but that, decides nothing, and never records
// who decided unless the API server observed it.
package record
