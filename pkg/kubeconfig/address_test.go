package kubeconfig

import (
	"strings"
	"testing"
)

func TestAddress_AServersAddressHoldsNoSecret(t *testing.T) {
	for text, want := range map[string]string{ //nolint:gosec // Addresses with no secret of anybody's.
		"https://kubernetes.example.com:6443":       "https://kubernetes.example.com:6443",
		"https://kubernetes.example.com":            "https://kubernetes.example.com",
		"https://[::1]:6443":                        "https://[::1]:6443",
		"https://rancher.example.com/k8s/clusters/": "https://rancher.example.com/k8s/clusters/",
		"https://h?token=secret":                    "https://h",
		"http://h":                                  "http://h",
	} {
		if server, err := ParseServer(text); err != nil || server != want {
			t.Errorf("%q becomes %q, %v", text, server, err)
		}
	}
	for _, text := range []string{
		"", "h", "h:6443", "https://", "https:h", "https:/jane:secret@h", "ftp://h", "https://jane:secret@h", "https://secret@h",
		"https://jane:12/secret@h", "https://jane:secret@h:port", "https://jane:%zzsecret@h", "https://h#secret", "https://h\x1b", "jane:secret@h:6443",
	} {
		server, err := ParseServer(text)
		if err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%q becomes %q, %v", text, server, err)
		}
		if shown := ShownAddress(text); strings.Contains(shown, "secret") {
			t.Errorf("%q is shown as %q", text, shown)
		}
	}
}

func TestAddress_AProxysCredentialsAreDropped(t *testing.T) {
	for text, want := range map[string]struct {
		proxy          string
		hasCredentials bool
	}{
		"http://proxy:3128":               {"http://proxy:3128", false},
		"socks5://jane:secret@proxy":      {"socks5://proxy", true},
		"https://secret@proxy?a=secret":   {"https://proxy", true},
		"http://jane:secret@proxy:3128/x": {"http://proxy:3128/x", true},
	} {
		proxy, hasCredentials, err := ParseProxy(text)
		if err != nil || proxy != want.proxy || hasCredentials != want.hasCredentials {
			t.Errorf("%q becomes %q, %v, %v", text, proxy, hasCredentials, err)
		}
	}
	for _, text := range []string{"", "proxy", "ftp://jane:secret@proxy", "http://jane:%zzsecret@proxy", "http://jane:secret@proxy:port"} {
		if proxy, _, err := ParseProxy(text); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%q becomes %q, %v", text, proxy, err)
		}
	}
}

func TestAddress_WhatMakesAnotherEndpoint(t *testing.T) {
	endpoint := Endpoint{Cluster: "prod", Server: "https://h", CertificateAuthority: []byte("ca\n"), ServerName: "n", ProxyURL: "http://p"}
	for about, change := range map[string]func(*Endpoint){
		"": func(e *Endpoint) {
			e.Cluster, e.DisableCompression, e.CertificateAuthority = "other", true, []byte("ca")
		},
		"server":                   func(e *Endpoint) { e.Server = "https://i" },
		"certificate authority":    func(e *Endpoint) { e.CertificateAuthority = nil },
		"tls-server-name":          func(e *Endpoint) { e.ServerName = "" },
		"insecure-skip-tls-verify": func(e *Endpoint) { e.InsecureSkipVerify = true },
		"proxy-url":                func(e *Endpoint) { e.ProxyURL = "" },
	} {
		other := endpoint
		change(&other)
		if difference := endpoint.DifferenceTo(other); difference != about {
			t.Errorf("the difference is %q, want %q", difference, about)
		}
	}
}
