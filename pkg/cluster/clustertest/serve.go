package clustertest

import (
	"encoding/json"
	"io"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
)

// call is a call as the server understands it.
type call struct {
	place
	verb, subresource string
	who               authenticationv1.UserInfo
	dryRun            bool
	request           *http.Request
	body              []byte
}

// target is the resource with its subresource, as authorization names it.
func (c call) target() string {
	if c.subresource != "" {
		return c.resource + "/" + c.subresource
	}
	return c.resource
}

func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	if s.Answer != nil && s.Answer(w, r) {
		return
	}
	c, isResource := parse(r)
	switch {
	case r.URL.Path == "/version":
		Respond(w, http.StatusOK, object{"gitVersion": s.Version, "major": "1"})
		return
	case strings.Count(r.URL.Path, "/") == 3 && strings.HasPrefix(r.URL.Path, "/apis/"):
		Respond(w, http.StatusOK, object{"apiVersion": "v1", "kind": "APIResourceList", "resources": []any{}})
		return
	case !isResource:
		fail(w, http.StatusNotFound, metav1.StatusReasonNotFound, r.URL.Path+" not found")
		return
	}
	var isKnown bool
	if c.who, isKnown = s.whoCalls(r); !isKnown {
		fail(w, http.StatusUnauthorized, metav1.StatusReasonUnauthorized, "Unauthorized")
		return
	}
	if !strings.HasPrefix(c.resource, "self") && !s.isAllowed(c.who.Username, c.who.Groups, c.verb, c.target()) {
		fail(w, http.StatusForbidden, metav1.StatusReasonForbidden, `User "`+c.who.Username+`" cannot `+c.verb+` `+c.target())
		return
	}
	var err error
	if c.body, err = body(r, s.decoder); err != nil {
		fail(w, http.StatusBadRequest, metav1.StatusReasonBadRequest, err.Error())
		return
	}
	s.answer(w, c)
}

// parse reads the path of a call.
func parse(r *http.Request) (call, bool) {
	words := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	switch words[0] {
	case "api":
		words = words[min(2, len(words)):]
	case "apis":
		words = words[min(3, len(words)):]
	default:
		return call{}, false
	}
	c := call{request: r, dryRun: r.URL.Query().Has("dryRun")}
	if len(words) > 2 && words[0] == "namespaces" {
		c.namespace, words = words[1], words[2:]
	}
	if len(words) == 0 || resources[words[0]].kind == "" {
		return call{}, false
	}
	c.resource = words[0]
	if len(words) > 1 {
		c.name = words[1]
	}
	if len(words) > 2 {
		c.subresource = words[2]
	}
	switch {
	case r.Method == http.MethodPost:
		c.verb = "create"
	case r.Method == http.MethodPut:
		c.verb = "update"
	case r.Method == http.MethodPatch:
		c.verb = "patch"
	case r.Method == http.MethodDelete:
		c.verb = "delete"
	case c.name != "":
		c.verb = "get"
	case r.URL.Query().Has("watch"):
		c.verb = "watch"
	default:
		c.verb = "list"
	}
	return c, true
}

func (s *Server) answer(w http.ResponseWriter, c call) {
	switch {
	case strings.HasSuffix(c.resource, "reviews"):
		s.review(w, c)
	case c.verb == "create" && c.request.Header.Get("Impersonate-User") != "" && s.isBlocked(c):
		fail(w, http.StatusForbidden, metav1.StatusReasonForbidden, blockRefusal)
	case c.verb == "create":
		s.create(w, c)
	case c.verb == "update":
		s.updateStatus(w, c)
	case c.verb == "patch":
		s.patch(w, c)
	case c.verb == "delete":
		s.delete(w, c)
	case c.verb == "watch":
		s.watch(w, c)
	case c.verb == "list":
		s.list(w, c)
	default:
		s.mutex.Lock()
		found, exists := s.objects[c.place]
		s.mutex.Unlock()
		if !exists {
			notFound(w, c)
			return
		}
		Respond(w, http.StatusOK, found)
	}
}

