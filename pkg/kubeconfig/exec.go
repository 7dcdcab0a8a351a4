package kubeconfig

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clientauthentication "k8s.io/client-go/pkg/apis/clientauthentication/v1"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/answer"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
)

// Plugin is the name of the program's binary, which kubectl looks up on PATH as a
// plugin, and which client-go runs as a credential plugin. It has to stay: users may
// have allowed it by name (kuberc's credentialPluginPolicy).
const Plugin = "kubectl-csr_onboard"

// installHint is what client-go tells a person on whose PATH the program is not. It stays in
// kubeconfigs for years, so it names a way that needs no release and a page that knows the others.
const installHint = `This kubeconfig logs in with the kubectl plugin csr-onboard, which renews
its client certificate, and works only on the machine where it was created.
To install the plugin with Go:

  go install github.com/csr-onboard/kubectl-csr-onboard/cmd/` + Plugin + `@latest

With krew, or as a package:
https://github.com/csr-onboard/kubectl-csr-onboard/blob/main/docs/install.md

Check that ` + Plugin + ` is on PATH.`

// ExecUser is a user entry that has the program hand out the pair of a credential
// cache and renew it. command is the program's name, or its path where it is not on
// PATH; cache is the cache's directory, absolute.
func ExecUser(command, cache string) *clientcmdapi.AuthInfo {
	user := clientcmdapi.NewAuthInfo()
	user.Exec = execConfig(command, cache)
	return user
}

func execConfig(command, cache string) *clientcmdapi.ExecConfig {
	return &clientcmdapi.ExecConfig{
		APIVersion:  answer.V1,
		Command:     command,
		Args:        []string{answer.Command, answer.CacheFlag, cache},
		InstallHint: installHint,
		// It asks nothing, so that it works under programs without a terminal.
		InteractiveMode: clientcmdapi.NeverExecInteractiveMode,
	}
}

// CacheOf is the directory of the credential cache that a user entry logs in from; ""
// where it does not have csr-onboard do that.
func CacheOf(user *clientcmdapi.AuthInfo) string {
	if user.Exec == nil || len(user.Exec.Args) != 3 || !slices.Equal(user.Exec.Args[:2], []string{answer.Command, answer.CacheFlag}) {
		return ""
	}
	command := user.Exec.Command
	if i := strings.LastIndexAny(command, `/\`); i >= 0 {
		command = command[i+1:]
	}
	if strings.TrimSuffix(command, ".exe") != Plugin {
		return ""
	}
	return user.Exec.Args[2]
}

// UseExec returns a copy of a kubeconfig in which the user entry of a name logs in
// from a credential cache in place of a pair (see Rotate).
func UseExec(config *clientcmdapi.Config, entry string, from Pair, command, cache string) (*clientcmdapi.Config, error) {
	return change(config, entry, from, func(user *clientcmdapi.AuthInfo) bool { return CacheOf(user) == cache }, func(user *clientcmdapi.AuthInfo) {
		user.ClientCertificateData, user.ClientKeyData = nil, nil
		user.ClientCertificate, user.ClientKey = "", ""
		user.Exec = execConfig(command, cache)
	})
}

// WantedVersion reads from the value of answer.InfoVariable which API version of an
// ExecCredential a client asks for, one of package answer's. A client that says
// nothing takes v1.
func WantedVersion(info string) (string, error) {
	if version := answer.WantedVersion(info); version != "" {
		return version, nil
	}
	var asked metav1.TypeMeta
	if err := json.Unmarshal([]byte(info), &asked); err != nil {
		return "", outcome.WithHint(outcome.Errorf(outcome.ErrUsage, "%s cannot be read as JSON: %w", answer.InfoVariable, err),
			"it is the client's that runs this command; to see it work without one, unset it")
	}
	if asked.APIVersion != answer.V1 && asked.APIVersion != answer.V1beta1 {
		return "", outcome.WithHint(
			outcome.Errorf(outcome.ErrUsage, "%s asks for an ExecCredential of the version %q, which is neither %s nor %s",
				answer.InfoVariable, asked.APIVersion, answer.V1, answer.V1beta1),
			"check apiVersion in the kubeconfig's exec entry")
	}
	return asked.APIVersion, nil
}

// EncodeExecCredential is the body (see answer.Encode) of what a credential plugin
// answers. expires is when the client is to ask again, which has to be before the
// certificate's end: client-go does not repeat a request that was refused for it.
func EncodeExecCredential(credentials Credentials, expires time.Time) ([]byte, error) {
	expiration := metav1.NewTime(expires)
	encoded, err := json.Marshal(clientauthentication.ExecCredential{
		Status: &clientauthentication.ExecCredentialStatus{
			ExpirationTimestamp:   &expiration,
			ClientCertificateData: string(credentials.Certificate),
			ClientKeyData:         string(credentials.Key),
		},
	})
	if err != nil {
		return nil, err
	}
	return encoded[1:], nil
}
