// Package newuser is the command new-user, for one user and for a team from a file.
package newuser
