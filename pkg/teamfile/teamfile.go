// Package teamfile reads files that say who is to be onboarded together.
//
// It is pure, and strict: a field that it has no name for, a user who is named
// twice, a name that no certificate should hold, and a value of the wrong kind are
// mistakes, each with its line, and a file with a mistake has no users. It never
// guesses what was meant.
package teamfile

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/access"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/pki"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
)

const (
	// APIVersion is the version of the form. Fields are added to it; none is renamed
	// or removed within a version.
	APIVersion = "csr-onboard.github.io/v1alpha1"
	// Kind is what a file in YAML or JSON says that it is.
	Kind = "Team"
)

// Member is one user of a team, as the file says. What it does not say is left open.
type Member struct {
	// Line is where the file says so, counted from 1.
	Line int
	// User is their name and groups. HasGroups reports whether the file says anything of
	// groups: a user in none is not one whose groups are left open.
	User      identity.User
	HasGroups bool
	// KeyAlgorithm is their key's; "" if it is left open.
	KeyAlgorithm pki.KeyAlgorithm
	// Lifetime is what to ask for; 0 if it is left open.
	Lifetime time.Duration
	// Grants is what they get besides. HasGrants reports whether the file says anything
	// of roles.
	Grants    []access.Grant
	HasGrants bool
	// Allow names refused findings about a user who left that are accepted (see
	// request.ReturnFindings).
	Allow []string
}

// Mistake is what is wrong with a file.
type Mistake struct {
	// Line is where, counted from 1; 0 is the whole file.
	Line int
	// Problem says what. It is safe to print.
	Problem string
}

// Parse reads a team in one of the file's forms: CSV, separated by commas, semicolons or
// tabs, or YAML of kind Team, of which JSON is a part; in any encoding that pki.Text
// takes. Either the users or the mistakes are empty.
func Parse(data []byte) ([]Member, []Mistake) {
	r := &reader{}
	text := pki.Text(data)
	found, isTable := findTable(text)
	switch {
	case isWorkbook(data):
		r.mistake(0, "it is a workbook of a spreadsheet program: save it as CSV UTF-8")
	case isTable:
		r.readCSV(found)
	default:
		r.readYAML(text)
	}
	if len(r.mistakes) == 0 && len(r.members) == 0 {
		r.mistake(0, "it contains no user")
	}
	r.findDuplicates()
	if len(r.mistakes) > 0 {
		slices.SortStableFunc(r.mistakes, func(a, b Mistake) int { return a.Line - b.Line })
		return nil, r.mistakes
	}
	return r.members, nil
}

// reader takes in a file.
type reader struct {
	members  []Member
	mistakes []Mistake
}

func (r *reader) mistake(line int, format string, arguments ...any) {
	r.mistakes = append(r.mistakes, Mistake{line, fmt.Sprintf(format, arguments...)})
}

// findDuplicates finds users who are named twice, and users whose files would have
// one name.
func (r *reader) findDuplicates() {
	first := map[string]int{}
	for _, member := range r.members {
		name := identity.FileName(member.User.Name)
		if line, named := first[name]; named {
			r.mistake(member.Line, "the user %s is named in line %d already", identity.Quote(member.User.Name), line)
			continue
		}
		first[name] = member.Line
	}
}

// The fields of a user. They are the same in every form.
const (
	nameField         = "name"
	groupsField       = "groups"
	clusterRolesField = "clusterRoles"
	rolesField        = "roles"
	namespaceField    = "namespace"
	expirationField   = "expiration"
	keyAlgorithmField = "keyAlgorithm"
	allowField        = "allow"
)

// userFields lists them, in the order in which the documentation has them.
var userFields = []string{nameField, groupsField, clusterRolesField, rolesField, namespaceField, expirationField, keyAlgorithmField, allowField}

// listFields are those that hold several values.
var listFields = []string{groupsField, clusterRolesField, rolesField, allowField}

// Field is a field of a user, for what documents the file.
type Field struct {
	// Name is how the field is written.
	Name string
	// IsList reports whether the field holds several values.
	IsList bool
	// Meaning is a sentence about the field.
	Meaning string
}

