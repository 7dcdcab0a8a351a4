// Package bindings asks an API server about roles and role bindings: what they give, whether
// a grant could be given, giving it, and taking a user out.
//
// It promises to change a binding only as it was seen, and never to change a role that another
// program created. What bindings mean is package access's.
package bindings
