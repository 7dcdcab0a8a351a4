// Package guard judges whether other users of the machine can exchange the files in a
// directory, and whom a file belongs to.
//
// It refuses a directory that anybody but the effective user, root, or the user who called
// sudo can write to, or can lead elsewhere by a symbolic link, as OpenSSH's StrictModes does
// (misc.c, safe_path). It judges each time that it is asked, and changes nothing.
package guard
