package access

import (
	"fmt"
	"regexp"
	"sync"
)

const pinGroupPrefix = "csr-onboard:pin:"

// PinGroup is the group by which a pin knows the certificates that it lets through: those that
// were issued since, and renewals of them, which have the groups of the certificate that they
// renew. No earlier certificate has it, because random bytes are in it, 16 of them.
func PinGroup(random [16]byte) string { return fmt.Sprintf("%s%x", pinGroupPrefix, random) }

// pinGroup is a group of PinGroup.
var pinGroup = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^` + pinGroupPrefix + `[0-9a-f]{32}$`) })

// IsPinGroup reports whether a group is that of a pin. It marks certificates, and changes with
// the user's next pin: what is given to it is lost then.
func IsPinGroup(group string) bool { return pinGroup().MatchString(group) }
