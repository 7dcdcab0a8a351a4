package identity

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Severity says what a problem does to an approval.
type Severity string

const (
	// Refused stops an approval unless an administrator allows the finding by
	// its name.
	Refused Severity = "refused"
	// Warning is shown and stops nothing.
	Warning Severity = "warning"
)

// The findings that a name or a group can raise. These are stable words that
// people put into scripts (approve --allow NAME).
const (
	SystemUser            = "system-user"
	SystemGroup           = "system-group"
	AdminGroup            = "admin-group"
	EmptyCommonName       = "empty-common-name"
	EmptyGroup            = "empty-group"
	ControlCharacters     = "control-characters"
	ConfusableName        = "confusable-name"
	SurroundingWhitespace = "surrounding-whitespace"
	LongName              = "long-name"
	DuplicateGroups       = "duplicate-groups"
	CommaInGroup          = "comma-in-group"
	OptionLikeName        = "option-like-name"
)

// MastersGroup is the group that the API server's authorizer lets do
// everything, whatever RBAC says. No finding that names it can be allowed.
const MastersGroup = "system:masters"

// KubeadmAdminsGroup is the group that kubeadm binds to cluster-admin and puts its
// administrator into (kubeadm constants.ClusterAdminsGroupAndClusterRoleBinding).
const KubeadmAdminsGroup = "kubeadm:cluster-admins"

// longestCommonName is RFC 5280's ub-common-name, in characters. Kubernetes
// itself accepts longer ones.
const longestCommonName = 64

// Problem is one thing about a name that an administrator should know.
type Problem struct {
	// Finding is the problem's stable name, such as "system-user".
	Finding string
	// Severity reports whether the problem refuses an approval.
	Severity Severity
	// Sentence says what is wrong, with the name at fault quoted. It is safe
	// to print.
	Sentence string
}

// Examine lists what is wrong or unusual with a user's name and groups, in the
// order of the names. It is pure: the same user always has the same problems.
func Examine(user User) []Problem {
	var problems []Problem
	report := func(finding string, severity Severity, format string, arguments ...any) {
		problems = append(problems, Problem{finding, severity, fmt.Sprintf(format, arguments...)})
	}

	switch {
	case user.Name == "":
		report(EmptyCommonName, Refused, "the user name is empty: the API server would treat the holder as anonymous")
	case IsSystem(user.Name):
		report(SystemUser, Refused, "the user name %s is reserved for Kubernetes itself: the holder would get the permissions of that component", Quote(user.Name))
	}
	if utf8.RuneCountInString(user.Name) > longestCommonName {
		report(LongName, Warning, "the user name has %d characters; RFC 5280 allows a common name %d, and other tools may refuse it", utf8.RuneCountInString(user.Name), longestCommonName)
	}

	// What nobody can allow is told first.
	groups := slices.Clone(user.Groups)
	slices.SortStableFunc(groups, func(a, b string) int {
		switch {
		case IsMasters(a) == IsMasters(b):
			return 0
		case IsMasters(a):
			return -1
		}
		return 1
	})
	seen := map[string]bool{}
	for _, group := range groups {
		switch {
		case group == "":
			report(EmptyGroup, Refused, "a group is empty")
		case IsSystem(group):
			report(SystemGroup, Refused, "the group %s is reserved for Kubernetes itself: its members get the permissions of a component", Quote(group))
		case group == KubeadmAdminsGroup:
			report(AdminGroup, Refused, "the group %s is bound to cluster-admin on clusters created by kubeadm", Quote(group))
		}
		if strings.Contains(group, ",") {
			report(CommaInGroup, Warning, "the group %s contains a comma: it is one group, not several", Quote(group))
		}
		if seen[group] {
			report(DuplicateGroups, Warning, "the group %s is named more than once", Quote(group))
		}
		seen[group] = true
	}

	examineText := func(what, name string) {
		if strings.ContainsFunc(name, unicode.IsControl) || !utf8.ValidString(name) {
			report(ControlCharacters, Refused, "the %s %s contains control characters", what, Quote(name))
		}
		if hidden, found := firstHidden(name); found && utf8.ValidString(name) {
			report(ConfusableName, Refused, "the %s %s contains %U, which is invisible, unassigned, changes the direction, or is a mark that does not belong to its letter", what, Quote(name), hidden)
		} else if norm.NFKC.String(name) != norm.NFC.String(name) {
			report(ConfusableName, Refused, "the %s %s contains forms of letters that look like others, %s: %s", what, Quote(name), Quote(norm.NFKC.String(name)), codePoints(name))
		} else if scripts := mixedScripts(name); scripts != "" {
			report(ConfusableName, Refused, "the %s %s mixes %s letters, which look alike: %s", what, Quote(name), scripts, codePoints(name))
		}
		if IsOptionLike(name) {
			report(OptionLikeName, Refused, "the %s %s begins with a dash: a program would read it as an option", what, Quote(name))
		}
		if strings.Contains(name, "  ") {
			// It could push what follows to where a reader expects another row.
			report(ConfusableName, Refused, "the %s %s contains a run of spaces", what, Quote(name))
		}
		if strings.TrimFunc(name, unicode.IsSpace) != name {
			report(SurroundingWhitespace, Refused, "the %s %s begins or ends with white space", what, Quote(name))
		}
	}
	examineText("user name", user.Name)
	for _, group := range user.Groups {
		examineText("group", group)
	}
	return problems
}

