// Package trouble says what is wrong with a file, and what to try.
//
// It promises that an error names the file once, by the path that the user knows, and adds a
// hint where the operating system's error tells one. It changes nothing on the disk.
package trouble
