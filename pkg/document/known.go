package document

import "sigs.k8s.io/json"

// DecodeKnown reads JSON as Kubernetes does, and returns the paths of the fields that into does not know
// or that the text has twice, such as "key.origin". The error is the decoder's.
func DecodeKnown(text []byte, into any) (unknown []string, _ error) {
	strictErrs, err := json.UnmarshalStrict(text, into)
	for _, strictErr := range strictErrs {
		path := ""
		// One without a path is a field that is unknown all the same.
		if field, hasPath := strictErr.(interface{ FieldPath() string }); hasPath {
			path = field.FieldPath()
		}
		unknown = append(unknown, path)
	}
	return unknown, err
}
