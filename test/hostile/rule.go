package hostile

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Rule says what becomes of some calls in place of the API server's answer.
type Rule struct {
	// Method and Path say which calls it is for: Path is the end of theirs. Optional: any.
	Method, Path string
	// When says which of those. Optional: all.
	When func(call *http.Request) bool
	// Every changes only each so many calls. Optional: each.
	Every int
	// After leaves so many calls as they are, and Times says how many are changed then.
	// Optional: none, and all.
	After, Times int
	// Do is what becomes of them. Required.
	Do Answer

	// seen counts the calls that it is for.
	seen int
}

// Answer answers a call, or passes it on.
type Answer func(w http.ResponseWriter, call *http.Request, pass http.Handler)

// isFor reports whether the rule changes a call, and counts it.
func (r *Rule) isFor(call *http.Request) bool {
	if r.Method != "" && r.Method != call.Method || !strings.HasSuffix(call.URL.Path, r.Path) || r.When != nil && !r.When(call) {
		return false
	}
	r.seen++
	n := r.seen - r.After
	return n > 0 && (r.Times == 0 || n <= r.Times) && (r.Every == 0 || n%r.Every == 0)
}

// IsWatch reports whether a call is a watch, which ends only when somebody ends it.
func IsWatch(call *http.Request) bool { return call.URL.Query().Get("watch") != "" }

// Status answers with a failure, as an API server puts it.
func Status(code int, reason metav1.StatusReason, message string) Answer {
	body, err := json.Marshal(&metav1.Status{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Status"},
		Status:   metav1.StatusFailure, Reason: reason, Message: message, Code: int32(code), //nolint:gosec // The codes of HTTP have three digits.
	})
	if err != nil {
		panic(err)
	}
	return Text(code, "application/json", string(body))
}

// ExpiredPage answers, to a call for another page of a list, that the version of the list is
// too old, with the token for the rest as it is now (k8s.io/apiserver
// pkg/storage/etcd3 handleCompactedErrorForPaging).
func ExpiredPage(w http.ResponseWriter, call *http.Request, _ http.Handler) {
	token := map[string]any{}
	decoded, err := base64.RawURLEncoding.DecodeString(call.URL.Query().Get("continue"))
	if err == nil {
		err = json.Unmarshal(decoded, &token)
	}
	if err != nil {
		panic(err)
	}
	token["rv"] = -1
	body, err := json.Marshal(&metav1.Status{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Status"},
		ListMeta: metav1.ListMeta{Continue: base64.RawURLEncoding.EncodeToString(encode(token))},
		Status:   metav1.StatusFailure, Reason: metav1.StatusReasonExpired, Message: "the provided continue parameter is too old", Code: http.StatusGone,
	})
	if err != nil {
		panic(err)
	}
	Text(http.StatusGone, "application/json", string(body))(w, call, nil)
}

// Text answers with a text of some type.
func Text(code int, contentType, body string) Answer {
	return func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
		w.Header().Set("Content-Type", contentType)
		w.WriteHeader(code)
		_, _ = io.WriteString(w, body)
	}
}

// RetryLater answers that there are too many calls, and to come back in a second.
func RetryLater(w http.ResponseWriter, call *http.Request, pass http.Handler) {
	w.Header().Set("Retry-After", "1")
	Text(http.StatusTooManyRequests, "text/plain", "slow down")(w, call, pass)
}

// Drop ends the connection without an answer, before the API server has seen the call.
func Drop(http.ResponseWriter, *http.Request, http.Handler) { panic(http.ErrAbortHandler) }

// DropDone ends the connection without an answer, after the API server has done what the
// call asks for.
func DropDone(_ http.ResponseWriter, call *http.Request, pass http.Handler) {
	pass.ServeHTTP(httptest.NewRecorder(), call)
	panic(http.ErrAbortHandler)
}

// Silent never answers: it ends when the caller hangs up.
func Silent(_ http.ResponseWriter, call *http.Request, _ http.Handler) {
	// Only when the body is read does net/http notice that an HTTP/1 connection ends.
	_, _ = io.Copy(io.Discard, call.Body)
	<-call.Context().Done()
	panic(http.ErrAbortHandler)
}

// Redirect sends the caller to the same path of another address.
func Redirect(address string) Answer {
	return func(w http.ResponseWriter, call *http.Request, _ http.Handler) {
		http.Redirect(w, call, address+call.URL.RequestURI(), http.StatusTemporaryRedirect) //nolint:gosec // The front is hostile.
	}
}

