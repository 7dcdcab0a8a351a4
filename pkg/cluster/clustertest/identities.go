package clustertest

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"net/http"
	"slices"

	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/access"
)

// whoCalls is who a call's client certificate says.
func (s *Server) whoCalls(r *http.Request) (authenticationv1.UserInfo, bool) {
	if r.TLS == nil || len(r.TLS.PeerCertificates) == 0 {
		return authenticationv1.UserInfo{}, false
	}
	leaf := r.TLS.PeerCertificates[0]
	if _, err := leaf.Verify(x509.VerifyOptions{Roots: s.authority.pool(), CurrentTime: s.Now(), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}); err != nil {
		return authenticationv1.UserInfo{}, false
	}
	fingerprint := sha256.Sum256(leaf.Raw)
	return authenticationv1.UserInfo{
		Username: leaf.Subject.CommonName,
		Groups:   append(slices.Clone(leaf.Subject.Organization), "system:authenticated"),
		Extra:    map[string]authenticationv1.ExtraValue{access.CredentialIDKey: {access.CredentialID(fingerprint[:])}},
	}, true
}

// isAllowed reports whether a user, a member of groups, is permitted something.
func (s *Server) isAllowed(user string, groups []string, verb, resource string) bool {
	s.mutex.Lock()
	isRefused, isPermitted := s.refused[verb+" "+resource], s.permitted[user+" "+verb+" "+resource]
	s.mutex.Unlock()
	return !isRefused && (isPermitted || slices.Contains(groups, Masters) ||
		resource == "certificatesigningrequests" && slices.Contains([]string{"create", "get", "list", "watch"}, verb))
}

// review answers who somebody is, or what they are permitted to do.
func (s *Server) review(w http.ResponseWriter, c call) {
	var err error
	var answer any
	switch c.resource {
	case "selfsubjectreviews":
		answer = &authenticationv1.SelfSubjectReview{Status: authenticationv1.SelfSubjectReviewStatus{UserInfo: c.who}}
	case "selfsubjectaccessreviews":
		var asked authorizationv1.SelfSubjectAccessReview
		err = json.Unmarshal(c.body, &asked)
		asked.Status.Allowed = err == nil && s.isAllowed(c.who.Username, c.who.Groups, asked.Spec.ResourceAttributes.Verb, targetOf(asked.Spec.ResourceAttributes))
		answer = &asked
	default:
		var asked authorizationv1.SubjectAccessReview
		err = json.Unmarshal(c.body, &asked)
		asked.Status.Allowed = err == nil && s.isAllowed(asked.Spec.User, asked.Spec.Groups, asked.Spec.ResourceAttributes.Verb, targetOf(asked.Spec.ResourceAttributes))
		answer = &asked
	}
	reviewed := object{}
	if err == nil {
		reviewed, _, err = toObject(answer)
	}
	if err != nil {
		fail(w, http.StatusBadRequest, metav1.StatusReasonBadRequest, err.Error())
		return
	}
	reviewed["apiVersion"], reviewed["kind"] = resources[c.resource].apiVersion, resources[c.resource].kind
	Respond(w, http.StatusCreated, reviewed)
}

func targetOf(asked *authorizationv1.ResourceAttributes) string {
	if asked.Subresource != "" {
		return asked.Resource + "/" + asked.Subresource
	}
	return asked.Resource
}

// blockRefusal is how the API server says that the policy of the program refused a write.
const blockRefusal = "ValidatingAdmissionPolicy '" + access.BlockName + "' with binding '" + access.BlockName + "' denied request: " + access.BlockMessage

// isBlocked reports whether the policy of the program refuses a write by who is impersonated.
func (s *Server) isBlocked(c call) bool {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	list, exists := s.objects[place{"configmaps", access.BlockNamespace, access.BlockName}]
	_, isInForce := s.objects[place{"validatingadmissionpolicybindings", "", access.BlockName}]
	if !exists || !isInForce {
		return false
	}
	var blocked corev1.ConfigMap
	if text, err := json.Marshal(list); err != nil || json.Unmarshal(text, &blocked) != nil {
		return false
	}
	_, byName := blocked.Data[access.Blocked{User: c.request.Header.Get("Impersonate-User")}.Key()]
	_, byCertificate := blocked.Data[access.Blocked{CredentialID: c.request.Header.Get("Impersonate-Extra-Authentication.kubernetes.io%2fcredential-Id")}.Key()]
	return byName || byCertificate
}

// RespondWho answers a call that asks who calls, with another user than the certificate's.
func RespondWho(w http.ResponseWriter, name string, groups ...string) {
	Respond(w, http.StatusCreated, object{
		"apiVersion": authenticationv1.SchemeGroupVersion.String(), "kind": "SelfSubjectReview",
		"status": object{"userInfo": object{"username": name, "groups": groups}},
	})
}
