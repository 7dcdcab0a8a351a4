// Package records writes records of client certificates: a table for people, and JSON, YAML, CSV
// and names for programs. It writes page by page, and keeps what a page has at most.
package records
