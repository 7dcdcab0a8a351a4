package wholefile

import "golang.org/x/sys/unix"

// errNoAttribute is the error for an extended attribute that a file does not have.
const errNoAttribute = unix.ENOATTR
