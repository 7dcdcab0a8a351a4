// Package kubeconfig builds kubeconfigs as objects (clientcmd's api.Config)
// from a cluster's endpoint and a user's credentials.
//
// It is pure: reading and writing files is package store's. It promises that a
// kubeconfig it builds holds all it needs (no reference to another file) and
// nothing of the person who ran the program but how to reach and recognise the
// cluster.
package kubeconfig

import (
	"bytes"

	"k8s.io/apimachinery/pkg/runtime"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	clientcmdlatest "k8s.io/client-go/tools/clientcmd/api/latest"
)

// Endpoint is how a cluster is reached and recognised. Its addresses come from ParseServer
// and ParseProxy, so that it may be shown and given away: it holds no secret.
type Endpoint struct {
	// Cluster is what the cluster is called where the endpoint comes from.
	// Required.
	Cluster string
	// Server is the API server's URL. Required.
	Server string
	// CertificateAuthority is PEM with the authorities that the server's
	// certificate is checked against. Empty means the system's.
	CertificateAuthority []byte
	// ServerName is the name expected in the server's certificate, where it
	// is not the host of Server. Optional.
	ServerName string
	// InsecureSkipVerify says that the server's certificate is not checked.
	InsecureSkipVerify bool
	// ProxyURL is the proxy to reach the server through, without credentials.
	// Optional.
	ProxyURL string
	// DisableCompression says that responses are not to be compressed.
	DisableCompression bool
}

// DifferenceTo names what makes another endpoint a different API server or a different way
// to it, in the words of a kubeconfig: server, certificate authority, tls-server-name,
// insecure-skip-tls-verify or proxy-url. It is "" where both are the same, whatever the
// cluster is called.
func (e Endpoint) DifferenceTo(other Endpoint) string {
	switch {
	case !SameServer(e.Server, other.Server):
		return "server"
	case !bytes.Equal(bytes.TrimSpace(e.CertificateAuthority), bytes.TrimSpace(other.CertificateAuthority)):
		return "certificate authority"
	case e.ServerName != other.ServerName:
		return "tls-server-name"
	case e.InsecureSkipVerify != other.InsecureSkipVerify:
		return "insecure-skip-tls-verify"
	case e.ProxyURL != other.ProxyURL:
		return "proxy-url"
	}
	return ""
}

// Credentials are a user's certificate and private key, both in PEM.
type Credentials struct {
	Certificate []byte
	Key         []byte
}

// Assemble makes a kubeconfig with one cluster, one user and one context,
// which is current. namespace is the context's default namespace; "" leaves it
// out.
func Assemble(endpoint Endpoint, credentials Credentials, names Names, namespace string) *clientcmdapi.Config {
	config := clientcmdapi.NewConfig()
	cluster := clientcmdapi.NewCluster()
	cluster.Server = NormalServer(endpoint.Server)
	cluster.CertificateAuthorityData = endpoint.CertificateAuthority
	cluster.TLSServerName = endpoint.ServerName
	cluster.InsecureSkipTLSVerify = endpoint.InsecureSkipVerify
	cluster.ProxyURL = endpoint.ProxyURL
	cluster.DisableCompression = endpoint.DisableCompression
	config.Clusters[names.Cluster] = cluster

	user := clientcmdapi.NewAuthInfo()
	user.ClientCertificateData = credentials.Certificate
	user.ClientKeyData = credentials.Key
	config.AuthInfos[names.Context] = user

	context := clientcmdapi.NewContext()
	context.Cluster = names.Cluster
	context.AuthInfo = names.Context
	context.Namespace = namespace
	config.Contexts[names.Context] = context
	config.CurrentContext = names.Context
	return config
}

// Encode writes a kubeconfig as YAML, as kubectl would.
func Encode(config *clientcmdapi.Config) ([]byte, error) {
	return runtime.Encode(clientcmdlatest.Codec, config)
}
