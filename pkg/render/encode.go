package render

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	yamlv3 "go.yaml.in/yaml/v3"
	"sigs.k8s.io/yaml"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
)

// apiVersion is the version of the forms that scripts read. Fields are added to
// them; none is renamed or removed within a version.
const apiVersion = "csr-onboard.github.io/v1alpha1"

// Formats lists the forms in which this program writes what is no API object.
func Formats() []string { return []string{"json", "yaml"} }

// encode writes a value as JSON or YAML. Characters that a terminal would obey or
// hide are written as the format's own escapes, so that a reader of the text is
// not fooled and a reader of the data gets them all. Bytes that are no UTF-8 are
// U+FFFD, because JSON has no other way.
func encode(out io.Writer, format string, value any) error {
	var encoded []byte
	var err error
	switch format {
	case "json":
		encoded, err = encodeJSON(value)
	case "yaml":
		encoded, err = encodeYAML(value)
	default:
		err = fmt.Errorf("there is no format %q", format)
	}
	if err != nil {
		return err
	}
	_, err = out.Write(encoded)
	return err
}

func encodeJSON(value any) ([]byte, error) {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "    ")
	if err := encoder.Encode(value); err != nil {
		return nil, err
	}
	return []byte(escapeWithin(b.String(), func(r rune) string {
		if r > 0xffff {
			// JSON escapes are UTF-16 (RFC 8259, section 7).
			r -= 0x10000
			return fmt.Sprintf(`\u%04x\u%04x`, 0xd800+r>>10, 0xdc00+r&0x3ff)
		}
		return fmt.Sprintf(`\u%04x`, r)
	})), nil
}

func encodeYAML(value any) ([]byte, error) {
	encoded, err := yaml.Marshal(value)
	if err != nil || !bytes.ContainsFunc(encoded, isObeyed) {
		return encoded, err
	}
	// Escapes count in double quotes only.
	var document yamlv3.Node
	if err := yamlv3.Unmarshal(encoded, &document); err != nil {
		return nil, err
	}
	quote(&document)
	var b bytes.Buffer
	encoder := yamlv3.NewEncoder(&b)
	encoder.SetIndent(2)
	if err := encoder.Encode(&document); err != nil {
		return nil, err
	}
	return []byte(escapeWithin(b.String(), func(r rune) string {
		if r > 0xffff {
			return fmt.Sprintf(`\U%08x`, r)
		}
		return fmt.Sprintf(`\u%04x`, r)
	})), encoder.Close()
}

func quote(node *yamlv3.Node) {
	if node.Kind == yamlv3.ScalarNode && strings.ContainsFunc(node.Value, isObeyed) {
		node.Style = yamlv3.DoubleQuotedStyle
	}
	for _, child := range node.Content {
		quote(child)
	}
}

// isObeyed says whether a character has to be escaped. Line feeds are the
// format's own, and escaped already where they are a value's. U+FFFD stands for
// what was no character.
func isObeyed(r rune) bool { return r != '\n' && r != '�' && !identity.IsPrintable(r) }

func escapeWithin(text string, escape func(rune) string) string {
	if !strings.ContainsFunc(text, isObeyed) {
		return text
	}
	var b strings.Builder
	for _, r := range text {
		if isObeyed(r) {
			b.WriteString(escape(r))
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}
