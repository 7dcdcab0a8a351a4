package identity

import "strings"

// ShellWord writes text as one word of a command that a person may copy into a POSIX
// shell: as it is where no character of it means something to a shell, and in single
// quotes otherwise. Object names may hold any, such as "x;reboot" or "$(reboot)". What a
// terminal would obey is escaped as by PrintableSentence, so that such a word is another
// one: no command can be copied for it.
func ShellWord(text string) string {
	word := PrintableSentence(text)
	if word != "" && !strings.ContainsFunc(word, isShellSpecial) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

func isShellSpecial(r rune) bool {
	switch {
	case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r > 0x7f:
		return false
	}
	return !strings.ContainsRune("._-/@:+,=%", r)
}
