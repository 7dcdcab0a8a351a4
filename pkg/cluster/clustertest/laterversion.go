package clustertest

import (
	"net/http"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// ServedOnlyIn answers as an API server that serves a custom resource of csr-onboard in another version
// only, and others of the same group in "v1alpha1". It is for Server.Answer.
func ServedOnlyIn(version, resource string) func(http.ResponseWriter, *http.Request) bool {
	const group = "/apis/csr-onboard.github.io"
	return func(w http.ResponseWriter, r *http.Request) bool {
		switch {
		case r.URL.Path == group:
			Respond(w, http.StatusOK, metav1.APIGroup{
				TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "APIGroup"},
				Versions: []metav1.GroupVersionForDiscovery{{Version: "v1alpha1"}, {Version: version}},
			})
		case r.URL.Path == group+"/"+version:
			Respond(w, http.StatusOK, metav1.APIResourceList{
				TypeMeta:     metav1.TypeMeta{APIVersion: "v1", Kind: "APIResourceList"},
				APIResources: []metav1.APIResource{{Name: resource}, {Name: resource + "/status"}},
			})
		case strings.HasPrefix(r.URL.Path, group+"/v1alpha1/"+resource):
			w.Header().Set("Content-Type", "text/plain")
			w.WriteHeader(http.StatusNotFound)
			_, _ = w.Write([]byte("404 page not found\n"))
		default:
			return false
		}
		return true
	}
}