// Endless answers with white space, which JSON allows, until nobody reads any more.
func Endless(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
	w.Header().Set("Content-Type", "application/json")
	blank := bytes.Repeat([]byte(" "), 1<<20)
	for {
		if _, err := w.Write(blank); err != nil {
			return
		}
	}
}

// First does something, and then lets a call have its answer.
func First(do func(), answer Answer) Answer {
	return func(w http.ResponseWriter, call *http.Request, pass http.Handler) {
		do()
		answer(w, call, pass)
	}
}

// Pass lets a call have the API server's answer.
func Pass(w http.ResponseWriter, call *http.Request, pass http.Handler) { pass.ServeHTTP(w, call) }

// Edit passes a call on and changes the object in its answer, as JSON decodes it; of a watch
// each event's object. A failure stays as it is.
func Edit(edit func(object map[string]any)) Answer {
	return func(w http.ResponseWriter, call *http.Request, pass http.Handler) {
		call.Header.Set("Accept", "application/json")
		call.Header.Del("Accept-Encoding")
		if IsWatch(call) {
			editEvents(w, call, pass, edit)
			return
		}
		answer := httptest.NewRecorder()
		pass.ServeHTTP(answer, call)
		body := answer.Body.Bytes()
		var object map[string]any
		if answer.Code < http.StatusMultipleChoices && json.Unmarshal(body, &object) == nil {
			edit(object)
			body = encode(object)
		}
		w.Header().Set("Content-Type", answer.Header().Get("Content-Type"))
		w.WriteHeader(answer.Code)
		_, _ = w.Write(body)
	}
}

// editEvents changes the objects of a watch as its events come.
func editEvents(w http.ResponseWriter, call *http.Request, pass http.Handler, edit func(map[string]any)) {
	reader, writer := io.Pipe()
	done := make(chan struct{})
	go func() {
		defer close(done)
		flush := http.NewResponseController(w)
		for decoder := json.NewDecoder(reader); ; {
			var event map[string]any
			if decoder.Decode(&event) != nil {
				break
			}
			if object, isObject := event["object"].(map[string]any); isObject {
				edit(object)
			}
			_, _ = w.Write(append(encode(event), '\n'))
			_ = flush.Flush()
		}
		// What is not an event ends the watch.
		_ = reader.Close()
	}()
	pass.ServeHTTP(&piped{ResponseWriter: w, to: writer}, call)
	_ = writer.Close()
	<-done
}

// piped is a response whose body goes elsewhere.
type piped struct {
	http.ResponseWriter
	to io.Writer
}

// Write implements io.Writer.
func (p *piped) Write(data []byte) (int, error) { return p.to.Write(data) }

// Unwrap is what http.ResponseController looks for.
func (p *piped) Unwrap() http.ResponseWriter { return p.ResponseWriter }

func encode(object map[string]any) []byte {
	encoded, err := json.Marshal(object)
	if err != nil {
		panic(err)
	}
	return encoded
}

// NamedUser edits a SelfSubjectReview: it is of another user.
func NamedUser(name string) func(review map[string]any) {
	return func(review map[string]any) { field(field(review, "status"), "userInfo")["username"] = name }
}

// InGroups edits a SelfSubjectReview: the user is in these groups and in no others.
func InGroups(groups ...string) func(review map[string]any) {
	return func(review map[string]any) { field(field(review, "status"), "userInfo")["groups"] = groups }
}

// EndlessPages edits a list: it says each time that there is more, with another token.
func EndlessPages() func(list map[string]any) {
	var pages atomic.Int64
	return func(list map[string]any) {
		if _, isList := list["items"]; isList {
			field(list, "metadata")["continue"] = "page-" + strconv.FormatInt(pages.Add(1), 10)
		}
	}
}

// Certified edits requests, and lists of them: where one has a certificate, it is this one, in
// PEM.
func Certified(certificate []byte) func(object map[string]any) {
	return eachObject(func(object map[string]any) {
		if status := field(object, "status"); status["certificate"] != nil {
			status["certificate"] = certificate
		}
	})
}

// eachObject edits each object of a list, or the one that it is.
func eachObject(edit func(map[string]any)) func(map[string]any) {
	return func(object map[string]any) {
		items, isList := object["items"].([]any)
		if !isList {
			edit(object)
		}
		for _, item := range items {
			if each, isObject := item.(map[string]any); isObject {
				edit(each)
			}
		}
	}
}

// field is a field that is an object itself; it is created where it is missing.
func field(object map[string]any, name string) map[string]any {
	if inner, isObject := object[name].(map[string]any); isObject {
		return inner
	}
	inner := map[string]any{}
	object[name] = inner
	return inner
}
