// Package resources reads and writes the custom resources of csr-onboard, and knows whether the
// policies that guard them are in force. A record of the ledger that exists is never written again
// but for its status.
package resources
