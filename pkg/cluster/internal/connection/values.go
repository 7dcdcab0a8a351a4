package connection

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"mime"
	"net/http"
	"strings"
)

// A few bytes of an answer can become an object of a kilobyte: {} and null in JSON, two
// bytes in protobuf. So the values of an answer are counted before they are decoded.

// mostValues bounds the values in one answer, or in one event of a watch. A page of 500
// requests has a tenth of it.
const mostValues = 500_000

const (
	jsonType     = "application/json"
	protobufType = "application/vnd.kubernetes.protobuf"
)

// checkType refuses an answer in a form that was not asked for: client-go would decode
// YAML, with aliases, where a server says so. An error in another form is left to
// client-go as a text.
func checkType(wanted http.Header, answer *http.Response) error {
	text := answer.Header.Get("Content-Type")
	form, _, _ := mime.ParseMediaType(text)
	switch {
	case text == "", form == jsonType, form == protobufType, isRedirect(answer.StatusCode):
		return nil
	case form == TextType && wanted.Get("Accept") == TextType:
		return nil
	case answer.StatusCode >= http.StatusBadRequest:
		answer.Header.Set("Content-Type", "text/plain")
		return nil
	}
	return &ResponseError{Found: fmt.Sprintf("of the type %q", text), Wanted: "JSON or protobuf"}
}

// TextType is the form of metrics, which are not decoded by client-go.
const TextType = "text/plain"

// isRedirect reports whether a response leads elsewhere, which is for checkRedirect.
func isRedirect(status int) bool {
	return status >= http.StatusMultipleChoices && status < http.StatusBadRequest
}

func isJSON(header http.Header) bool {
	return strings.HasPrefix(header.Get("Content-Type"), jsonType)
}

// jsonValues returns how many values a piece of JSON begins, at most: each but the first
// of an object or list follows a comma.
func jsonValues(piece []byte) int64 {
	return int64(bytes.Count(piece, []byte{','}) + bytes.Count(piece, []byte{'{'}))
}

// protobufMagic begins every object in protobuf (Kubernetes
// runtime/serializer/protobuf).
const protobufMagic = "k8s\x00"

// protobufDepth is deeper than any of the messages that csr-onboard reads.
const protobufDepth = 16

// protobufValues returns how many values with a length a message holds, at all depths,
// and stops counting at most. A text may be counted as the message that it could be.
func protobufValues(message []byte, depth int, most int64) (n int64) {
	for len(message) > 0 && n <= most {
		tag, size := binary.Uvarint(message)
		if size <= 0 || tag>>3 == 0 {
			return n
		}
		message = message[size:]
		length := 0
		switch tag & 7 {
		case 0:
			if _, length = binary.Uvarint(message); length <= 0 {
				return n
			}
		case 1:
			length = 8
		case 5:
			length = 4
		case 3, 4:
			// A group's begin and end; its fields follow like any others.
		case 2:
			n++
			announced, size := binary.Uvarint(message)
			if size <= 0 || announced > uint64(len(message)-size) { //nolint:gosec // size is of the message.
				return n
			}
			message, length = message[size:], int(announced) //nolint:gosec // Not more than there is.
			if depth > 0 {
				n += protobufValues(message[:length], depth-1, most-n)
			}
		default:
			return n
		}
		if length > len(message) {
			return n
		}
		message = message[length:]
	}
	return n
}
