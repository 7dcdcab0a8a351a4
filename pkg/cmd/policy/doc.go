// Package policy is the commands policy check and policy explain. They run csr-onboard-controller,
// which evaluates approval policies exactly as the controller approver does.
package policy
