// Package options has the groups of flags that several commands have in common: about fetching a
// certificate, roles, a handoff file, a fingerprint, a dry run, output, and a question.
//
// A group adds its flags, refuses values and combinations that make no sense, and turns them into
// its part of a use case's input. It does nothing else.
package options
