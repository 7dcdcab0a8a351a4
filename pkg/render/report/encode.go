package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/printers"
	"sigs.k8s.io/yaml/kyaml"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/render/screen"
)

// Formats lists the forms of data that is not an API object, as a person begins to write them.
func Formats() []string {
	return []string{"json", "yaml", "kyaml", "jsonpath=", "jsonpath-as-json=", "jsonpath-file=", "go-template=", "go-template-file="}
}

// CheckFormat returns an error unless a format is one of Formats, with a template that parses.
func CheckFormat(format string) error {
	if format == "json" || format == "yaml" || format == "kyaml" {
		return nil
	}
	_, err := printerOf(format)
	return err
}

// printerOf is kubectl's printer for a format.
func printerOf(format string) (printers.ResourcePrinter, error) {
	name, template, _ := strings.Cut(format, "=")
	switch {
	case !slices.Contains(Formats(), name+"="):
		return nil, fmt.Errorf("unknown output format %q", name)
	case template == "":
		return nil, fmt.Errorf("the output format %q requires a template, such as %s", name, exampleOf(name))
	}
	flags := genericclioptions.NewPrintFlags("")
	flags.OutputFormat = &format
	// They fail where the template does not parse, or its file cannot be read.
	return flags.ToPrinter()
}

func exampleOf(format string) string {
	switch {
	case strings.HasSuffix(format, "-file"):
		return format + "=FILE"
	case strings.HasPrefix(format, "jsonpath"):
		return format + "={.kind}"
	}
	return format + "={{.kind}}"
}

// Encode writes a value as JSON or YAML, as encode does.
func Encode(out io.Writer, format string, value any) error { return encode(out, format, value) }

// encode writes a value as JSON or YAML. Characters that a terminal would obey or
// hide are written as the format's own escapes, so that a reader of the text is
// not fooled and a reader of the data gets them all. Bytes that are not UTF-8 are
// U+FFFD, because JSON has no other way.
func encode(out io.Writer, format string, value any) error {
	var encoded []byte
	var err error
	switch format {
	case "json":
		encoded, err = encodeJSON(value)
	case "yaml":
		encoded, err = encodeYAML(value)
	case "kyaml":
		encoded, err = encodeKYAML(value)
	default:
		return encodeByPrinter(out, format, value)
	}
	if err != nil {
		return err
	}
	_, err = out.Write(encoded)
	return err
}

// encodeByPrinter writes a value as kubectl writes an API object. On a terminal, what it would obey
// is escaped.
func encodeByPrinter(out io.Writer, format string, value any) error {
	printer, err := printerOf(format)
	if err != nil {
		return err
	}
	encoded, err := json.Marshal(value)
	if err != nil {
		return err
	}
	var object unstructured.Unstructured
	if err := json.Unmarshal(encoded, &object.Object); err != nil {
		return err
	}
	if _, isTerminal := screen.TerminalColumns(out); isTerminal {
		out = screen.Escaping(out)
	}
	return printer.PrintObj(&object, out)
}

func encodeJSON(value any) ([]byte, error) {
	return escapedJSON(value, func(r rune) string {
		// JSON escapes are UTF-16 (RFC 8259, section 7).
		r -= 0x10000
		return fmt.Sprintf(`\u%04x\u%04x`, 0xd800+r>>10, 0xdc00+r&0x3ff)
	})
}

// escapedJSON writes JSON whose strings are escaped; astral escapes a character
// beyond U+FFFF.
func escapedJSON(value any, astral func(rune) string) ([]byte, error) {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "    ")
	if err := encoder.Encode(value); err != nil {
		return nil, err
	}
	return []byte(escapeWithin(b.String(), astral)), nil
}

// yamlAstral is YAML's escape of a character beyond U+FFFF.
func yamlAstral(r rune) string { return fmt.Sprintf(`\U%08x`, r) }

// encodeYAML goes by way of JSON, whose field names and order it keeps; escaped
// JSON is YAML, but for what is beyond U+FFFF.
func encodeYAML(value any) ([]byte, error) {
	encoded, err := escapedJSON(value, yamlAstral)
	if err != nil {
		return nil, err
	}
	var document yaml.Node
	if err := yaml.Unmarshal(encoded, &document); err != nil {
		return nil, err
	}
	inBlocks(&document)
	var b bytes.Buffer
	encoder := yaml.NewEncoder(&b)
	encoder.SetIndent(2)
	if err := encoder.Encode(&document); err != nil {
		return nil, err
	}
	if err := encoder.Close(); err != nil {
		return nil, err
	}
	return []byte(escapeWithin(b.String(), yamlAstral)), nil
}

// encodeKYAML writes KYAML (Kubernetes enhancement 5295). kubectl's own printer fails where a text has
// a control character.
func encodeKYAML(value any) ([]byte, error) {
	encoded, err := escapedJSON(value, yamlAstral)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	encoder := kyaml.Encoder{}
	if err := encoder.FromYAML(bytes.NewReader(encoded), &b); err != nil {
		return nil, err
	}
	return []byte(escapeWithin(b.String(), yamlAstral)), nil
}

// inBlocks has a document written as people write YAML, with quotes around every
// text that is not plainly one.
func inBlocks(node *yaml.Node) {
	node.Style = 0
	if node.Kind == yaml.ScalarNode && node.Tag == "!!str" && !isPlain(node.Value) {
		node.Style = yaml.DoubleQuotedStyle
	}
	for _, child := range node.Content {
		inBlocks(child)
	}
}

// plain is a text that no reader of YAML, of whatever version, takes for something
// else.
var plain = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9 ._/@-]*[A-Za-z0-9]$`)

// isPlain reports whether a text needs no quotes. The words are YAML 1.1's for true,
// false and nothing.
func isPlain(text string) bool {
	switch strings.ToLower(text) {
	case "yes", "no", "on", "off", "true", "false", "null":
		return false
	}
	return plain.MatchString(text) && !strings.Contains(text, "  ")
}

// mayStay lists the characters that need no escape although a terminal does not show
// them: line feeds are the format's own, and escaped already where they are a value's;
// U+FFFD stands for what was not a character.
func mayStay(r rune) bool { return r == '\n' || r == '\ufffd' }

func escapeWithin(text string, astral func(rune) string) string {
	if !identity.HasHidden(text, mayStay) {
		return text
	}
	return identity.EscapeHidden(text, mayStay, func(r rune) string {
		if r > 0xffff {
			return astral(r)
		}
		return fmt.Sprintf(`\u%04x`, r)
	})
}
