package kubeconfig

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
	"k8s.io/apimachinery/pkg/runtime/schema"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	clientcmdlatest "k8s.io/client-go/tools/clientcmd/api/latest"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/document"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
)

// Decode reads a kubeconfig, with or without apiVersion and kind, as kubectl does
// (client-go tools/clientcmd Load). Paths in it stay as they are written.
//
// An error says in which line and which entry the mistake is, and of what kind. The text
// of the decoders is not passed on: it quotes what it could not decode, such as tokens,
// and prints whole entries where a name is given twice.
func Decode(data []byte) (*clientcmdapi.Config, error) {
	config := clientcmdapi.NewConfig()
	if len(bytes.TrimSpace(data)) == 0 {
		return config, nil
	}
	if err := document.Check(data); errors.Is(err, document.ErrSyntax) {
		return nil, mistakeIn(data, err)
	} else if err != nil {
		return nil, err
	}
	kind := schema.GroupVersionKind{Version: clientcmdlatest.Version, Kind: "Config"}
	decoded, _, err := clientcmdlatest.Codec.Decode(data, &kind, config)
	if err != nil {
		return nil, mistakeIn(data, err)
	}
	config, isConfig := decoded.(*clientcmdapi.Config)
	if !isConfig {
		return nil, decodeError{what: "not of kind Config"}
	}
	return config, nil
}

// decodeError is why a kubeconfig cannot be decoded. Nothing in it comes from a value of the
// file.
type decodeError struct {
	// line is counted from 1; 0 where it is unknown.
	line int
	// entry is such as `users "jane"`; "" where it is unknown.
	entry string
	// what is the kind of the mistake.
	what string
}

func (e decodeError) Error() string {
	text := e.what
	if e.entry != "" {
		text = e.entry + ": " + text
	}
	if e.line > 0 {
		text = fmt.Sprintf("line %d: %s", e.line, text)
	}
	return text
}

// lineOf finds the line in an error of a YAML decoder, the only part of it that cannot be
// a value of the file.
var lineOf = regexp.MustCompile(`^(?:.*: )?yaml: line ([0-9]{1,9}): `)

// mistakeIn finds the mistake for which a kubeconfig was not decoded. cause is the
// decoder's error.
func mistakeIn(data []byte, decodeErr error) error {
	var content yaml.Node
	if err := yaml.Unmarshal(data, &content); err != nil {
		decodeErr = err
		content.Content = nil
	}
	if len(content.Content) == 1 {
		if found, exists := mistakeInConfig(content.Content[0]); exists {
			return found
		}
	}
	found := decodeError{what: "invalid YAML or JSON, or not a kubeconfig"}
	if match := lineOf.FindStringSubmatch(decodeErr.Error()); match != nil {
		found.line, _ = strconv.Atoi(match[1])
	}
	return found
}

// fieldForm is what a field of a kubeconfig must hold.
type fieldForm string

const (
	asText    fieldForm = "a string"
	asBoolean fieldForm = "true or false"
	asBase64  fieldForm = "base64"
	asList    fieldForm = "a list"
	asMapping fieldForm = "a mapping"
)

// entryLists are the lists of entries of a kubeconfig, under which key each has its
// content, and the forms of its fields (client-go tools/clientcmd/api/v1 types.go).
var entryLists = []struct {
	list, content string
	fields        map[string]fieldForm
}{
	{"clusters", "cluster", map[string]fieldForm{
		"server": asText, "tls-server-name": asText, "insecure-skip-tls-verify": asBoolean, "certificate-authority": asText,
		"certificate-authority-data": asBase64, "proxy-url": asText, "disable-compression": asBoolean, "extensions": asList,
	}},
	{"users", "user", map[string]fieldForm{
		"client-certificate": asText, "client-certificate-data": asBase64, "client-key": asText, "client-key-data": asBase64,
		"token": asText, "tokenFile": asText, "as": asText, "as-uid": asText, "as-groups": asList, "as-user-extra": asMapping,
		"username": asText, "password": asText, "auth-provider": asMapping, "exec": asMapping, "extensions": asList,
	}},
	{"contexts", "context", map[string]fieldForm{
		"cluster": asText, "user": asText, "namespace": asText, "extensions": asList,
	}},
}

func mistakeInConfig(config *yaml.Node) (decodeError, bool) {
	if config.Kind != yaml.MappingNode {
		return decodeError{line: config.Line, what: "a kubeconfig must be a mapping"}, true
	}
	for _, entries := range entryLists {
		list := fieldOf(config, entries.list)
		if list == nil || list.Tag == "!!null" {
			continue
		}
		if list.Kind != yaml.SequenceNode {
			return decodeError{list.Line, entries.list, "must be a list"}, true
		}
		names := map[string]bool{}
		for i, entry := range list.Content {
			shown := fmt.Sprintf("%s[%d]", entries.list, i)
			if entry = resolved(entry); entry.Kind != yaml.MappingNode {
				return decodeError{entry.Line, shown, "must be a mapping"}, true
			}
			if name := fieldOf(entry, "name"); name != nil {
				if name.Kind != yaml.ScalarNode {
					return decodeError{name.Line, shown, "name must be a string"}, true
				}
				if isPlainName(name.Value) {
					shown = entries.list + " " + identity.Quote(name.Value)
				}
				if names[name.Value] {
					return decodeError{name.Line, shown, "the name is given twice"}, true
				}
				names[name.Value] = true
			}
			if found, exists := mistakeInFields(fieldOf(entry, entries.content), shown, entries.content, entries.fields); exists {
				return found, true
			}
		}
	}
	return decodeError{}, false
}

func mistakeInFields(content *yaml.Node, entry, name string, fields map[string]fieldForm) (decodeError, bool) {
	switch {
	case content == nil || content.Tag == "!!null":
		return decodeError{}, false
	case content.Kind != yaml.MappingNode:
		return decodeError{content.Line, entry, name + " must be a mapping"}, true
	}
	for i := 0; i+1 < len(content.Content); i += 2 {
		field, value := content.Content[i], resolved(content.Content[i+1])
		form, isKnown := fields[field.Value]
		if isKnown && !form.holds(value) {
			return decodeError{content.Content[i+1].Line, entry, field.Value + " must be " + string(form)}, true
		}
	}
	return decodeError{}, false
}

func (f fieldForm) holds(value *yaml.Node) bool {
	if value.Tag == "!!null" {
		return true
	}
	switch f {
	case asList:
		return value.Kind == yaml.SequenceNode
	case asMapping:
		return value.Kind == yaml.MappingNode
	case asBoolean:
		return value.Kind == yaml.ScalarNode && value.Tag == "!!bool"
	case asBase64:
		_, err := base64.StdEncoding.DecodeString(value.Value)
		return value.Kind == yaml.ScalarNode && err == nil
	}
	return value.Kind == yaml.ScalarNode && value.Tag == "!!str"
}

// fieldOf is the value of a mapping's key; nil if it has none.
func fieldOf(mapping *yaml.Node, key string) *yaml.Node {
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		if mapping.Content[i].Value == key {
			return resolved(mapping.Content[i+1])
		}
	}
	return nil
}

// resolved is a node, or what it is an alias of.
func resolved(node *yaml.Node) *yaml.Node {
	if node.Kind == yaml.AliasNode {
		return node.Alias
	}
	return node
}

// isPlainName reports whether an entry's name is one word, as names are. What is longer
// may have swallowed what comes after it in a damaged file.
func isPlainName(name string) bool {
	return name != "" && len(name) <= 100 && !strings.ContainsAny(name, " \t\r\n") && identity.Printable(name) == name
}
