// Package condition compiles and evaluates the conditions of approval policies: expressions of CEL
// (Common Expression Language) in the environment of the API server's own admission policies,
// with its functions, version and cost limits.
//
// It promises that an expression sees nothing that the requester could have written without the
// API server or the review checking it: no labels, annotations or object names. It refuses
// expressions that are not true or false, and those that cost more than the API server permits.
// Only programs that decide link it; kubectl csr-onboard does not.
package condition
