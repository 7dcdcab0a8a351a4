// Package identity knows who a client certificate makes its holder: a user
// name and groups.
//
// Kubernetes reads the user name from the subject's common name and one group
// from each organization value (k8s.io/apiserver
// pkg/authentication/request/x509/x509.go); it knows no user objects, so a
// certificate's subject is the whole of an identity. The package examines such
// names (Examine), derives safe file and object names from them (FileName,
// Slug), and writes them so that a terminal cannot be fooled (Printable).
//
// It promises that what it derives never leaves the directory or the alphabet it
// is meant for, whatever the name holds. It refuses nothing itself beyond bytes
// that are not text: whether a problem is a refusal or a warning is its
// severity, and deciding is the caller's.
package identity

import (
	"strings"
	"unicode/utf8"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
)

// User is who a certificate makes its holder.
type User struct {
	// Name is the user name, the subject's common name. Required.
	Name string
	// Groups are the groups, the subject's organizations, in the order asked
	// for. Optional: every authenticated user is in system:authenticated
	// anyway.
	Groups []string
}

// Parse makes a User of a person's words. A group named twice counts once.
//
// A name that is empty or no UTF-8 is wrong usage; a name or group with a
// refused problem (see Examine) is refused with that problem's name. Warnings
// are not errors: ask Examine for them.
func Parse(name string, groups []string) (User, error) {
	user := User{Name: name}
	seen := map[string]bool{}
	for _, group := range groups {
		if !seen[group] {
			seen[group] = true
			user.Groups = append(user.Groups, group)
		}
	}
	if name == "" {
		return User{}, outcome.WithHint(
			outcome.Errorf(outcome.ErrUsage, "the user name is empty (%s)", EmptyCommonName),
			"name the user, for example: jane")
	}
	for _, text := range append([]string{name}, user.Groups...) {
		if !utf8.ValidString(text) {
			return User{}, outcome.Errorf(outcome.ErrUsage, "the name %q is not valid UTF-8 text", text)
		}
	}
	for _, problem := range Examine(user) {
		if problem.Severity == Refused {
			return User{}, outcome.Errorf(outcome.ErrRefused, "%s: %s", problem.Finding, problem.Sentence)
		}
	}
	return user, nil
}

// Equal reports whether two users are the same identity to the API server: the
// same name and the same set of groups in whatever order.
func (u User) Equal(other User) bool {
	return u.Name == other.Name && sameSet(u.Groups, other.Groups)
}

func sameSet(a, b []string) bool {
	contains := func(list []string, s string) bool {
		for _, item := range list {
			if item == s {
				return true
			}
		}
		return false
	}
	for _, s := range a {
		if !contains(b, s) {
			return false
		}
	}
	for _, s := range b {
		if !contains(a, s) {
			return false
		}
	}
	return true
}

// String is for a person's eyes: the name, and the groups if there are any.
func (u User) String() string {
	if len(u.Groups) == 0 {
		return Name(u.Name)
	}
	printable := make([]string, len(u.Groups))
	for i, group := range u.Groups {
		printable[i] = Name(group)
	}
	return Name(u.Name) + " (" + strings.Join(printable, ", ") + ")"
}
