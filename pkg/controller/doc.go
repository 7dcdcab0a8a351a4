// Package controller runs controllers that work for the whole cluster, such as the ledger's
// recorder: one replica at a time leads, the others wait.
//
// A controller is a name and a function. The package gives it a client, a log, metrics and a
// clock, elects the leader of each controller by a Lease in csr-onboard-system, and serves
// /metrics, /healthz and /readyz. Names of people are not logged at the default level, and are
// never in metrics.
package controller
