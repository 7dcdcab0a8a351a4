package connection

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
)

// badHost is an address that no client can be made of.
const badHost = "https://%zz"

func TestOpen_AnAddressThatIsNoneIsAnError(t *testing.T) {
	settings := Settings{Config: &rest.Config{Host: badHost}, Now: time.Now}
	if _, err := Open(settings); err == nil {
		t.Error("a client was made of it")
	}
	if _, err := OpenOver(settings, http.DefaultTransport); err == nil {
		t.Error("a client was made of it over another transport")
	}
	if path := pathOf(settings.Config); path != "" {
		t.Errorf("its path is %q", path)
	}
	api := &Connection{config: settings.Config, transport: http.DefaultClient}
	if _, err := NewCustom(api, CustomKind[*corev1.ConfigMap]{Version: corev1.SchemeGroupVersion, Kind: "ConfigMap", Resource: "configmaps", New: func() *corev1.ConfigMap { return &corev1.ConfigMap{} }}); err == nil {
		t.Error("a client of a custom resource was made of it")
	}
}

func TestCustomList_ACopyIsOneOfItsOwn(t *testing.T) {
	list := &customList[*corev1.ConfigMap]{
		TypeMeta: metav1.TypeMeta{Kind: "List"}, ListMeta: metav1.ListMeta{ResourceVersion: "7"},
		Items: []*corev1.ConfigMap{{Data: map[string]string{"key": "value"}}, {}},
	}
	copied, isList := list.DeepCopyObject().(*customList[*corev1.ConfigMap])
	if !isList || copied.Kind != "List" || copied.ResourceVersion != "7" || len(copied.Items) != 2 || copied.Items[0].Data["key"] != "value" {
		t.Fatalf("%+v", copied)
	}
	copied.Items[0].Data["key"], copied.Items[1], copied.ResourceVersion = "changed", nil, "8"
	if list.Items[0].Data["key"] != "value" || list.Items[1] == nil || list.ResourceVersion != "7" {
		t.Errorf("the original became %+v", list)
	}
}

func TestRedirects_TheyStayAtTheAddressAndEnd(t *testing.T) {
	call := func(address string) *http.Request {
		parsed, err := url.Parse(address)
		if err != nil {
			t.Fatal(err)
		}
		return &http.Request{URL: parsed}
	}
	for _, test := range []struct {
		first, next string
		followed    int
		says        []string
	}{
		{"https://Host", "https://host:443/path", 1, nil},
		{"http://host:80/", "http://host", mostRedirects - 1, nil},
		{"https://host", "https://host/again", mostRedirects, []string{"https://host:443", "more than ten times"}},
		{"https://host", "http://host", 1, []string{"https://host:443 redirects to http://host:80", "credentials are sent to no other address"}},
		{"https://host", "https://host:8443", 1, []string{"https://host:8443"}},
		{"https://host", "https://jane:secret@other/", 1, []string{"https://other:443"}},
	} {
		err := checkRedirect(call(test.next), slices.Repeat([]*http.Request{call(test.first)}, test.followed))
		if (err == nil) != (test.says == nil) {
			t.Errorf("from %s to %s: %v", test.first, test.next, err)
		}
		for _, part := range test.says {
			if err != nil && (!strings.Contains(err.Error(), part) || strings.Contains(err.Error(), "secret")) {
				t.Errorf("from %s to %s: %v, want %q", test.first, test.next, err, part)
			}
		}
	}
}

func TestResponses_APathIsReadForWhatItAsksFor(t *testing.T) {
	for path, want := range map[string]string{
		"/api/v1/namespaces/team/pods/one":                                     "pods",
		"/api/v1/namespaces/team/pods/one/status":                              "pods",
		"/apis/certificates.k8s.io/v1/certificatesigningrequests/one/approval": "certificatesigningrequests of certificates.k8s.io/v1",
		"/api/v1": "apiresourcelists",
		// These lead to an object of another kind, or to none.
		"/api/v1/namespaces/team/pods/one/log":                "",
		"/api/v1/namespaces/team/serviceaccounts/one/token":   "",
		"/apis/apps/v1/namespaces/team/deployments/one/scale": "",
		"/version": "",
	} {
		asked, hasKind := askedFor(http.MethodGet, path)
		if hasKind != (want != "") || hasKind && asked.String() != want {
			t.Errorf("%s asks for %q, %v; want %q", path, asked, hasKind, want)
		}
	}
}

func TestResponses_WhatIsNoObjectHasNoKind(t *testing.T) {
	for _, test := range []struct{ contentType, body, says string }{
		{"application/json", "", "empty"},
		{"", "{}", "of no known type"},
		{"text/html; charset=utf-8", "<html>secret</html>", `of the type "text/html"`},
		{"application/json", "secret", "no valid JSON object"},
		{"application/vnd.kubernetes.protobuf", "secret", "no valid protobuf object"},
		{"application/json", `{"kind":"Pod"}`, errNoKind.Error()},
	} {
		kind, err := kindOf(test.contentType, []byte(test.body))
		if err == nil || !strings.Contains(err.Error(), test.says) || strings.Contains(err.Error(), "secret") || kind.Kind != "" {
			t.Errorf("%q of %s: %v, %v", test.body, test.contentType, kind, err)
		}
	}
}

// TestDiagnosis_EachTroubleHasItsHint has troubles that a server in memory cannot have.
func TestDiagnosis_EachTroubleHasItsHint(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	api := &Connection{Server: "https://host", Now: func() time.Time { return now }, config: &rest.Config{}}
	proxyErr := &apierrors.StatusError{ErrStatus: metav1.Status{Status: metav1.StatusFailure, Code: http.StatusProxyAuthRequired, Message: "by the test"}}
	if err := api.Explain(t.Context(), proxyErr, "ask"); err == nil || outcome.Hint(err) != proxyAuthentication {
		t.Errorf("a proxy that asks for a password: %v, hint %q", err, outcome.Hint(err))
	}
	pluginErr := errors.New("getting credentials: exec: exit status 1\nadvice")
	if err := api.Explain(t.Context(), pluginErr, "ask"); err == nil || !strings.Contains(outcome.Hint(err), "install or fix the login plugin") || strings.Contains(err.Error(), "advice") {
		t.Errorf("a login plugin: %v, hint %q", err, outcome.Hint(err))
	}
	what, hint := api.validityOf(nil)
	if what != "has expired" || !strings.Contains(hint, "2026-01-02T03:04:05Z") || !strings.Contains(hint, "kubeadm certs renew") {
		t.Errorf("a certificate that is not known %s; %s", what, hint)
	}
	found, isOfPlugin := api.diagnoseLoginPlugin(pluginErr)
	if !isOfPlugin || strings.Contains(found.hint, "csr-onboard status") {
		t.Errorf("%+v", found)
	}
	api.DescribeCredentials(func() (string, []byte) { return "work", []byte("cached") })
	if found, isOfPlugin = api.diagnoseLoginPlugin(fmt.Errorf("calling: %w", pluginErr)); !isOfPlugin || !strings.Contains(found.hint, "kubectl csr-onboard status") || !strings.Contains(found.cause.Error(), "exit status 1") {
		t.Errorf("the plugin of csr-onboard: %+v", found)
	}
	if _, isOfPlugin = api.diagnoseLoginPlugin(proxyErr); isOfPlugin {
		t.Error("a proxy is taken for a login plugin")
	}
}
