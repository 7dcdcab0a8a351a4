package identity

import (
	"strings"
	"unicode/utf8"
)

// ShellWord writes text as one word of a command that a person may copy into a POSIX
// shell: as it is where no character of it means something to a shell, and in single
// quotes otherwise. Object names may hold any, such as "x;reboot" or "$(reboot)". What a
// terminal would obey is escaped as by PrintableSentence, so that such a word is another
// one: no command can be copied for it.
func ShellWord(text string) string {
	word := PrintableSentence(text)
	if word != text && utf8.ValidString(text) && !HasHidden(text, func(rune) bool { return false }) {
		// Only a run of spaces is in the way, which a terminal shows, and a path may have.
		return spacedWord(word)
	}
	if word != "" && !strings.ContainsFunc(word, isShellSpecial) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

// spacedWord writes a word whose further spaces in a row were escaped as \x20 so that a
// POSIX shell reads the word itself: printf(1) knows octal escapes only.
func spacedWord(escaped string) string {
	return `"$(printf '` + strings.NewReplacer(`\x20`, `\040`, `\`, `\\`, `%`, `%%`, `'`, `\047`).Replace(escaped) + `')"`
}

func isShellSpecial(r rune) bool {
	switch {
	case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r > 0x7f:
		return false
	}
	return !strings.ContainsRune("._-/@:+,=%", r)
}
