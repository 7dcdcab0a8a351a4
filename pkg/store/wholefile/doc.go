// Package wholefile writes files whole or not at all.
//
// It promises that at no moment a part of a file stands under its name, that a created file
// replaces no other, that a lasting file is on the disk when the function returns, that
// temporary files of processes that were killed are removed, and that a file which takes the
// place of another keeps its extended attributes. It does not judge files or
// directories: only package store, which does, can import it.
package wholefile
