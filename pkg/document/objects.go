package document

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"
)

// Objects are the texts of the Kubernetes objects in a file, in YAML or JSON: of each document, and of
// each item of a list, as kubectl get -o yaml writes several objects. An item that has no apiVersion and
// kind gets those of its list, as in answers of the API server. Documents that hold nothing are left
// out, and other data than an object is handed over as it is. The error is that of Check, or of a list that
// cannot be read.
func Objects(data []byte) ([][]byte, error) {
	if err := Check(data); err != nil {
		return nil, err
	}
	var all [][]byte
	documents := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(data)))
	for {
		text, err := documents.Read()
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return nil, err
		}
		if isEmpty(text) {
			continue
		}
		objects, err := itemsOf(text)
		if err != nil {
			return nil, err
		}
		all = append(all, objects...)
	}
}

// isEmpty reports whether a document holds nothing but comments, which kubectl passes over as well.
func isEmpty(text []byte) bool {
	for line := range bytes.Lines(text) {
		if line = bytes.TrimSpace(line); len(line) > 0 && line[0] != '#' && string(line) != "---" {
			return false
		}
	}
	return true
}

// itemsOf are the items of a list, and any other document itself.
func itemsOf(text []byte) ([][]byte, error) {
	var kind metav1.TypeMeta
	if yaml.Unmarshal(text, &kind) != nil || !strings.HasSuffix(kind.Kind, "List") {
		return [][]byte{text}, nil
	}
	var list struct {
		metav1.TypeMeta `json:",inline"`
		metav1.ListMeta `json:"metadata"`
		Items           []map[string]json.RawMessage `json:"items"`
	}
	if yaml.UnmarshalStrict(text, &list) != nil {
		// The text of the YAML library quotes the document.
		return nil, fmt.Errorf("the list of kind %q cannot be read: it has apiVersion, kind, metadata and items, each once", kind.Kind)
	}
	items := make([][]byte, len(list.Items))
	for i, item := range list.Items {
		if item["kind"] == nil && item["apiVersion"] == nil && item != nil {
			// Texts can always be encoded.
			item["apiVersion"], _ = json.Marshal(kind.APIVersion)
			item["kind"], _ = json.Marshal(strings.TrimSuffix(kind.Kind, "List"))
		}
		var err error
		if items[i], err = json.Marshal(item); err != nil {
			return nil, err
		}
	}
	return items, nil
}
