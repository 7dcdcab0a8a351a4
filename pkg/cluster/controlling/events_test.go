package controlling_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"unicode/utf8"

	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes/scheme"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cluster/clustertest"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cluster/controlling"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
)

// longest is how long the message of an event may be (Kubernetes
// pkg/apis/core/validation/events.go).
const longest = 1024

// TestEvents_ALongMessageIsCutBetweenTwoCharacters writes messages in which each place to cut is
// within a character once: an API server refuses a message that is not UTF-8.
func TestEvents_ALongMessageIsCutBetweenTwoCharacters(t *testing.T) {
	server := clustertest.New(t)
	var written []*corev1.Event
	server.Answer = func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.HasSuffix(r.URL.Path, "/events") {
			return false
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		decoded, _, err := scheme.Codecs.UniversalDeserializer().Decode(body, nil, nil)
		if err != nil {
			t.Errorf("%v: %q", err, body)
			return false
		}
		event, _ := decoded.(*corev1.Event)
		written = append(written, event)
		clustertest.Respond(w, http.StatusCreated, event)
		return true
	}
	cluster := server.Admin(t).Controlling()
	object := request.Of(&certificatesv1.CertificateSigningRequest{})
	object.Name, object.UID = "jane", "uid-1"
	for i := range 4 {
		text := strings.Repeat("x", i) + strings.Repeat("😀", longest)
		if err := cluster.Outcomes().Write(t.Context(), object, request.PolicyOutcome{Why: text}); err != nil {
			t.Error(err)
		}
		if err := cluster.Events("test").Emit(t.Context(), controlling.Event{Reason: "Test", Message: text}); err != nil {
			t.Error(err)
		}
	}
	if len(written) != 8 {
		t.Fatalf("%d events were written", len(written))
	}
	for _, event := range written {
		if length := len(event.Message); length > longest || length < longest-8 || !utf8.ValidString(event.Message) || !strings.HasSuffix(event.Message, "...") {
			t.Errorf("%d bytes: %q", length, event.Message)
		}
	}
}
