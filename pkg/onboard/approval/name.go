package approval

import "slices"

// Name is what a person calls requests by.
type Name struct {
	// Text is a user's name, or the name of a request's object. Required.
	Text string
	// IsObject reports whether Text is the name of an object alone, and no user's.
	IsObject bool
}

// String is the name as a person types it: csr/NAME for an object.
func (n Name) String() string {
	if n.IsObject {
		return "csr/" + n.Text
	}
	return n.Text
}

// userNames are the names that can be users', each once, in their order.
func userNames(names []Name) (users []string) {
	for _, name := range names {
		if !name.IsObject && !slices.Contains(users, name.Text) {
			users = append(users, name.Text)
		}
	}
	return users
}

// haveUser reports whether one of the names is one of the users'.
func haveUser(names []Name, users []string) bool {
	return slices.ContainsFunc(names, func(name Name) bool { return !name.IsObject && slices.Contains(users, name.Text) })
}
