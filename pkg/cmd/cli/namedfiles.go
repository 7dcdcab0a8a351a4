package cli

import (
	"cmp"
	"crypto/tls"
	"errors"
	"strings"

	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/store"
)

// loader reads the kubeconfig as kubectl would. clientcmd opens files itself, waits at
// named pipes where nothing interrupts it, and reads devices without a limit: files that
// would make it do so are refused before.
func (e *Environment) loader() (clientcmd.ClientConfig, error) {
	loader := loaderWithoutPipes(e.Flags)
	for _, file := range loader.ConfigAccess().GetLoadingPrecedence() {
		if isOfShell(file) {
			continue
		}
		if err := store.CheckNamedFile(file); err != nil {
			return nil, outcome.WithHint(outcome.Errorf(outcome.ErrUsage, "the kubeconfig cannot be read: %w", err),
				"check --kubeconfig and KUBECONFIG")
		}
	}
	return loader, nil
}

// loaderWithoutPipes is what the flags say, with the null device in place of the pipes of a
// shell that they name: clientcmd would open a pipe a second time, see readPipes.
func loaderWithoutPipes(flags *genericclioptions.ConfigFlags) clientcmd.ClientConfig {
	null := "/dev/null"
	for _, flag := range []**string{&flags.CAFile, &flags.CertFile, &flags.KeyFile} {
		if given := *flag; isPipeOfShell(*given) {
			*flag = &null
			defer func() { *flag = given }()
		}
	}
	return flags.ToRawKubeConfigLoader()
}

// isOfShell reports whether a file is what a shell has made of another command, <(…), or
// standard input: a pipe whose other end is open already.
func isOfShell(path string) bool {
	return path == "/dev/stdin" || strings.HasPrefix(path, "/dev/fd/") || strings.HasPrefix(path, "/proc/self/fd/")
}

// isPipeOfShell reports whether a file is of a shell, and can be read only once.
func isPipeOfShell(path string) bool { return isOfShell(path) && !store.IsRegular(path) }

// readPipes reads the pipes of a shell that flags name, and puts what came through them into
// a configuration.
func readPipes(e *Environment, config *rest.Config) error {
	for _, flag := range fileFlags(e.Flags) {
		if !isPipeOfShell(flag.file) {
			continue
		}
		data, err := readNamed(e, flag.file)
		if err == nil && len(data) == 0 {
			err = errors.New("it is empty")
		}
		if err != nil {
			return badFileOfFlag(flag, err)
		}
		switch flag.field {
		case "certificate-authority":
			config.CAFile, config.CAData = "", data
		case "client-certificate":
			config.CertFile, config.CertData = "", data
		case "client-key":
			config.KeyFile, config.KeyData = "", data
		}
	}
	return nil
}

// readNamed reads a file that a flag names. A pipe of a shell is read once, and what came through it
// is remembered: a command may ask for its configuration again.
func readNamed(e *Environment, path string) ([]byte, error) {
	if !isPipeOfShell(path) {
		return store.ReadFile(path)
	}
	if data, wasRead := e.piped[path]; wasRead {
		return data, nil
	}
	data, err := e.Inputs().Read(path)
	if err == nil {
		if e.piped == nil {
			e.piped = map[string][]byte{}
		}
		e.piped[path] = data
	}
	return data, err
}

// namedFile is a file that a field of a kubeconfig, or the flag of the same name, names.
type namedFile struct{ field, file string }

// fileFlags are those of kubectl's own flags that name files.
func fileFlags(flags *genericclioptions.ConfigFlags) []namedFile {
	return []namedFile{
		{"certificate-authority", *flags.CAFile}, {"client-certificate", *flags.CertFile}, {"client-key", *flags.KeyFile},
	}
}

// badFileOfFlag is the error of a file that a flag names and that cannot be used.
func badFileOfFlag(flag namedFile, err error) error {
	if IsWaitOver(err) {
		return outcome.OfFile("--"+flag.field, flag.file, err)
	}
	return outcome.WithHint(outcome.BadFile("--"+flag.field, flag.file, err), "name a file with PEM: --%s FILE", flag.field)
}

// checkNamedFiles refuses a file that a cluster or user of a kubeconfig names, and that
// would make its reader wait or run out of memory.
func checkNamedFiles(cluster *clientcmdapi.Cluster, user *clientcmdapi.AuthInfo) error {
	cluster, user = cmp.Or(cluster, &clientcmdapi.Cluster{}), cmp.Or(user, &clientcmdapi.AuthInfo{})
	for _, named := range []namedFile{
		{"certificate-authority", cluster.CertificateAuthority},
		{"client-certificate", user.ClientCertificate},
		{"client-key", user.ClientKey},
		{"tokenFile", user.TokenFile},
	} {
		if named.file == "" {
			continue
		}
		if err := store.CheckNamedFile(named.file); err != nil {
			return outcome.WithHint(outcome.Errorf(outcome.ErrUsage, "the %s of the kubeconfig cannot be used: %w", named.field, err),
				"check it against: kubectl config view")
		}
	}
	return nil
}

// checkCredentials is the hint where a kubeconfig's certificates or keys are damaged.
const checkCredentials = "check the certificates and the key against: kubectl config view; or choose another context: --context NAME"

// checkNamedPair refuses files that are not a client certificate and its key. client-go would only
// notice while it connects, as if the API server could not be reached. Content in the kubeconfig
// precedes files, and client-go checks it before it connects.
func checkNamedPair(config rest.TLSClientConfig) error {
	if config.CertFile == "" || config.KeyFile == "" || len(config.CertData) > 0 || len(config.KeyData) > 0 {
		return nil
	}
	if _, err := tls.LoadX509KeyPair(config.CertFile, config.KeyFile); err != nil {
		return outcome.WithHint(
			outcome.Errorf(outcome.ErrUsage, "the client certificate %q and the key %q cannot be used: %w", config.CertFile, config.KeyFile, err),
			checkCredentials)
	}
	return nil
}

// checkFilesOfFlags is checkNamedFiles for the cluster and user that the flags choose. What
// flags name as files is read as client-go would, except for the pipes of a shell, which can be
// read only once.
func (e *Environment) checkFilesOfFlags(raw clientcmdapi.Config, context *clientcmdapi.Context) error {
	context = cmp.Or(context, &clientcmdapi.Context{})
	err := checkNamedFiles(
		raw.Clusters[cmp.Or(*e.Flags.ClusterName, context.Cluster)],
		raw.AuthInfos[cmp.Or(*e.Flags.AuthInfoName, context.AuthInfo)])
	if err != nil {
		return err
	}
	for _, flag := range fileFlags(e.Flags) {
		if flag.file == "" || isPipeOfShell(flag.file) {
			continue
		}
		if _, err := store.ReadFile(flag.file); err != nil {
			return badFileOfFlag(flag, err)
		}
	}
	return nil
}