func (s *Server) create(w http.ResponseWriter, c call) {
	var created object
	if err := json.Unmarshal(c.body, &created); err != nil {
		fail(w, http.StatusBadRequest, metav1.StatusReasonBadRequest, err.Error())
		return
	}
	if c.name, _ = metaOf(created)["name"].(string); c.name == "" {
		generated, _ := metaOf(created)["generateName"].(string)
		c.name = generated + "x"
	}
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if _, exists := s.objects[c.place]; exists {
		fail(w, http.StatusConflict, metav1.StatusReasonAlreadyExists, c.resource+` "`+c.name+`" already exists`)
		return
	}
	if c.resource == "certificatesigningrequests" {
		submit(created, c.who)
	}
	Respond(w, http.StatusCreated, s.storeUnlessDry("ADDED", c, created))
}

// storeUnlessDry stores an object, or returns what would be stored in a dry run.
func (s *Server) storeUnlessDry(kind string, c call, stored object) object {
	if c.dryRun {
		return newStore(s.Now).keep(kind, c.place, stored)
	}
	return s.keep(kind, c.place, stored)
}

// patch merges: of server-side apply that is what matters to the program.
func (s *Server) patch(w http.ResponseWriter, c call) {
	var wanted object
	if err := json.Unmarshal(c.body, &wanted); err != nil {
		fail(w, http.StatusBadRequest, metav1.StatusReasonBadRequest, err.Error())
		return
	}
	s.mutex.Lock()
	defer s.mutex.Unlock()
	found, exists := s.objects[c.place]
	isApply := strings.HasPrefix(c.request.Header.Get("Content-Type"), "application/apply-patch")
	switch {
	case !exists && !isApply:
		notFound(w, c)
	case !exists:
		Respond(w, http.StatusCreated, s.storeUnlessDry("ADDED", c, wanted))
	case !isSeen(found, metaOf(wanted)):
		conflict(w, c)
	default:
		merged := copyOf(found)
		merge(merged, wanted)
		metaOf(merged)["creationTimestamp"] = metaOf(found)["creationTimestamp"]
		if reflect.DeepEqual(merged, found) {
			// What changes nothing is not a new version.
			Respond(w, http.StatusOK, found)
			return
		}
		Respond(w, http.StatusOK, s.storeUnlessDry("MODIFIED", c, merged))
	}
}

// merge applies a JSON merge patch (RFC 7396).
func merge(into, patch object) {
	for key, value := range patch {
		part, isObject := value.(object)
		existing, isThere := into[key].(object)
		switch {
		case value == nil:
			delete(into, key)
		case isObject && isThere:
			merge(existing, part)
		default:
			into[key] = value
		}
	}
}

func (s *Server) delete(w http.ResponseWriter, c call) {
	var options struct {
		Preconditions object
		DryRun        []string
	}
	if len(c.body) > 0 {
		if err := json.Unmarshal(c.body, &options); err != nil {
			fail(w, http.StatusBadRequest, metav1.StatusReasonBadRequest, err.Error())
			return
		}
	}
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if _, isSame := s.foundAs(w, c, options.Preconditions); !isSame {
		return
	}
	if len(options.DryRun) == 0 {
		s.remove(c.place)
	}
	Respond(w, http.StatusOK, object{"apiVersion": "v1", "kind": "Status", "status": "Success"})
}

// foundAs is the object that a call names, if it is the one, in the version, that the change names.
// Else it answers the call.
func (s *Server) foundAs(w http.ResponseWriter, c call, seen object) (_ object, isSame bool) {
	found, exists := s.objects[c.place]
	switch {
	case !exists:
		notFound(w, c)
	case !isSeen(found, seen):
		conflict(w, c)
	default:
		return found, true
	}
	return nil, false
}

// isSeen reports whether an object is the one, in the version, that a change names.
func isSeen(stored, seen object) bool {
	for _, field := range []string{"uid", "resourceVersion"} {
		if wanted, _ := seen[field].(string); wanted != "" && wanted != metaOf(stored)[field] {
			return false
		}
	}
	return true
}

