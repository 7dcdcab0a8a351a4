package teamfile

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/document"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
)

// readYAML reads the form of kind Team. JSON is read as the YAML that it is.
func (r *reader) readYAML(data []byte) {
	if err := document.Check(data); err != nil && !errors.Is(err, document.ErrSyntax) {
		r.mistake(0, "%s", err)
		return
	}
	root := r.document(data)
	if root == nil {
		return
	}
	fields := r.fields(root, aTeam, []string{"apiVersion", "kind", "users"})
	if fields == nil {
		return
	}
	for field, want := range map[string]string{"apiVersion": APIVersion, "kind": Kind} {
		node, said := fields[field]
		if !said {
			r.mistake(root.Line, "%s not found: write %s: %s", field, field, want)
			continue
		}
		if text, isText := r.text(node, field); isText && text != want {
			r.mistake(node.Line, "%s is %s, not %s", field, identity.Quote(text), want)
		}
	}
	users, said := fields["users"]
	if !said {
		r.mistake(root.Line, "it contains no users")
		return
	}
	if users.Kind != yaml.SequenceNode {
		r.mistake(users.Line, "users is not a list")
		return
	}
	for _, user := range users.Content {
		r.readUser(resolved(user))
	}
}

// document is the one document of a file; nil if it is not one. Documents that hold nothing do not count,
// as for kubectl: a file may end in ---.
func (r *reader) document(data []byte) (root *yaml.Node) {
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	for {
		var whole yaml.Node
		err := decoder.Decode(&whole)
		switch {
		case errors.Is(err, io.EOF):
			if root == nil {
				r.mistake(0, "it is empty")
			}
			return root
		case err != nil:
			line, what := document.SyntaxMistake(data, err)
			r.mistake(line, "invalid YAML: %s", identity.PrintableSentence(what))
			return nil
		case whole.Content[0].Tag == "!!null":
		case root != nil:
			r.mistake(whole.Content[0].Line, "it holds more than one document, and a team is one")
			return nil
		default:
			root = whole.Content[0]
		}
	}
}

// resolved follows an alias to what it stands for.
func resolved(node *yaml.Node) *yaml.Node {
	if node.Kind == yaml.AliasNode {
		return node.Alias
	}
	return node
}

// aTeam is what a whole file is called.
const aTeam = "a team"

// orTable says how a table begins, to whom a file is taken for YAML.
func orTable(what string) string {
	if what != aTeam {
		return ""
	}
	return "; a table (CSV) begins with a line of column names, such as name,groups"
}

// fields are the values of a mapping, by their keys, of which only those allowed may
// be there, and each once; nil if it is not a mapping.
func (r *reader) fields(node *yaml.Node, what string, allowed []string) map[string]*yaml.Node {
	if node.Kind != yaml.MappingNode {
		r.mistake(node.Line, "%s has fields, such as %s%s", what, allowed[0]+": …", orTable(what))
		return nil
	}
	fields := map[string]*yaml.Node{}
	for i := 0; i+1 < len(node.Content); i += 2 {
		key, value := node.Content[i], resolved(node.Content[i+1])
		switch {
		case key.Kind != yaml.ScalarNode || !slices.Contains(allowed, key.Value):
			r.mistake(key.Line, "%s has no field %s; there are %s", what, identity.Quote(key.Value), strings.Join(allowed, ", "))
		case fields[key.Value] != nil:
			r.mistake(key.Line, "%s appears twice", key.Value)
		default:
			fields[key.Value] = value
		}
	}
	return fields
}

func (r *reader) readUser(node *yaml.Node) {
	before := len(r.mistakes)
	fields := r.fields(node, "a user", userFields)
	if fields == nil {
		return
	}
	v := values{line: node.Line, text: map[string]string{}, lists: map[string][]string{}, lines: map[string]int{}}
	for _, field := range userFields {
		value, said := fields[field]
		if !said {
			continue
		}
		v.lines[field] = value.Line
		if slices.Contains(listFields, field) {
			v.lists[field] = r.list(value, field)
			continue
		}
		if text, isText := r.text(value, field); isText {
			v.text[field] = text
		}
	}
	if len(r.mistakes) == before {
		r.add(v)
	}
}

// text is a scalar that is written as a text. What YAML takes for a number or a truth
// value is not guessed at: a user 007 is not the user 7.
func (r *reader) text(node *yaml.Node, field string) (string, bool) {
	if node.Kind != yaml.ScalarNode || node.Tag != "!!str" {
		hint := ""
		if node.Kind == yaml.ScalarNode && node.Value != "" {
			hint = ": write it in quotes, " + strconv.Quote(identity.Printable(node.Value))
		}
		r.mistake(node.Line, "%s is not text%s", field, hint)
		return "", false
	}
	return node.Value, true
}

func (r *reader) list(node *yaml.Node, field string) []string {
	if node.Kind != yaml.SequenceNode {
		hint := ""
		if node.Kind == yaml.ScalarNode && node.Value != "" {
			hint = ": write [" + identity.Printable(node.Value) + "]"
		}
		r.mistake(node.Line, "%s is not a list%s", field, hint)
		return nil
	}
	// An empty list says that there is nothing.
	list := make([]string, 0, len(node.Content))
	for _, element := range node.Content {
		if text, isText := r.text(resolved(element), field); isText {
			list = append(list, text)
		}
	}
	return list
}
