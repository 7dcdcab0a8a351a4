package clustertest

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// object is a stored object as JSON has it.
type object = map[string]any

// place is where an object is stored: the resource, a namespace or "", and a name.
type place struct{ resource, namespace, name string }

// change is one version of an object, as a watch sends it.
type change struct {
	kind    string
	place   place
	version int
	object  object
}

// objectKind is what the objects of a resource are.
type objectKind struct{ apiVersion, kind string }

var resources = map[string]objectKind{
	"certificatesigningrequests":        {"certificates.k8s.io/v1", "CertificateSigningRequest"},
	"clusterroles":                      {"rbac.authorization.k8s.io/v1", "ClusterRole"},
	"roles":                             {"rbac.authorization.k8s.io/v1", "Role"},
	"clusterrolebindings":               {"rbac.authorization.k8s.io/v1", "ClusterRoleBinding"},
	"rolebindings":                      {"rbac.authorization.k8s.io/v1", "RoleBinding"},
	"configmaps":                        {"v1", "ConfigMap"},
	"namespaces":                        {"v1", "Namespace"},
	"pods":                              {"v1", "Pod"},
	"serviceaccounts":                   {"v1", "ServiceAccount"},
	"leases":                            {"coordination.k8s.io/v1", "Lease"},
	"validatingadmissionpolicies":       {"admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicy"},
	"validatingadmissionpolicybindings": {"admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicyBinding"},
	"clientcertificates":                {"csr-onboard.github.io/v1alpha1", "ClientCertificate"},
	"selfsubjectreviews":                {"authentication.k8s.io/v1", "SelfSubjectReview"},
	"selfsubjectaccessreviews":          {"authorization.k8s.io/v1", "SelfSubjectAccessReview"},
	"subjectaccessreviews":              {"authorization.k8s.io/v1", "SubjectAccessReview"},
}

// store is what the server stores.
type store struct {
	// Now is the server's clock.
	Now func() time.Time

	mutex    sync.Mutex
	objects  map[place]object
	version  int
	creation int
	changes  []change
	changed  chan struct{}
}

func newStore(now func() time.Time) *store {
	return &store{Now: now, objects: map[place]object{}, changed: make(chan struct{})}
}

// Put stores objects as they are, with a UID and a resourceVersion.
func (s *store) Put(t *testing.T, objects ...metav1.Object) {
	t.Helper()
	for _, one := range objects {
		stored, kind, err := toObject(one)
		if err != nil {
			t.Fatal(err)
		}
		s.mutex.Lock()
		s.keep("ADDED", place{resourceOf(kind), one.GetNamespace(), one.GetName()}, stored)
		s.mutex.Unlock()
	}
}

// Find reads an object into a value, and reports whether there is one.
func (s *store) Find(t *testing.T, name string, into metav1.Object) bool {
	t.Helper()
	_, kind, err := toObject(into)
	if err != nil {
		t.Fatal(err)
	}
	s.mutex.Lock()
	found, exists := s.objects[place{resourceOf(kind), into.GetNamespace(), name}]
	s.mutex.Unlock()
	if exists {
		fromObject(t, found, into)
	}
	return exists
}

// Names are the names of all objects of a resource, sorted.
func (s *store) Names(resource string) []string {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	names := []string{}
	for at := range s.objects {
		if at.resource == resource {
			names = append(names, at.name)
		}
	}
	slices.Sort(names)
	return names
}

// Remove deletes an object.
func (s *store) Remove(resource, namespace, name string) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.remove(place{resource, namespace, name})
}

// keep stores a version of an object, with a UID if it has none. The caller holds the mutex.
func (s *store) keep(kind string, at place, stored object) object {
	meta := metaOf(stored)
	meta["name"] = at.name
	if at.namespace != "" {
		meta["namespace"] = at.namespace
	}
	if text, _ := meta["uid"].(string); text == "" {
		s.creation++
		meta["uid"] = fmt.Sprintf("00000000-0000-4000-8000-%012d", s.creation)
	}
	if text, _ := meta["creationTimestamp"].(string); text == "" {
		meta["creationTimestamp"] = s.Now().UTC().Format(time.RFC3339)
	}
	s.version++
	meta["resourceVersion"] = strconv.Itoa(s.version)
	stored["apiVersion"], stored["kind"] = resources[at.resource].apiVersion, resources[at.resource].kind
	s.objects[at] = stored
	s.tell(change{kind, at, s.version, copyOf(stored)})
	return copyOf(stored)
}

func (s *store) remove(at place) {
	removed, exists := s.objects[at]
	if !exists {
		return
	}
	delete(s.objects, at)
	s.version++
	metaOf(removed)["resourceVersion"] = strconv.Itoa(s.version)
	s.tell(change{"DELETED", at, s.version, removed})
}

func (s *store) tell(c change) {
	s.changes = append(s.changes, c)
	close(s.changed)
	s.changed = make(chan struct{})
}

// after are the changes of a resource after a version, and a channel that is closed at the next.
func (s *store) after(resource string, version int) ([]change, <-chan struct{}) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	var later []change
	for _, c := range s.changes {
		if c.version > version && c.place.resource == resource {
			later = append(later, c)
		}
	}
	return later, s.changed
}

func metaOf(stored object) object {
	meta, isThere := stored["metadata"].(object)
	if !isThere {
		meta = object{}
		stored["metadata"] = meta
	}
	return meta
}

func copyOf(stored object) object { return runtime.DeepCopyJSON(stored) }

// resourceOf is the resource of a kind.
func resourceOf(kind string) string {
	for name, known := range resources {
		if known.kind == kind {
			return name
		}
	}
	return ""
}

// toObject is an object as JSON has it, and its kind by its type.
func toObject(one any) (stored object, kind string, _ error) {
	text, err := json.Marshal(one)
	if err != nil {
		return nil, "", err
	}
	if err := json.Unmarshal(text, &stored); err != nil {
		return nil, "", err
	}
	name := fmt.Sprintf("%T", one)
	return stored, name[strings.LastIndex(name, ".")+1:], nil
}

func fromObject(t *testing.T, stored object, into any) {
	t.Helper()
	text, err := json.Marshal(stored)
	if err == nil {
		err = json.Unmarshal(text, into)
	}
	if err != nil {
		t.Fatal(err)
	}
}