// Fields are the fields of a user, in the order in which the documentation has them.
func Fields() []Field {
	meanings := map[string]string{
		nameField:         "The user's name.",
		groupsField:       "The user's groups; an empty list means none. Default: --group.",
		clusterRolesField: "ClusterRoles that the user gets, with --approve. Default: --clusterrole.",
		rolesField:        "Roles that the user gets in the namespace, with --approve. Default: --role.",
		namespaceField:    "The namespace of the roles. Required for a Role; a ClusterRole without it applies to all namespaces.",
		expirationField:   "The lifetime to ask for, such as 8h or 30d. Default: --expiration.",
		keyAlgorithmField: "The algorithm of the private key. Default: --key-algorithm.",
		allowField:        "Findings about a user who left to accept, with --approve.",
	}
	fields := make([]Field, len(userFields))
	for i, name := range userFields {
		fields[i] = Field{Name: name, IsList: slices.Contains(listFields, name), Meaning: meanings[name]}
	}
	return fields
}

// values are a user's fields as they are written.
type values struct {
	line int
	// text has the fields that hold one value, and lists those that hold several.
	// What is not said is in neither.
	text  map[string]string
	lists map[string][]string
	// lines is where each field is, where that is not the user's line.
	lines map[string]int
}

func (v values) lineOf(field string) int {
	if line, known := v.lines[field]; known {
		return line
	}
	return v.line
}

// add takes in a user, or says what is wrong with them.
func (r *reader) add(v values) {
	before := len(r.mistakes)
	member := Member{Line: v.line}
	name, named := v.text[nameField]
	_, member.HasGroups = v.lists[groupsField]
	user, err := identity.Parse(name, v.lists[groupsField])
	switch {
	case !named:
		r.mistake(v.line, "a user has no %s", nameField)
	case err != nil:
		line := v.lineOf(nameField)
		if _, parseErr := identity.Parse(name, nil); parseErr == nil {
			line = v.lineOf(groupsField)
		}
		r.mistake(line, "%s", identity.PrintableSentence(err.Error()))
	case slices.ContainsFunc(user.Groups, access.IsPinGroup):
		r.mistake(v.lineOf(groupsField), "the group of a pin marks certificates and changes with the next new-user --pin: name another group")
	}
	member.User = user
	if text, said := v.text[keyAlgorithmField]; said {
		if member.KeyAlgorithm, err = pki.ParseKeyAlgorithm(text); err != nil {
			r.mistake(v.lineOf(keyAlgorithmField), "%s; use one of %s", identity.PrintableSentence(err.Error()), strings.Join(pki.KeyAlgorithms(), ", "))
		}
	}
	if text, said := v.text[expirationField]; said {
		if member.Lifetime, err = request.ParseLifetime(text); err != nil {
			r.mistake(v.lineOf(expirationField), "%s", identity.PrintableSentence(err.Error()))
		}
	}
	member.Allow = v.lists[allowField]
	if err := request.CheckAmong(member.Allow, request.ReturnFindings); err != nil {
		r.mistake(v.lineOf(allowField), "%s; use one of %s", identity.PrintableSentence(err.Error()), strings.Join(request.ReturnFindings, ", "))
	}
	r.addGrants(&member, v)
	if len(r.mistakes) == before {
		r.members = append(r.members, member)
	}
}

func (r *reader) addGrants(member *Member, v values) {
	namespace, hasNamespace := v.text[namespaceField]
	if err := access.CheckNamespace(namespace); err != nil {
		r.mistake(v.lineOf(namespaceField), "%s", identity.PrintableSentence(err.Error()))
		return
	}
	for _, field := range []string{clusterRolesField, rolesField} {
		names, said := v.lists[field]
		member.HasGrants = member.HasGrants || said
		grants, err := access.GrantsOf(field == clusterRolesField, names, namespace)
		if err != nil {
			r.mistake(v.lineOf(field), "%s", identity.PrintableSentence(err.Error()))
		}
		member.Grants = append(member.Grants, grants...)
	}
	if hasNamespace && len(member.Grants) == 0 {
		r.mistake(v.lineOf(namespaceField), "a %s does nothing without %s or %s", namespaceField, clusterRolesField, rolesField)
	}
}