// IsSystem is wider than the API server's own exact matches: names that differ
// from a reserved one in case, width or surrounding space only are there to deceive.
func IsSystem(name string) bool {
	return strings.HasPrefix(strings.ToLower(strings.TrimSpace(norm.NFKC.String(name))), "system:")
}

// singleScripts are the scripts told apart when looking for names that mix
// look-alike letters; every other script counts as one of its own.
var singleScripts = []string{"Latin", "Cyrillic", "Greek", "Armenian", "Cherokee", "Georgian", "Hebrew", "Arabic", "Han", "Hiragana", "Katakana", "Hangul", "Bopomofo", "Thai", "Devanagari", "Coptic", "Lisu", "Deseret"}

// commonMixtures are the mixtures that a language really writes, after Unicode
// Technical Standard 39, section 5.2, "highly restrictive".
var commonMixtures = [][]string{
	{"Latin", "Han", "Hiragana", "Katakana"},
	{"Latin", "Han", "Bopomofo"},
	{"Latin", "Han", "Hangul"},
}

// mixedScripts names the scripts of a name that mixes several which no
// language writes together, or "".
func mixedScripts(name string) string {
	var found []string
	for _, r := range name {
		if script := scriptOf(r); script != "" && !slices.Contains(found, script) {
			found = append(found, script)
		}
	}
	if len(found) < 2 {
		return ""
	}
	for _, mixture := range commonMixtures {
		if !slices.ContainsFunc(found, func(script string) bool { return !slices.Contains(mixture, script) }) {
			return ""
		}
	}
	return strings.Join(found, " and ")
}

// scriptOf names the script of a letter; signs, digits and combining marks
// belong to none.
func scriptOf(r rune) string {
	if !unicode.IsLetter(r) || unicode.Is(unicode.Common, r) || unicode.Is(unicode.Inherited, r) {
		return ""
	}
	for _, script := range singleScripts {
		if unicode.Is(unicode.Scripts[script], r) {
			return script
		}
	}
	return "other"
}

func codePoints(name string) string {
	var points []string
	for _, r := range name {
		if r > unicode.MaxASCII {
			points = append(points, fmt.Sprintf("%U", r))
		}
	}
	return strings.Join(points, " ")
}

// IsMasters reports whether a group is MastersGroup, or differs from it only in
// case, width or surrounding white space.
func IsMasters(group string) bool {
	return strings.EqualFold(strings.TrimSpace(norm.NFKC.String(group)), MastersGroup)
}
