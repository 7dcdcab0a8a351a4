package identity

import (
	"slices"
	"strings"
)

// Command is a command that a person may copy into a POSIX shell. Each name in it is
// one word for the shell (see ShellWord), and never an option for the program: names
// come from the API, where an object may be called --all.
//
// A Command is not changed by its methods; each returns a longer one.
type Command struct{ parts []part }

type part struct {
	text       string
	isArgument bool
}

// NewCommand begins with words of the program's own, such as "kubectl csr-onboard
// approve", which are not quoted.
func NewCommand(words string) Command { return Command{}.Words(words) }

// Words adds words of the program's own, such as "--dry-run=client".
func (c Command) Words(words string) Command { return c.with(part{text: words}) }

// Argument adds an argument that is not an option. Where one of a command's arguments
// begins with a dash, all of them are written last and behind "--", from where on
// kubectl, its plugins and csr-onboard read no options (spf13/pflag).
func (c Command) Argument(argument string) Command {
	return c.with(part{text: argument, isArgument: true})
}

// Option adds an option with its value, as in "--dir team". A value that begins with a
// dash is joined to it, as in "--dir=-team".
func (c Command) Option(option, value string) Command {
	separator := " "
	if strings.HasPrefix(value, "-") && value != "-" {
		separator = "="
	}
	return c.Words(option + separator + ShellWord(value))
}

// File adds the path of a file as an argument, for programs such as chmod: one that
// begins with a dash gets "./" in front.
func (c Command) File(path string) Command {
	if strings.HasPrefix(path, "-") {
		path = "./" + path
	}
	return c.Argument(path)
}

func (c Command) with(added part) Command { return Command{append(slices.Clip(c.parts), added)} }

// String returns the command as it is to be typed.
func (c Command) String() string {
	hasOptionLike := slices.ContainsFunc(c.parts, func(p part) bool { return p.isArgument && IsOptionLike(p.text) })
	var words, last []string
	for _, p := range c.parts {
		switch {
		case !p.isArgument:
			words = append(words, p.text)
		case hasOptionLike:
			last = append(last, ShellWord(p.text))
		default:
			words = append(words, ShellWord(p.text))
		}
	}
	if hasOptionLike {
		words = append(append(words, "--"), last...)
	}
	return strings.Join(words, " ")
}

// IsOptionLike reports whether a program would take a name for an option.
func IsOptionLike(name string) bool { return strings.HasPrefix(name, "-") }
