package request

import (
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
)

// neverIssued is how the names of requests begin that Amazon EKS leaves alone.
const neverIssued = "csr-"

// kubernetesSigners is the domain of the signers that come with Kubernetes.
const kubernetesSigners = "kubernetes.io/"

// ParseSigner reads the name of a signer, "example.com/signer-name", by the API
// server's own rule (Kubernetes pkg/apis/certificates/validation). Of those that come
// with Kubernetes only Signer issues certificates for users. The error is an
// outcome.ErrUsage.
func ParseSigner(text string) (string, error) {
	domain, path, _ := strings.Cut(text, "/")
	switch {
	case len(validation.IsDNS1123Subdomain(domain)) > 0, !strings.Contains(domain, "."), len(validation.IsDNS1123Subdomain(path)) > 0:
		return "", outcome.WithHint(
			outcome.Errorf(outcome.ErrUsage, "%q is not a valid signer name", text),
			"a domain and a name, such as example.com/user-signer; the cluster's own is %s", Signer)
	case strings.HasPrefix(text, kubernetesSigners) && text != Signer:
		return "", outcome.WithHint(
			outcome.Errorf(outcome.ErrUsage, "the signer %q issues no users' certificates", text),
			"of the signers that come with Kubernetes, %s does", Signer)
	}
	return text, nil
}

// ParseName reads a name for a request object: a DNS subdomain in lower case, and none
// that some clusters never issue. The error is an outcome.ErrUsage.
func ParseName(text string) (string, error) {
	if problems := validation.IsDNS1123Subdomain(text); len(problems) > 0 {
		return "", outcome.WithHint(
			outcome.Errorf(outcome.ErrUsage, "%q is not a valid name of a certificate signing request", text), "%s", problems[0])
	}
	if strings.HasPrefix(text, neverIssued) {
		return "", outcome.WithHint(
			outcome.Errorf(outcome.ErrUsage, "a request with the name %q is never issued on Amazon EKS", text),
			"use a name that does not begin with %s", neverIssued)
	}
	return text, nil
}
