package connection

import (
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"

	certificatesv1 "k8s.io/api/certificates/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/access"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
)

func TestErrors_WhatMayGoAwayByItself(t *testing.T) {
	requests := schema.GroupResource{Group: "certificates.k8s.io", Resource: "certificatesigningrequests"}
	of := func(err error) error { return &url.Error{Op: "Get", URL: "https://x", Err: err} }
	for _, test := range []struct {
		about     string
		err       error
		transient bool
	}{
		{"nobody listens", of(&net.OpError{Op: "dial", Err: errors.New("connection refused")}), true},
		{"the connection broke", of(errors.New("EOF")), true},
		{"too many requests", apierrors.NewTooManyRequests("later", 1), true},
		{"the server failed", apierrors.NewInternalError(errors.New("etcd")), true},
		{"who asks is revoked", apierrors.NewInternalError(errors.New("no such key: " + access.RevokedMessage)), false},
		{"who asks is revoked, and the denier is away", apierrors.NewInternalError(errors.New("Post https://127.0.0.1" + access.DenierPath)), false},
		{"an old version", apierrors.NewResourceExpired("too old"), true},
		{"forbidden", apierrors.NewForbidden(requests, "x", errors.New("no")), false},
		{"unauthorized", apierrors.NewUnauthorized("who"), false},
		{"an unknown authority", of(fmt.Errorf("tls: %w", x509.UnknownAuthorityError{})), false},
		{"another host's certificate", of(x509.HostnameError{Certificate: &x509.Certificate{}, Host: "x"}), false},
		{"a login plugin that is not there", of(errors.New("getting credentials: exec: executable not found")), false},
	} {
		if got := IsTransient(test.err); got != test.transient {
			t.Errorf("%s: %v", test.about, got)
		}
	}
}

func TestErrors_APermissionIsAskedForOnlyWhereOneIsMissing(t *testing.T) {
	const ask = "ask for permission"
	requests := schema.GroupResource{Group: "certificates.k8s.io", Resource: "certificatesigningrequests"}
	policy := errors.New("ValidatingAdmissionPolicy 'intake' with binding 'intake' denied request: no")
	for about, test := range map[string]struct {
		answer error
		want   string
	}{
		"no permission":          {apierrors.NewForbidden(requests, "x", errors.New(`User "jane" cannot create resource`)), ask},
		"a policy":               {apierrors.NewForbidden(requests, "x", policy), deniedByAdmission},
		"a webhook":              {apierrors.NewForbidden(requests, "x", errors.New(`admission webhook "a.example.com" denied the request: no`)), deniedByAdmission},
		"a webhook that is mute": {apierrors.NewForbidden(requests, "x", errors.New(`admission webhook "a.example.com" denied the request without explanation`)), deniedByAdmission},
		"a built-in plugin":      {apierrors.NewForbidden(requests, "x", errors.New("use of "+certificatesv1.KubeAPIServerClientSignerName+" signer with system:masters group is not allowed")), deniedByAdmission},
		"a user who is revoked":  {apierrors.NewForbidden(requests, "x", errors.New(access.RevokedMessage)), askAboutRevocation},
	} {
		err := new(Connection).ExplainForbidden(t.Context(), test.answer, "create x", ask)
		if hint := outcome.Hint(err); hint != test.want || !strings.HasPrefix(err.Error(), "forbidden: you cannot create x: ") {
			t.Errorf("%s: %v, %q", about, err, hint)
		}
	}
	invalid := &apierrors.StatusError{ErrStatus: metav1.Status{Code: http.StatusUnprocessableEntity, Reason: metav1.StatusReasonInvalid, Message: policy.Error()}}
	if err := new(Connection).Explain(t.Context(), invalid, "create x"); outcome.Hint(err) != deniedByAdmission || !strings.HasPrefix(err.Error(), "could not create x: ") {
		t.Errorf("a policy that calls it invalid: %v, %q", err, outcome.Hint(err))
	}
}

func TestErrors_OnlyThePermissionThatIsMissingIsAskedFor(t *testing.T) {
	configMaps := schema.GroupResource{Resource: "configmaps"}
	for want, answer := range map[string]error{
		"configmaps named csr-onboard-blocked in the namespace kube-system": apierrors.NewForbidden(configMaps, "csr-onboard-blocked",
			errors.New(`User "jane" cannot get resource "configmaps" in API group "" in the namespace "kube-system"`)),
		"leases.coordination.k8s.io in the namespace kube-system": apierrors.NewForbidden(schema.GroupResource{Group: "coordination.k8s.io", Resource: "leases"}, "",
			errors.New(`User "jane" cannot list resource "leases" in API group "coordination.k8s.io" in the namespace "kube-system"`)),
		"clusterroles.rbac.authorization.k8s.io": apierrors.NewForbidden(schema.GroupResource{Group: "rbac.authorization.k8s.io", Resource: "clusterroles"}, "", errors.New("at the cluster scope")),
		"configmaps":                             apierrors.NewForbidden(configMaps, "a;b", errors.New("in the namespace \"a b\"")),
	} {
		err := new(Connection).Explain(t.Context(), answer, "look")
		if hint := outcome.Hint(err); hint != "ask an administrator for that verb on "+want {
			t.Errorf("%v: %q, want %q", answer, hint, want)
		}
	}
}

func TestErrors_TheRevokedReadThatAndTheReason(t *testing.T) {
	pods := schema.GroupResource{Resource: "pods"}
	for about, test := range map[string]struct {
		answer error
		want   string
	}{
		"without a denier":   {apierrors.NewInternalError(errors.New("cel evaluation error: no such key: " + access.RevokedMessage)), access.RevokedMessage},
		"the denier is away": {apierrors.NewInternalError(errors.New("Post https://127.0.0.1" + access.DenierPath + ": refused")), access.RevokedMessage},
		"with a denier":      {apierrors.NewForbidden(pods, "", errors.New("cannot list: "+access.RevokedMessage)), access.RevokedMessage},
		"with a reason":      {apierrors.NewForbidden(pods, "", errors.New("cannot list: "+access.RevokedMessage+": left")), access.RevokedMessage + ": left"},
	} {
		found, isKnown := new(Connection).diagnoseAnswer(test.answer)
		if !isKnown || found.cause.Error() != test.want || !found.isForbidden || found.hint == "" || !errors.Is(found.cause, test.answer) {
			t.Errorf("%s: %+v, %v", about, found, found.cause)
		}
	}
}
