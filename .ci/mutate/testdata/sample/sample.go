// Package sample has something for each kind of change.
package sample

import "errors"

const limit = 3

var errTooMany = errors.New("too many")

// Check returns an error of more than limit words, or of one that is empty.
func Check(words []string) (n int, err error) {
	if len(words) > limit {
		return 0, errTooMany
	}
	for _, word := range words {
		if word == "" && n >= 0 {
			return n, errors.New("empty")
		}
		n++
	}
	return n, nil
}

// Unused is executed by no test.
func Unused(a int) bool { return a > 1 || a < 0 }

// Safely runs f, and reports whether it panicked.
func Safely(f func()) (panicked bool) {
	defer func() { panicked = recover() != nil }()
	f()
	return false
}
