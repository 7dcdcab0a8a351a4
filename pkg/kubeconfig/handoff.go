package kubeconfig

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/util/validation"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/pki"
)

// Handoff is what an administrator sends back to a user who made their own key, for one
// cluster: the entries of a kubeconfig without a key.
type Handoff struct {
	// Endpoint is how the cluster is reached. Required.
	Endpoint Endpoint
	// Certificate is the user's, in PEM. Required.
	Certificate []byte
	// Namespace is where the context begins. Optional.
	Namespace string
}

// EncodeHandoff writes a handoff as a kubeconfig, below a comment whose lines are
// made safe, except for the spaces that a line begins with. It holds nothing secret.
func EncodeHandoff(config *clientcmdapi.Config, comment ...string) ([]byte, error) {
	var b bytes.Buffer
	for _, line := range comment {
		text := strings.TrimLeft(line, " ")
		indent := line[:len(line)-len(text)]
		b.WriteString(strings.TrimRight("# "+indent+identity.PrintableSentence(text), " ") + "\n")
	}
	encoded, err := Encode(config)
	b.Write(encoded)
	return b.Bytes(), err
}

// DecodeHandoff reads a handoff file, for one cluster or for several, in the order of the
// contexts' names. It comes from outside: anything but contexts, each with a cluster of its
// own and a user of its own with a certificate in it, is refused, and so is whatever would
// have kubectl run a program or read a file.
func DecodeHandoff(data []byte) ([]Handoff, error) {
	all, err := decodeEntries(data)
	if err != nil {
		return nil, err
	}
	handoffs := make([]Handoff, len(all))
	for i, one := range all {
		handoffs[i], err = one.handoff()
		switch {
		case err == nil:
		case len(all) == 1:
			return nil, err
		default:
			return nil, fmt.Errorf("context %s: %w", identity.Quote(one.name), err)
		}
	}
	return handoffs, nil
}

// DecodeOwn reads a kubeconfig that Assemble made: one cluster, one context, and one
// user with a certificate and its key in it. entry is the user's name in it.
// Anything else is refused, as in DecodeHandoff.
func DecodeOwn(data []byte) (endpoint Endpoint, entry string, credentials Credentials, _ error) {
	only, err := decodeOnly(data)
	if err != nil {
		return endpoint, "", credentials, err
	}
	if len(only.user.ClientCertificateData) == 0 || len(only.user.ClientKeyData) == 0 || !isCertificateOnly(only.user) {
		return endpoint, "", credentials, errors.New("its user must have a certificate and its private key, and nothing else")
	}
	endpoint, err = only.endpoint()
	credentials = Credentials{Certificate: only.user.ClientCertificateData, Key: only.user.ClientKeyData}
	return endpoint, only.context.AuthInfo, credentials, err
}

// onlyEntries are a context of a kubeconfig, and the cluster and the user that it alone names.
type onlyEntries struct {
	name    string
	context *clientcmdapi.Context
	cluster *clientcmdapi.Cluster
	user    *clientcmdapi.AuthInfo
}

func decodeOnly(data []byte) (only onlyEntries, _ error) {
	all, err := decodeEntries(data)
	if err == nil && len(all) != 1 {
		err = notOneOfEach(len(all), len(all), len(all))
	}
	if err != nil {
		return only, err
	}
	return all[0], nil
}

// decodeEntries reads a kubeconfig in which each context has a cluster and a user of its own, in
// the order of the contexts' names.
func decodeEntries(data []byte) ([]onlyEntries, error) {
	config, err := Decode(pki.Text(data))
	if err != nil {
		return nil, fmt.Errorf("invalid kubeconfig: %w", err)
	}
	if n := len(config.Contexts); n == 0 || len(config.Clusters) != n || len(config.AuthInfos) != n {
		return nil, notOneOfEach(len(config.Clusters), len(config.AuthInfos), n)
	}
	if _, exists := config.Contexts[config.CurrentContext]; !exists {
		return nil, errors.New("it has no current context")
	}
	var all []onlyEntries
	firstOf := map[*clientcmdapi.Cluster]string{}
	firstOfUser := map[*clientcmdapi.AuthInfo]string{}
	for _, name := range slices.Sorted(maps.Keys(config.Contexts)) {
		context := config.Contexts[name]
		cluster, hasCluster := config.Clusters[context.Cluster]
		user, hasUser := config.AuthInfos[context.AuthInfo]
		if !hasCluster || !hasUser {
			return nil, errors.New("its context names a cluster or a user that is not in it")
		}
		first, isShared := firstOf[cluster]
		if !isShared {
			first, isShared = firstOfUser[user]
		}
		if isShared {
			return nil, fmt.Errorf("its contexts %s and %s name the same cluster or user", identity.Quote(first), identity.Quote(name))
		}
		firstOf[cluster], firstOfUser[user] = name, name
		all = append(all, onlyEntries{name, context, cluster, user})
	}
	return all, nil
}

