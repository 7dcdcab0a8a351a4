// Package policy decides about certificate signing requests by ApprovalPolicy objects
// (csr-onboard.github.io/v1alpha1): which request a policy approves, which one it denies, and
// which are left to people.
//
// It is pure: the same request, policies and facts always have the same decision, in the
// controller, in "policy check" and in "policy explain". It promises that no policy approves
// what a floor refuses (see Floors), that a policy which cannot be evaluated neither approves
// nor denies, and that a Deny policy which cannot be evaluated lets nothing be approved. It
// refuses policies with fields that it does not know, so that a misspelled bound is a mistake
// and not a missing bound.
//
// It does not know CEL: package condition compiles and evaluates conditions.
package policy