// isSelected reports whether a list or a watch asks for an object.
func isSelected(c call, stored object) bool {
	query := c.request.URL.Query()
	byField, err := fields.ParseSelector(query.Get("fieldSelector"))
	if err != nil {
		return false
	}
	byLabel, err := labels.Parse(query.Get("labelSelector"))
	if err != nil {
		return false
	}
	name, _ := metaOf(stored)["name"].(string)
	known := fields.Set{"metadata.name": name}
	if spec, isThere := stored["spec"].(object); isThere {
		known["spec.signerName"], _ = spec["signerName"].(string)
		known["spec.user"], _ = spec["user"].(string)
	}
	marked := labels.Set{}
	if all, isThere := metaOf(stored)["labels"].(object); isThere {
		for key, value := range all {
			marked[key], _ = value.(string)
		}
	}
	return byField.Matches(known) && byLabel.Matches(marked)
}

func (s *Server) list(w http.ResponseWriter, c call) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	var places []place
	for at, stored := range s.objects {
		if at.resource == c.resource && (c.namespace == "" || at.namespace == c.namespace) && isSelected(c, stored) {
			places = append(places, at)
		}
	}
	slices.SortFunc(places, func(a, b place) int { return strings.Compare(a.namespace+"/"+a.name, b.namespace+"/"+b.name) })
	items := make([]object, len(places))
	for i, at := range places {
		items[i] = s.objects[at]
	}
	known := resources[c.resource]
	Respond(w, http.StatusOK, object{
		"apiVersion": known.apiVersion, "kind": known.kind + "List",
		"metadata": object{"resourceVersion": strconv.Itoa(s.version)}, "items": items,
	})
}

func (s *Server) watch(w http.ResponseWriter, c call) {
	w.WriteHeader(http.StatusOK)
	version, _ := strconv.Atoi(c.request.URL.Query().Get("resourceVersion"))
	for {
		later, next := s.after(c.resource, version)
		for _, one := range later {
			version = one.version
			if isSelected(c, one.object) {
				_ = json.NewEncoder(w).Encode(object{"type": one.kind, "object": one.object})
			}
		}
		w.(http.Flusher).Flush()
		select {
		case <-next:
		case <-c.request.Context().Done():
			return
		}
	}
}

// newDecoder makes what decodes what clients send in protobuf.
func newDecoder() runtime.Decoder {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{
		certificatesv1.AddToScheme, rbacv1.AddToScheme, corev1.AddToScheme, authenticationv1.AddToScheme, authorizationv1.AddToScheme, admissionregistrationv1.AddToScheme,
	} {
		utilruntime.Must(add(scheme))
	}
	return serializer.NewCodecFactory(scheme).UniversalDeserializer()
}

// body is the body of a call as JSON.
func body(r *http.Request, decoder runtime.Decoder) ([]byte, error) {
	text, err := io.ReadAll(r.Body)
	if err != nil || !strings.HasPrefix(r.Header.Get("Content-Type"), runtime.ContentTypeProtobuf) {
		return text, err
	}
	decoded, _, err := decoder.Decode(text, nil, nil)
	if err != nil {
		return nil, err
	}
	return json.Marshal(decoded)
}

// Respond answers a call with an object.
func Respond(w http.ResponseWriter, code int, answer any) {
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(answer)
}

// Fail answers a call with an error, as the API server does.
func Fail(w http.ResponseWriter, code int, reason metav1.StatusReason) {
	fail(w, code, reason, "by the test")
}

func fail(w http.ResponseWriter, code int, reason metav1.StatusReason, message string) {
	Respond(w, code, object{"apiVersion": "v1", "kind": "Status", "status": "Failure", "code": code, "reason": reason, "message": message})
}

func notFound(w http.ResponseWriter, c call) {
	Respond(w, http.StatusNotFound, object{
		"apiVersion": "v1", "kind": "Status", "status": "Failure", "code": http.StatusNotFound, "reason": metav1.StatusReasonNotFound,
		"message": c.resource + ` "` + c.name + `" not found`, "details": object{"name": c.name, "kind": c.resource},
	})
}

func conflict(w http.ResponseWriter, c call) {
	fail(w, http.StatusConflict, metav1.StatusReasonConflict, `the object "`+c.name+`" has been modified`)
}
