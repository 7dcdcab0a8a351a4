// Package approve decides about certificate signing requests by the approval policies of a cluster:
// the controller approver, and "policy check" and "policy explain", which evaluate in the same way
// and decide nothing.
//
// It promises that nothing is decided before everything that a decision depends on was read and
// every policy of that moment was compiled; that an approval or denial carries the UID and
// resourceVersion of what was evaluated, and the policies and the list of who is revoked as the API
// server had them a moment before; and that the requests of one requester do not delay those of
// another. What is not decided is left to people, and remembered, so that it costs one evaluation.
package approve
