package connection

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer/json"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
)

// ResponseError is the error of a successful response that does not hold what was asked
// for. client-go takes such a response for an empty object: nobody's name, an empty
// list, a right that is not given.
type ResponseError struct {
	// Found says what the response is, and Wanted what was asked for. They fit behind "the
	// response is" and "not".
	Found, Wanted string
}

// Error implements error.
func (e *ResponseError) Error() string {
	return fmt.Sprintf("the response is %s, not %s", e.Found, e.Wanted)
}

// checkResponses has every successful response checked to be of the kind that was asked
// for, before client-go decodes it. Events of a watch are left to the caller: client-go
// decodes each by its own kind. base is the path of the API server's address, which
// stands before the API's own paths.
func checkResponses(base string) func(http.RoundTripper) http.RoundTripper {
	return func(next http.RoundTripper) http.RoundTripper {
		return &responseCheck{next: next, base: strings.TrimSuffix(base, "/")}
	}
}

type responseCheck struct {
	next http.RoundTripper
	base string
}

// RoundTrip implements http.RoundTripper.
func (c *responseCheck) RoundTrip(call *http.Request) (*http.Response, error) {
	response, err := c.next.RoundTrip(call)
	if err != nil || response.StatusCode < http.StatusOK || response.StatusCode >= http.StatusMultipleChoices || isWatch(call) {
		return response, err
	}
	first := call
	for first.Response != nil {
		// It was redirected here.
		first = first.Response.Request
	}
	wanted, hasKind := askedFor(first.Method, strings.TrimPrefix(first.URL.Path, c.base))
	if !hasKind {
		return response, nil
	}
	body, err := io.ReadAll(response.Body)
	err = cmp.Or(err, response.Body.Close())
	if err != nil {
		return nil, err
	}
	found, err := kindOf(response.Header.Get("Content-Type"), body)
	if err != nil {
		return nil, &ResponseError{Found: err.Error(), Wanted: wanted.String()}
	}
	if !wanted.is(found) {
		return nil, &ResponseError{Found: "a " + describeKind(found), Wanted: wanted.String()}
	}
	response.Body = io.NopCloser(bytes.NewReader(body))
	return response, nil
}

// WrappedRoundTripper is what client-go looks for to reach the connections (see
// CloseIdle).
func (c *responseCheck) WrappedRoundTripper() http.RoundTripper { return c.next }

func isWatch(call *http.Request) bool {
	watch := call.URL.Query().Get("watch")
	return watch == "true" || watch == "1"
}

// asked is what a call asks for.
type asked struct {
	resource schema.GroupVersionResource
	// isList is true where many objects are asked for, and isDelete where the
	// object may as well be a Status.
	isList, isDelete bool
}

// askedFor reads from a call's path what it asks for. hasKind is false for paths that
// lead to no object: their callers check what they read.
func askedFor(method, path string) (_ asked, hasKind bool) {
	var a asked
	words := strings.Split(strings.TrimPrefix(path, "/"), "/")
	switch {
	case len(words) > 2 && words[0] == "apis":
		a.resource.Group, a.resource.Version, words = words[1], words[2], words[3:]
	case len(words) > 1 && words[0] == "api":
		a.resource.Version, words = words[1], words[2:]
	default:
		return asked{}, false
	}
	if len(words) > 2 && words[0] == "namespaces" {
		words = words[2:]
	}
	const resource, name, subresource = 0, 1, 2
	switch {
	case len(words) == resource:
		// What a version of a group serves.
		a.resource = schema.GroupVersionResource{Version: "v1", Resource: "apiresourcelists"}
		return a, true
	case len(words) > subresource && words[subresource] != "approval" && words[subresource] != "status":
		// A subresource with a kind of its own.
		return asked{}, false
	}
	a.resource.Resource = words[resource]
	a.isList = len(words) == name && method == http.MethodGet
	a.isDelete = method == http.MethodDelete
	return a, true
}

func (a asked) String() string {
	text := a.resource.Resource
	if group := a.resource.GroupVersion().String(); group != "v1" {
		text += " of " + group
	}
	return text
}

// is reports whether an object of a kind is what was asked for.
func (a asked) is(kind schema.GroupVersionKind) bool {
	if a.isDelete && kind == (schema.GroupVersionKind{Version: "v1", Kind: "Status"}) {
		return true
	}
	if a.isList {
		var isList bool
		if kind.Kind, isList = strings.CutSuffix(kind.Kind, "List"); !isList {
			return false
		}
	}
	plural, _ := meta.UnsafeGuessKindToResource(kind)
	return plural == a.resource
}

var errNoKind = errors.New("without apiVersion and kind")

// kindOf is the kind of the object in a response, read as client-go reads it.
func kindOf(contentType string, body []byte) (schema.GroupVersionKind, error) {
	if len(body) == 0 {
		return schema.GroupVersionKind{}, errors.New("empty")
	}
	mediaType, _, err := mime.ParseMediaType(contentType)
	if err != nil {
		return schema.GroupVersionKind{}, errors.New("of no known type")
	}
	var kind schema.GroupVersionKind
	switch mediaType {
	case runtime.ContentTypeJSON:
		read, err := json.DefaultMetaFactory.Interpret(body)
		if err != nil {
			// The error may quote the body.
			return schema.GroupVersionKind{}, errors.New("no valid JSON object")
		}
		kind = *read
	case runtime.ContentTypeProtobuf:
		// The envelope of k8s.io/apimachinery pkg/runtime/serializer/protobuf.
		encoded, isProtobuf := bytes.CutPrefix(body, []byte("k8s\x00"))
		var envelope runtime.Unknown
		if !isProtobuf || envelope.Unmarshal(encoded) != nil {
			return schema.GroupVersionKind{}, errors.New("no valid protobuf object")
		}
		kind = schema.FromAPIVersionAndKind(envelope.APIVersion, envelope.Kind)
	default:
		return schema.GroupVersionKind{}, fmt.Errorf("of the type %q", mediaType)
	}
	if kind.Kind == "" || kind.Version == "" {
		return schema.GroupVersionKind{}, errNoKind
	}
	return kind, nil
}

func describeKind(kind schema.GroupVersionKind) string {
	return identity.Printable(kind.Kind + " of " + kind.GroupVersion().String())
}
