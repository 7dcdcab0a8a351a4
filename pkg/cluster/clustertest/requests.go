package clustertest

import (
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"net/http"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const requestResource = "certificatesigningrequests"

// defaultLifetime is what the signer gives where nothing is asked for.
const defaultLifetime = 365 * 24 * time.Hour

// submit records who submitted a request, whatever the object says.
func submit(created object, who authenticationv1.UserInfo) {
	delete(created, "status")
	spec, isThere := created["spec"].(object)
	if !isThere {
		return
	}
	extra := object{}
	for key, values := range who.Extra {
		all := []any{}
		for _, value := range values {
			all = append(all, value)
		}
		extra[key] = all
	}
	groups := []any{}
	for _, group := range who.Groups {
		groups = append(groups, group)
	}
	spec["username"], spec["groups"], spec["extra"] = who.Username, groups, extra
}

// Decide approves or denies a request, as somebody else does.
func (s *Server) Decide(name string, decision certificatesv1.RequestConditionType) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	at := place{requestResource, "", name}
	decided := copyOf(s.objects[at])
	decided["status"] = object{"conditions": []any{object{
		"type": string(decision), "status": string(corev1.ConditionTrue), "reason": "ByTest", "lastUpdateTime": s.Now().UTC().Format(time.RFC3339),
	}}}
	s.keep("MODIFIED", at, decided)
	s.signApproved(at)
}

// updateStatus replaces the status of an object, and nothing else of it. An approval is signed.
func (s *Server) updateStatus(w http.ResponseWriter, c call) {
	var wanted object
	isApproval := c.subresource == "approval"
	if err := json.Unmarshal(c.body, &wanted); err != nil || !isApproval && c.subresource != "status" {
		fail(w, http.StatusBadRequest, metav1.StatusReasonBadRequest, "neither an approval nor a status")
		return
	}
	s.mutex.Lock()
	defer s.mutex.Unlock()
	found, isSame := s.foundAs(w, c, metaOf(wanted))
	if !isSame {
		return
	}
	changed := copyOf(found)
	changed["status"] = wanted["status"]
	if isApproval {
		s.stampConditions(changed)
	}
	Respond(w, http.StatusOK, s.storeUnlessDry("MODIFIED", c, changed))
	if isApproval && !c.dryRun {
		s.signApproved(c.place)
	}
}

// stampConditions records when the last condition was added.
func (s *store) stampConditions(decided object) {
	status, _ := decided["status"].(object)
	conditions, _ := status["conditions"].([]any)
	for _, condition := range conditions {
		if added, isObject := condition.(object); isObject && added["lastUpdateTime"] == nil {
			added["lastUpdateTime"] = s.Now().UTC().Format(time.RFC3339)
		}
	}
}

// signApproved stores a certificate in an approved request.
func (s *Server) signApproved(at place) {
	stored := copyOf(s.objects[at])
	text, err := json.Marshal(stored)
	if err != nil {
		return
	}
	var request certificatesv1.CertificateSigningRequest
	if json.Unmarshal(text, &request) != nil || s.IsUnsigned || request.Spec.SignerName != certificatesv1.KubeAPIServerClientSignerName {
		return
	}
	for _, condition := range request.Status.Conditions {
		if condition.Type != certificatesv1.CertificateApproved {
			continue
		}
		certificate, err := s.sign(&request)
		if err != nil {
			return
		}
		status, _ := stored["status"].(object)
		status["certificate"] = certificate
		s.keep("MODIFIED", at, stored)
	}
}

// sign returns a certificate in PEM, in the base64 of JSON.
func (s *Server) sign(request *certificatesv1.CertificateSigningRequest) (string, error) {
	block, _ := pem.Decode(request.Spec.Request)
	if block == nil {
		return "", errors.New("PEM block not found")
	}
	parsed, err := x509.ParseCertificateRequest(block.Bytes)
	if err != nil {
		return "", err
	}
	lifetime := defaultLifetime
	if request.Spec.ExpirationSeconds != nil {
		lifetime = time.Duration(*request.Spec.ExpirationSeconds) * time.Second
	}
	template := clientCertificate(parsed.Subject, s.Now(), lifetime)
	template.RawSubject = parsed.RawSubject
	if s.ChangeCertificate != nil {
		s.ChangeCertificate(template)
	}
	key := parsed.PublicKey
	if template.PublicKey != nil {
		key = template.PublicKey
	}
	certificate, err := s.authority.sign(template, key)
	if err != nil {
		return "", err
	}
	encoded, err := json.Marshal(certificate)
	if err != nil {
		return "", err
	}
	var text string
	return text, json.Unmarshal(encoded, &text)
}
