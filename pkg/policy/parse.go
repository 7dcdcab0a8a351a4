package policy

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"go.yaml.in/yaml/v3"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/document"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
)

// Parse reads the policies of a file in YAML or JSON, of one document or several, or of a List.
// Objects of other API groups, such as the roles that let requesters use a policy, are left
// out. Fields that are unknown, named twice or of the wrong kind are mistakes, each with its
// position. Either the policies or the mistakes are empty.
func Parse(data []byte) ([]*Policy, []Mistake) {
	f := &file{data: data}
	if err := document.Check(data); err != nil && !errors.Is(err, document.ErrSyntax) {
		return nil, []Mistake{{Problem: err.Error()}}
	}
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	for {
		var whole yaml.Node
		err := decoder.Decode(&whole)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			f.mistakes = append(f.mistakes, f.syntaxMistake(err))
			break
		}
		f.read(whole.Content[0])
	}
	if len(f.mistakes) == 0 && len(f.policies) == 0 {
		f.mistakes = append(f.mistakes, Mistake{Problem: "it contains no object of apiVersion " + APIVersion + " and kind " + Kind})
	}
	if len(f.mistakes) > 0 {
		return nil, f.mistakes
	}
	return f.policies, nil
}

// file takes in a file.
type file struct {
	data     []byte
	policies []*Policy
	mistakes []Mistake
}

func (f *file) syntaxMistake(err error) Mistake {
	line, what := document.SyntaxMistake(f.data, err)
	// The first column, where the line is known.
	return Mistake{Line: line, Column: min(line, 1), Problem: "invalid YAML: " + identity.PrintableSentence(what)}
}

// read takes in one object, or each of a List.
func (f *file) read(root *yaml.Node) {
	if root.Kind == yaml.AliasNode {
		root = root.Alias
	}
	if root.Kind != yaml.MappingNode {
		if root.Tag != "!!null" {
			f.mistake(root, "", "it is not an object")
		}
		return
	}
	apiVersion, kind := scalar(root, "apiVersion"), scalar(root, "kind")
	group, _, _ := strings.Cut(apiVersion, "/")
	switch {
	case apiVersion == "v1" && (kind == "List" || kind == Kind+"List"), apiVersion == APIVersion && kind == Kind+"List":
		if items := child(root, "items"); items != nil && items.Kind == yaml.SequenceNode {
			for _, item := range items.Content {
				f.read(item)
			}
		}
	case apiVersion == APIVersion && kind == Kind:
		f.readPolicy(root)
	case group == Group && kind == Kind:
		f.mistake(root, "apiVersion", "unknown version %s: use %s", identity.Quote(apiVersion), APIVersion)
	case apiVersion == "" || kind == "":
		f.mistake(root, "", "apiVersion and kind are required")
	}
}

func (f *file) readPolicy(root *yaml.Node) {
	var value any
	if err := root.Decode(&value); err != nil {
		f.mistakes = append(f.mistakes, f.syntaxMistake(err))
		return
	}
	encoded, err := json.Marshal(value)
	if err != nil {
		f.mistake(root, "", "it has a key that is not text")
		return
	}
	var read struct {
		metav1.TypeMeta   `json:",inline"`
		metav1.ObjectMeta `json:"metadata"`
		Spec              writtenSpec `json:"spec"`
		Status            Status      `json:"status"`
	}
	unknown, err := document.DecodeKnown(encoded, &read)
	var wrong *json.UnmarshalTypeError
	switch {
	case errors.As(err, &wrong):
		f.mistake(root, wrong.Field, "it is of type %s, not %s", wrong.Value, kindOf(wrong.Type.String()))
		return
	case err != nil:
		f.mistake(root, "", "it cannot be read: %s", identity.PrintableSentence(err.Error()))
		return
	}
	for _, field := range unknown {
		f.mistake(root, field, "unknown field")
	}
	if len(unknown) > 0 {
		return
	}
	policy, mistakes := Of(&ApprovalPolicy{ObjectMeta: read.ObjectMeta, Spec: Spec(read.Spec)})
	for _, mistake := range mistakes {
		f.mistake(root, mistake.Field, "%s", mistake.Problem)
	}
	if policy == nil {
		return
	}
	policy.Generation = 0
	policy.positions = positionsOf(root, policy)
	if slices.ContainsFunc(f.policies, func(other *Policy) bool { return other.Name == policy.Name }) {
		f.mistake(root, "metadata.name", "%s is the name of another policy of the file", identity.Quote(policy.Name))
		return
	}
	f.policies = append(f.policies, policy)
}

// kindOf is what a value should be, in the words of JSON.
func kindOf(goType string) string {
	switch {
	case strings.HasPrefix(goType, "[]"):
		return "list"
	case strings.HasPrefix(goType, "int"), strings.HasPrefix(goType, "*int"):
		return "number"
	case goType == "string", strings.HasSuffix(goType, ".Action"):
		return "string"
	}
	return "object"
}

// mistake adds a mistake at a field of an object, or at what there is of its path.
func (f *file) mistake(root *yaml.Node, field, format string, arguments ...any) {
	at := find(root, field)
	f.mistakes = append(f.mistakes, Mistake{Field: identity.Printable(field), Line: at.Line, Column: at.Column, Problem: fmt.Sprintf(format, arguments...)})
}

// positionsOf are where the expressions of a policy are.
func positionsOf(root *yaml.Node, policy *Policy) map[string][2]int {
	positions := map[string][2]int{}
	for i := range policy.Conditions {
		field := ConditionField(i) + ".expression"
		at := find(root, field)
		positions[field] = [2]int{at.Line, at.Column}
	}
	return positions
}

// Located adds to a mistake where the file has its field, if the policy came in one.
func (p *Policy) Located(mistake Mistake) Mistake {
	if at, isKnown := p.positions[mistake.Field]; isKnown {
		mistake.Line, mistake.Column = at[0], at[1]
	}
	return mistake
}

// step is one step of a path: a name, or an index.
var step = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`[^.\[\]]+|\[\d+\]`) })

// find is the value at a path, or the innermost one that there is on the way; a key of which
// the value is wrong is as good.
func find(node *yaml.Node, path string) *yaml.Node {
	for _, one := range step().FindAllString(path, -1) {
		if node.Kind == yaml.AliasNode {
			node = node.Alias
		}
		var next *yaml.Node
		if index, isIndex := strings.CutPrefix(one, "["); isIndex {
			if i, err := strconv.Atoi(strings.TrimSuffix(index, "]")); err == nil && node.Kind == yaml.SequenceNode && i < len(node.Content) {
				next = node.Content[i]
			}
		} else {
			next = child(node, one)
		}
		if next == nil {
			return node
		}
		node = next
	}
	return node
}

func child(node *yaml.Node, name string) *yaml.Node {
	if node.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(node.Content); i += 2 {
		if node.Content[i].Value == name {
			return node.Content[i+1]
		}
	}
	return nil
}

func scalar(node *yaml.Node, name string) string {
	if found := child(node, name); found != nil && found.Kind == yaml.ScalarNode {
		return found.Value
	}
	return ""
}
