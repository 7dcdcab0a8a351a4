package store

import "golang.org/x/sys/unix"

// noAttribute is the error for an extended attribute that a file does not have.
const noAttribute = unix.ENOATTR
