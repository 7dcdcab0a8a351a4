// Package kubeconfig builds kubeconfigs as objects (clientcmd's api.Config)
// from a cluster's endpoint and a user's credentials.
//
// It is pure: reading and writing files is package store's. It promises that a
// kubeconfig it builds holds all it needs (no reference to another file) and
// nothing of the person who ran the program but how to reach and recognise the
// cluster.
package kubeconfig

import (
	"k8s.io/apimachinery/pkg/runtime"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	clientcmdlatest "k8s.io/client-go/tools/clientcmd/api/latest"
)

// Endpoint is how a cluster is reached and recognised.
type Endpoint struct {
	// Cluster is the cluster's name, for entries and contexts. Required.
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

// Credentials are a user's certificate and private key, both in PEM.
type Credentials struct {
	User        string
	Certificate []byte
	Key         []byte
}

// Assemble makes a kubeconfig with one cluster, one user and one context,
// which is current. The context is named USER@CLUSTER, as kubeadm does.
// namespace is the context's default namespace; "" leaves it out.
func Assemble(endpoint Endpoint, credentials Credentials, namespace string) *clientcmdapi.Config {
	config := clientcmdapi.NewConfig()
	cluster := clientcmdapi.NewCluster()
	cluster.Server = endpoint.Server
	cluster.CertificateAuthorityData = endpoint.CertificateAuthority
	cluster.TLSServerName = endpoint.ServerName
	cluster.InsecureSkipTLSVerify = endpoint.InsecureSkipVerify
	cluster.ProxyURL = endpoint.ProxyURL
	cluster.DisableCompression = endpoint.DisableCompression
	config.Clusters[endpoint.Cluster] = cluster

	user := clientcmdapi.NewAuthInfo()
	user.ClientCertificateData = credentials.Certificate
	user.ClientKeyData = credentials.Key
	config.AuthInfos[credentials.User] = user

	name := credentials.User + "@" + endpoint.Cluster
	context := clientcmdapi.NewContext()
	context.Cluster = endpoint.Cluster
	context.AuthInfo = credentials.User
	context.Namespace = namespace
	config.Contexts[name] = context
	config.CurrentContext = name
	return config
}

// Encode writes a kubeconfig as YAML, as kubectl would.
func Encode(config *clientcmdapi.Config) ([]byte, error) {
	return runtime.Encode(clientcmdlatest.Codec, config)
}

// Replaces says whether writing config in place of existing loses nothing of
// somebody else's: every cluster, user and context in existing has a namesake
// in config. The name of the first that has none is returned otherwise, with
// what kind of entry it is.
func Replaces(config, existing *clientcmdapi.Config) (kind, name string, ok bool) {
	for cluster := range existing.Clusters {
		if _, has := config.Clusters[cluster]; !has {
			return "cluster", cluster, false
		}
	}
	for user := range existing.AuthInfos {
		if _, has := config.AuthInfos[user]; !has {
			return "user", user, false
		}
	}
	for context := range existing.Contexts {
		if _, has := config.Contexts[context]; !has {
			return "context", context, false
		}
	}
	return "", "", true
}

// Decode reads a kubeconfig.
func Decode(data []byte) (*clientcmdapi.Config, error) {
	config := clientcmdapi.NewConfig()
	if err := runtime.DecodeInto(clientcmdlatest.Codec, data, config); err != nil {
		return nil, err
	}
	return config, nil
}
