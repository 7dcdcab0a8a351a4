package kubeconfig

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"
	"unicode/utf16"

	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

func TestServer_ASchemeIsTheSameInCapitals(t *testing.T) {
	for server, is := range map[string]bool{
		"https://x": true, "HTTPS://x": true, "Https://X": true, "http://x": false, "HTTP://x": false, "https": false, "": false,
	} {
		if IsHTTPS(server) != is {
			t.Errorf("%q: %t", server, !is)
		}
		if is && (!IsServerAddress(server) || !strings.HasPrefix(NormalServer(server), "https://")) {
			t.Errorf("%q is not an address, or is written as %q", server, NormalServer(server))
		}
	}
	if got := NormalServer("HTTPS://Kubernetes.example.com:6443/Path"); got != "https://Kubernetes.example.com:6443/Path" {
		t.Errorf("more than the scheme is changed: %q", got)
	}
}

func TestServer_TheSameServerIsRecognizedHoweverItIsWritten(t *testing.T) {
	for _, test := range []struct {
		a, b string
		same bool
	}{
		{"https://x:6443", "HTTPS://X:6443/", true},
		{"https://x/k8s/clusters/c-1", "https://x/k8s/clusters/c-1/", true},
		{"https://x/k8s/A", "https://x/k8s/a", false},
		{"https://x:6443", "https://x:6444", false},
		{"https://x", "http://x", false},
	} {
		if SameServer(test.a, test.b) != test.same {
			t.Errorf("%s and %s: %t", test.a, test.b, !test.same)
		}
		if (Endpoint{Server: test.a}.DifferenceTo(Endpoint{Server: test.b}) == "") != test.same {
			t.Errorf("endpoints %s and %s: %t", test.a, test.b, !test.same)
		}
		one, other := &clientcmdapi.Cluster{Server: test.a}, &clientcmdapi.Cluster{Server: test.b}
		if sameCluster(one, other) != test.same || sameAuthority(one, other) != test.same {
			t.Errorf("clusters at %s and %s: %t", test.a, test.b, !test.same)
		}
	}
}

func TestServer_AHandoffIsReadInEveryEncodingAndItsServerWrittenAsEverywhere(t *testing.T) {
	endpoint := handoffEndpoint
	endpoint.Server = "HTTPS://kubernetes.example.com:6443"
	encoded, err := EncodeHandoff(Assemble(endpoint, Credentials{Certificate: []byte("certificate")}, NamesFor("jane", "prod", ""), ""))
	if err != nil {
		t.Fatal(err)
	}
	text := strings.ReplaceAll(string(encoded), "server: https://", "server: HTTPS://")
	var inUTF16 bytes.Buffer
	_ = binary.Write(&inUTF16, binary.BigEndian, utf16.Encode([]rune("\uFEFF"+text)))
	for name, data := range map[string][]byte{
		"as it is": []byte(text), "CRLF with a mark": []byte("\uFEFF" + strings.ReplaceAll(text, "\n", "\r\n")), "UTF-16": inUTF16.Bytes(),
	} {
		handoffs, err := DecodeHandoff(data)
		if err != nil || len(handoffs) != 1 || handoffs[0].Endpoint.Server != "https://kubernetes.example.com:6443" {
			t.Errorf("%s: %+v, %v", name, handoffs, err)
		}
		if certificate, err := CertificateIn(data); err != nil || string(certificate) != "certificate" {
			t.Errorf("%s: %q, %v", name, certificate, err)
		}
	}
}
