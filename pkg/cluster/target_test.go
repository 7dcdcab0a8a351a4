package cluster

import (
	"errors"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"k8s.io/client-go/rest"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/kubeconfig"
)

// broken are targets that no client can be made to, and what their errors say.
func broken() map[string]struct {
	endpoint kubeconfig.Endpoint
	says     string
} {
	return map[string]struct {
		endpoint kubeconfig.Endpoint
		says     string
	}{
		"a proxy":     {kubeconfig.Endpoint{Server: "https://127.0.0.1:1", ProxyURL: "http://jane:secret@%zz"}, "invalid proxy-url"},
		"a server":    {kubeconfig.Endpoint{Server: "https://%zz"}, "%zz"},
		"authorities": {kubeconfig.Endpoint{Server: "https://127.0.0.1:1", CertificateAuthority: []byte("hostile")}, ""},
	}
}

func TestTarget_ABrokenOneIsAnErrorInEveryWayOfCalling(t *testing.T) {
	for about, test := range broken() {
		target := Target{Endpoint: test.endpoint, Now: time.Now}
		client := &Client{target: target}
		_, newErr := New(target, Credentials{})
		_, withErr := client.With(Credentials{})
		_, logInErr := target.LogIn(t.Context(), janes(t))
		all := map[string]error{"New": newErr, "With": withErr, "LogIn": logInErr}
		if about != "authorities" {
			// A transport that has logged in brings its authorities.
			_, all["over"] = client.over(http.DefaultTransport)
		}
		_, all["early"] = client.earlyServer()
		for way, err := range all {
			if err == nil || !strings.Contains(err.Error(), test.says) || strings.Contains(err.Error(), "secret") {
				t.Errorf("%s, %s: %v", about, way, err)
			}
		}
		// A client that was made before asks over a connection of its own.
		opened := clientOf(t, &rest.Config{Host: "https://127.0.0.1:1"})
		opened.target = target
		if asks, err := opened.AsksForClientCertificates(t.Context()); err == nil || asks || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s, AsksForClientCertificates: %v, %v", about, asks, err)
		}
		// An early login takes the ordinary way, which says what is wrong.
		logIn, abandon := opened.ExpectLogIn(t.Context())
		if _, err := logIn(t.Context(), janes(t)); err == nil {
			t.Errorf("%s: an early login", about)
		}
		abandon()
	}
}

func TestEarlyServer_APortAndAProxyAreTakenFromTheAddress(t *testing.T) {
	for address, want := range map[string]string{
		"https://host": "host:443", "https://host:6443": "host:6443", "https://[::1]": "[::1]:443",
	} {
		client := clientOf(t, &rest.Config{Host: address})
		client.target.Proxy = func(*http.Request) (*url.URL, error) { return nil, nil }
		server, err := client.earlyServer()
		if err != nil || server.Address != want {
			t.Errorf("%s: %q, %v", address, server.Address, err)
			continue
		}
		// The target may have become another one since then.
		client.target.Endpoint.ProxyURL, client.target.Proxy = "http://%zz", nil
		if user, err := server.WhoAmI(t.Context(), http.DefaultTransport); err == nil || user.Name != "" {
			t.Errorf("%s: %v, %v", address, user, err)
		}
	}
	failed := errors.New("by the test")
	for about, proxy := range map[string]func(*http.Request) (*url.URL, error){
		"a proxy":               func(*http.Request) (*url.URL, error) { return url.Parse("http://proxy:3128") },
		"a proxy that is wrong": func(*http.Request) (*url.URL, error) { return nil, failed },
	} {
		client := clientOf(t, &rest.Config{Host: "https://host"})
		client.target.Proxy = proxy
		if _, err := client.earlyServer(); !errors.Is(err, errBehindProxy) {
			t.Errorf("%s: %v", about, err)
		}
	}
}

func TestEndpoint_WhatCannotBeReadOfAConfigurationIsSaid(t *testing.T) {
	failed := errors.New("by the test")
	for about, test := range map[string]struct {
		config rest.Config
		says   string
	}{
		"a server": {rest.Config{Host: "https://jane:secret@%zz"}, "invalid server address"},
		"an authority's file": {
			rest.Config{Host: "https://host", TLSClientConfig: rest.TLSClientConfig{CAFile: filepath.Join(t.TempDir(), "missing.crt")}}, "missing.crt",
		},
		"a proxy that cannot be found out": {rest.Config{Host: "https://host", Proxy: func(*http.Request) (*url.URL, error) { return nil, failed }}, "by the test"},
		"a proxy that is none": {
			rest.Config{Host: "https://host", Proxy: func(*http.Request) (*url.URL, error) { return url.Parse("gopher://jane:secret@proxy") }}, "invalid proxy-url",
		},
	} {
		if _, _, err := FromKubeconfig(&test.config, "c"); err == nil || !strings.Contains(err.Error(), test.says) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", about, err)
		}
	}
	target, _, err := FromKubeconfig(&rest.Config{Host: "https://host", Proxy: func(*http.Request) (*url.URL, error) { return nil, nil }}, "c")
	if err != nil || target.Endpoint.ProxyURL != "" || target.Endpoint.Server != "https://host" {
		t.Errorf("without a proxy for it: %+v, %v", target.Endpoint, err)
	}
}

func TestLogIn_APairThatIsNoneLogsNobodyIn(t *testing.T) {
	server := newGreeter(t, 0)
	logIn, abandon := server.client.ExpectLogIn(t.Context())
	defer abandon()
	user, err := logIn(t.Context(), kubeconfig.Credentials{Certificate: []byte("hostile"), Key: []byte("hostile")})
	if err == nil || user.Name != "" || user.Groups != nil {
		t.Errorf("%v, %v", user, err)
	}
	var none identity.User
	if !user.Equal(none) {
		t.Errorf("%v", user)
	}
}
