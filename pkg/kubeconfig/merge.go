package kubeconfig

import (
	"bytes"
	"fmt"

	"k8s.io/apimachinery/pkg/api/equality"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/pki"
)

// Merge returns a copy of a kubeconfig with the one cluster, user and context of
// addition in it, and with every other entry as it was. current-context moves to
// the added context only where setCurrent says so, or where the kubeconfig has no
// context yet.
//
// visible is what kubectl sees of all files together; it is existing itself where
// there is one file only. Where an entry of a name that is to be added means
// something else in it, nothing is merged and the error names the flag that gives
// another name: a cluster with another server, a user who is not the same user
// with a certificate, a context of another cluster or user. What means the same is
// kept (the cluster, with the person's own settings) or renewed (the
// certificate).
func Merge(existing, visible, addition *clientcmdapi.Config, setCurrent bool) (*clientcmdapi.Config, error) {
	name := addition.CurrentContext
	context := addition.Contexts[name]
	cluster, user := addition.Clusters[context.Cluster], addition.AuthInfos[context.AuthInfo]

	for _, config := range []*clientcmdapi.Config{existing, visible} {
		if other, exists := config.Clusters[context.Cluster]; exists && !sameCluster(other, cluster) {
			return nil, conflict("--cluster-name", "a cluster %s, at %s and not at %s", identity.Quote(context.Cluster), identity.Quote(ShownAddress(other.Server)), identity.Quote(cluster.Server))
		}
		if other, exists := config.AuthInfos[context.AuthInfo]; exists && !sameUser(other, user) {
			return nil, conflict("--context-name", "a user %s who is not this user with a client certificate", identity.Quote(context.AuthInfo))
		}
		if other, exists := config.Contexts[name]; exists && (other.Cluster != context.Cluster || other.AuthInfo != context.AuthInfo) {
			return nil, conflict("--context-name", "a context %s, of the cluster %s and the user %s", identity.Quote(name), identity.Quote(other.Cluster), identity.Quote(other.AuthInfo))
		}
	}

	merged := existing.DeepCopy()
	isFirst := len(merged.Contexts) == 0 && len(visible.Contexts) == 0
	if _, exists := visible.Clusters[context.Cluster]; !exists {
		merged.Clusters[context.Cluster] = cluster
	}
	merged.AuthInfos[context.AuthInfo] = user
	if kept, exists := merged.Contexts[name]; exists {
		if context.Namespace != "" {
			kept.Namespace = context.Namespace
		}
	} else {
		merged.Contexts[name] = context
	}
	if setCurrent || isFirst {
		merged.CurrentContext = name
	}
	return merged, nil
}

// MergeExec is Merge for a user who is to log in from a credential cache, by the entry
// user (see ExecUser): addition has the certificate that says who they are. An entry
// that logs in from the same cache already is theirs.
func MergeExec(existing, visible, addition *clientcmdapi.Config, user *clientcmdapi.AuthInfo, setCurrent bool) (*clientcmdapi.Config, error) {
	entry := addition.Contexts[addition.CurrentContext].AuthInfo
	withCertificate := func(config *clientcmdapi.Config) *clientcmdapi.Config {
		if old, exists := config.AuthInfos[entry]; !exists || CacheOf(old) != CacheOf(user) {
			return config
		}
		config = config.DeepCopy()
		config.AuthInfos[entry] = addition.AuthInfos[entry]
		return config
	}
	merged, err := Merge(withCertificate(existing), withCertificate(visible), addition, setCurrent)
	if err != nil {
		return nil, err
	}
	merged.AuthInfos[entry] = user
	return merged, nil
}

func conflict(flag, format string, arguments ...any) error {
	return outcome.WithHint(
		fmt.Errorf("the kubeconfig has "+format, arguments...),
		"nothing was changed; use another name: %s NAME", flag)
}

// sameCluster reports whether two entries are one cluster. An authority that an
// entry takes from a file is left to the person who wrote it.
func sameCluster(a, b *clientcmdapi.Cluster) bool {
	if !SameServer(a.Server, b.Server) {
		return false
	}
	return a.CertificateAuthority != "" || bytes.Equal(bytes.TrimSpace(a.CertificateAuthorityData), bytes.TrimSpace(b.CertificateAuthorityData))
}

// sameUser reports whether an entry is an older certificate of the same user, so
// that a newer one may take its place.
func sameUser(existing, added *clientcmdapi.AuthInfo) bool {
	old, err := pki.ParseCertificate(existing.ClientCertificateData)
	if err != nil {
		return false
	}
	renewed, err := pki.ParseCertificate(added.ClientCertificateData)
	if err != nil || old.User().Name != renewed.User().Name {
		return false
	}
	return isCertificateOnly(existing)
}

// isCertificateOnly reports whether an entry is a client certificate and its key and
// nothing else: with any other way to log in next to them it is more than that.
func isCertificateOnly(user *clientcmdapi.AuthInfo) bool {
	only := clientcmdapi.AuthInfo{
		LocationOfOrigin:      user.LocationOfOrigin,
		ClientCertificateData: user.ClientCertificateData,
		ClientKeyData:         user.ClientKeyData,
		Extensions:            user.Extensions,
	}
	return len(user.Extensions) == 0 && equality.Semantic.DeepEqual(only, *user)
}

// sameAuthority reports whether two entries are one cluster, whatever address it is
// reached at: the authority is the cluster's own. Where neither names one, the
// address has to tell.
func sameAuthority(a, b *clientcmdapi.Cluster) bool {
	if len(a.CertificateAuthorityData) == 0 && len(b.CertificateAuthorityData) == 0 {
		return SameServer(a.Server, b.Server)
	}
	return bytes.Equal(bytes.TrimSpace(a.CertificateAuthorityData), bytes.TrimSpace(b.CertificateAuthorityData))
}

// IsOnly reports whether a kubeconfig holds nothing but older forms of what addition
// holds, so that it may be replaced whole: the same cluster, perhaps at another
// address, a user with a client certificate and nothing else, and their context. kind
// and name are of the first entry that would be lost otherwise.
func IsOnly(existing, addition *clientcmdapi.Config) (kind, name string, only bool) {
	for cluster, old := range existing.Clusters {
		if added, has := addition.Clusters[cluster]; !has || !sameAuthority(old, added) {
			return "cluster", cluster, false
		}
	}
	for user, old := range existing.AuthInfos {
		// A user of csr-onboard's cache has their credentials there.
		if _, has := addition.AuthInfos[user]; !has || !isCertificateOnly(old) && CacheOf(old) == "" {
			return "user", user, false
		}
	}
	for context := range existing.Contexts {
		if _, has := addition.Contexts[context]; !has {
			return "context", context, false
		}
	}
	return "", "", true
}
