// Package document bounds YAML and JSON before it is decoded.
//
// A file of some kilobytes can be gigabytes of values: an alias in YAML stands for all
// that its anchor holds, and every decoder but the one to nodes makes copies of it. The
// bounds of the decoders themselves count values and not the text in them
// (go.yaml.in/yaml decode.go). The package promises that what it lets pass has at most
// as many values, and as much text, as a file without aliases of the largest size that
// csr-onboard reads. It does not say whether a document is valid. Objects finds the
// objects in a file, and DecodeKnown says which of its fields a version of csr-onboard
// does not know.
package document

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"go.yaml.in/yaml/v3"
)

const (
	// Largest bounds what a document expands to, in bytes.
	Largest = 16 << 20
	// MostValues bounds how many values and lines a document has.
	MostValues = 1_000_000

	// nodeSize is what a value counts for in addition to its text.
	nodeSize = Largest / MostValues
	// deepest bounds how deep values are in each other, aliases resolved.
	deepest = 10_000
)

// Check refuses a document that would take more to decode than its size says. One that is
// not valid YAML and may have aliases is ErrSyntax: a reader that decodes it with the same library,
// go.yaml.in/yaml, can say so itself.
func Check(data []byte) error {
	if err := CheckValues(data); err != nil {
		return err
	}
	// Without both of them, nothing is an alias.
	if bytes.IndexByte(data, '&') < 0 || bytes.IndexByte(data, '*') < 0 {
		return nil
	}
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	for {
		var root yaml.Node
		err := decoder.Decode(&root)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			// Another decoder might take what this one does not.
			line, what := SyntaxMistake(data, err)
			if line == 0 {
				return fmt.Errorf("%w: %s", ErrSyntax, what)
			}
			return fmt.Errorf("%w in line %d: %s", ErrSyntax, line, what)
		}
		sizes := expansion{sizes: map[*yaml.Node]int64{}, open: map[*yaml.Node]bool{}}
		if _, err := sizes.of(&root, 0); err != nil {
			return err
		}
	}
}

// CheckValues refuses a text of more than MostValues values or lines, as YAML, JSON and
// tables write them.
func CheckValues(data []byte) error {
	n := 0
	for _, begin := range []byte(",{[\n") {
		n += bytes.Count(data, []byte{begin})
	}
	if n > MostValues {
		return fmt.Errorf("it has more than %d values or lines", MostValues)
	}
	return nil
}

// expansion counts what values expand to.
type expansion struct {
	sizes map[*yaml.Node]int64
	// open are the values that are being counted, in which an alias of themselves
	// would never end.
	open map[*yaml.Node]bool
}

func (e expansion) of(node *yaml.Node, depth int) (int64, error) {
	if node.Kind == yaml.AliasNode {
		node = node.Alias
	}
	if size, counted := e.sizes[node]; counted {
		return size, nil
	}
	switch {
	case e.open[node]:
		return 0, errors.New("it holds an alias within what the alias stands for")
	case depth > deepest:
		return 0, fmt.Errorf("its values are more than %d deep in each other", deepest)
	}
	e.open[node] = true
	size := int64(nodeSize + len(node.Value))
	for _, child := range node.Content {
		inner, err := e.of(child, depth+1)
		if err != nil {
			return 0, err
		}
		if size += inner; size > Largest {
			return 0, fmt.Errorf("its aliases expand to more than %d MiB", Largest>>20)
		}
	}
	delete(e.open, node)
	e.sizes[node] = size
	return size, nil
}
