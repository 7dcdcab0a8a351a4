package kubeconfig

import (
	"bytes"

	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
)

// Pair is where a kubeconfig user's client certificate and private key are: in the
// kubeconfig itself or, where a file is named and no data are there, in files of
// their own, as kubectl has it (client-go tools/clientcmd/api AuthInfo).
type Pair struct {
	// Certificate and Key are PEM.
	Certificate, Key []byte
	// CertificateFile and KeyFile are paths as they are written in the kubeconfig,
	// relative to its directory where they are relative.
	CertificateFile, KeyFile string
}

// PairOf is a user's client certificate and key; has is false where there is none.
func PairOf(user *clientcmdapi.AuthInfo) (pair Pair, has bool) {
	pair.Certificate, pair.Key = user.ClientCertificateData, user.ClientKeyData
	if len(pair.Certificate) == 0 {
		pair.CertificateFile = user.ClientCertificate
	}
	if len(pair.Key) == 0 {
		pair.KeyFile = user.ClientKey
	}
	has = (len(pair.Certificate) > 0 || pair.CertificateFile != "") && (len(pair.Key) > 0 || pair.KeyFile != "")
	return pair, has
}

// IsIn reports whether the pair, or a part of it, is in the kubeconfig itself.
func (p Pair) IsIn() bool { return p.CertificateFile == "" || p.KeyFile == "" }

func (p Pair) equal(other Pair) bool {
	return bytes.Equal(p.Certificate, other.Certificate) && bytes.Equal(p.Key, other.Key) &&
		p.CertificateFile == other.CertificateFile && p.KeyFile == other.KeyFile
}

// Rotate returns a copy of a kubeconfig in which the user entry of a name logs in
// with another pair, and nothing else is changed. Where it does already, nothing is
// changed at all; where it has neither that pair nor the one that it is to replace,
// somebody else changed it, and the error is an outcome.ErrChanged.
func Rotate(config *clientcmdapi.Config, entry string, from, to Pair) (*clientcmdapi.Config, error) {
	return change(config, entry, from, func(user *clientcmdapi.AuthInfo) bool {
		pair, has := PairOf(user)
		return has && pair.equal(to)
	}, func(user *clientcmdapi.AuthInfo) {
		user.ClientCertificateData, user.ClientKeyData = to.Certificate, to.Key
		user.ClientCertificate, user.ClientKey = to.CertificateFile, to.KeyFile
	})
}

func change(config *clientcmdapi.Config, entry string, from Pair, isDone func(*clientcmdapi.AuthInfo) bool, do func(*clientcmdapi.AuthInfo)) (*clientcmdapi.Config, error) {
	user, exists := config.AuthInfos[entry]
	if !exists {
		return nil, outcome.Errorf(outcome.ErrChanged, "the kubeconfig has no user %q any more", entry)
	}
	if isDone(user) {
		return config, nil
	}
	if pair, has := PairOf(user); !has || !pair.equal(from) {
		return nil, outcome.WithHint(
			outcome.Errorf(outcome.ErrChanged, "the user %q of the kubeconfig was changed by somebody else in the meantime", entry),
			"nothing was changed; run the same command again")
	}
	changed := config.DeepCopy()
	do(changed.AuthInfos[entry])
	return changed, nil
}
