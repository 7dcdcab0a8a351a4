package identity

import (
	"crypto/sha256"
	"encoding/base32"
	"regexp"
	"strings"
)

// longestSlug keeps derived names readable and far below every limit: 253 for
// object names, 255 for file names.
const longestSlug = 50

// plainName is a user name that can be a file name as it is: on every file
// system, whatever its case rules, and without surprising a shell. Its length is
// bounded apart (longestPlainName): counting makes an expression costly to compile,
// and every command does.
var plainName = regexp.MustCompile(`^[a-z0-9][a-z0-9._@+-]*$`)

const longestPlainName = 100

// FileName derives the base of a user's file names from their name: the name
// itself where it is plain (lower-case ASCII letters, digits and ". _ @ + -",
// at most 100 characters), and otherwise its slug, a tilde and ten characters
// of a hash over the whole name. Different names give different file names,
// also where the file system does not tell case apart, because a plain name
// holds no tilde. The result is never empty, has no separator, and is neither
// "." nor "..".
func FileName(name string) string {
	if len(name) <= longestPlainName && plainName.MatchString(name) && !reservedOnWindows(name) {
		return name
	}
	return Slug(name) + "~" + Digest(10, []byte(name))
}

// reservedOnWindows reports whether Windows would take the name for a device or
// drop its last character.
func reservedOnWindows(name string) bool {
	if strings.HasSuffix(name, ".") {
		return true
	}
	stem, _, _ := strings.Cut(name, ".")
	switch stem {
	case "con", "prn", "aux", "nul":
		return true
	}
	return len(stem) == 4 && (strings.HasPrefix(stem, "com") || strings.HasPrefix(stem, "lpt")) && stem[3] >= '0' && stem[3] <= '9'
}

// Slug makes a short piece of a DNS label of any text: lower-case ASCII letters
// and digits with single dashes between them, 1 to 50 characters. It is for
// people to read and says nothing for sure: different names may share one.
func Slug(name string) string {
	var b strings.Builder
	for _, r := range strings.ToLower(name) {
		switch {
		case r >= 'a' && r <= 'z' || r >= '0' && r <= '9':
			b.WriteRune(r)
		case b.Len() > 0 && !strings.HasSuffix(b.String(), "-"):
			b.WriteByte('-')
		}
		if b.Len() >= longestSlug {
			break
		}
	}
	slug := strings.TrimRight(b.String(), "-")
	if slug == "" {
		return "user"
	}
	return slug
}

// Digest returns the first characters (at most 51) of a SHA-256 over the parts,
// in lower-case base32, which is valid in file names and object names. Every
// part is hashed on its own first, so that the borders between parts count.
func Digest(characters int, parts ...[]byte) string {
	whole := sha256.New()
	for _, one := range parts {
		sum := sha256.Sum256(one)
		whole.Write(sum[:])
	}
	encoded := base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(whole.Sum(nil))
	return strings.ToLower(encoded[:characters])
}
