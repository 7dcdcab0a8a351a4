// Package report writes results in the versioned forms that scripts read: JSON, YAML, and what kubectl's
// templates make of them.
//
// Fields are added to a form; none is renamed or removed within a version. Characters that a terminal
// would obey or hide are written as escapes of the format. It writes no text for people.
package report