func notOneOfEach(clusters, users, contexts int) error {
	return fmt.Errorf("it has %d clusters, %d users and %d contexts, and not one of each", clusters, users, contexts)
}

func (o onlyEntries) handoff() (handoff Handoff, _ error) {
	if err := checkHandoffUser(o.user); err != nil {
		return handoff, err
	}
	endpoint, err := o.endpoint()
	if err != nil {
		return handoff, err
	}
	if namespace := o.context.Namespace; namespace != "" && len(validation.IsDNS1123Label(namespace)) > 0 {
		return handoff, fmt.Errorf("invalid namespace %s", identity.Quote(namespace))
	}
	return Handoff{Endpoint: endpoint, Certificate: o.user.ClientCertificateData, Namespace: o.context.Namespace}, nil
}

func (o onlyEntries) endpoint() (Endpoint, error) {
	if err := checkHandoffCluster(o.context.Cluster, o.cluster); err != nil {
		return Endpoint{}, err
	}
	endpoint := Endpoint{
		Cluster:              o.context.Cluster,
		Server:               NormalServer(o.cluster.Server),
		CertificateAuthority: o.cluster.CertificateAuthorityData,
		ServerName:           o.cluster.TLSServerName,
		InsecureSkipVerify:   o.cluster.InsecureSkipTLSVerify,
		DisableCompression:   o.cluster.DisableCompression,
	}
	if o.cluster.ProxyURL == "" {
		return endpoint, nil
	}
	proxy, hasCredentials, err := ParseProxy(o.cluster.ProxyURL)
	if err == nil && hasCredentials {
		err = errURLCredentials
	}
	if err != nil {
		return Endpoint{}, fmt.Errorf("invalid proxy-url of its cluster: %w", err)
	}
	endpoint.ProxyURL = proxy
	return endpoint, nil
}

func checkHandoffUser(user *clientcmdapi.AuthInfo) error {
	switch {
	case len(user.ClientKeyData) > 0 || user.ClientKey != "":
		return errors.New("it contains a private key, which only the user should have")
	case len(user.ClientCertificateData) == 0:
		return errors.New("it holds no certificate")
	case !isCertificateOnly(user):
		return errors.New("it contains another way to log in besides the certificate, or names a program or a file")
	}
	return nil
}

func checkHandoffCluster(name string, cluster *clientcmdapi.Cluster) error {
	only := clientcmdapi.Cluster{
		LocationOfOrigin:         cluster.LocationOfOrigin,
		Server:                   cluster.Server,
		CertificateAuthorityData: cluster.CertificateAuthorityData,
		TLSServerName:            cluster.TLSServerName,
		InsecureSkipTLSVerify:    cluster.InsecureSkipTLSVerify,
		ProxyURL:                 cluster.ProxyURL,
		DisableCompression:       cluster.DisableCompression,
		Extensions:               cluster.Extensions,
	}
	switch {
	case len(cluster.Extensions) > 0 || !equality.Semantic.DeepEqual(only, *cluster):
		return errors.New("its cluster has more than an address and a certificate authority, or names a file")
	case !IsServerAddress(cluster.Server):
		return errors.New("invalid server: it must be a URL that begins with https:// and has no user name, password, query or fragment")
	case name == "" || identity.Printable(name) != name:
		return fmt.Errorf("its cluster is called %s", identity.Quote(name))
	}
	return nil
}

// IsServerAddress reports whether a text is the URL of an API server that client
// certificates mean something to: https, a host, and nothing that carries secrets.
func IsServerAddress(text string) bool {
	server, err := ParseServer(text)
	return err == nil && strings.HasPrefix(server, "https://") && !strings.ContainsAny(text, "?#")
}

// CertificateIn is the client certificate of the current context of a kubeconfig,
// in PEM. One that is in a file of its own is not read.
func CertificateIn(data []byte) ([]byte, error) {
	config, err := Decode(pki.Text(data))
	if err != nil {
		return nil, fmt.Errorf("neither PEM nor a kubeconfig: %w", err)
	}
	context, exists := config.Contexts[config.CurrentContext]
	if !exists {
		return nil, errors.New("the kubeconfig has no current context")
	}
	user, exists := config.AuthInfos[context.AuthInfo]
	if !exists || len(user.ClientCertificateData) == 0 {
		return nil, errors.New("the user of its current context has no certificate in it")
	}
	return user.ClientCertificateData, nil
}
