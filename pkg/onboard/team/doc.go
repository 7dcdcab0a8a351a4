// Package team onboards many users in one run, side by side: each gets what one user gets,
// and a failure of one does not stop the others.
//
// Run again, it continues with what is missing. A user who is blocked or was offboarded is
// left out.
package team
