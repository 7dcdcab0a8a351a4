package cli

import (
	"errors"
	"maps"
	"slices"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cluster"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/pair"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
)

// Contexts are the contexts of the kubeconfig as kubectl sees it, of all its files
// together.
type Contexts struct {
	env *Environment
	// Raw is the kubeconfig.
	Raw clientcmdapi.Config
	// timeout bounds each call to an API server; 0 is the program's own.
	timeout time.Duration
}

// Contexts reads the kubeconfig. otherwise is the time for each call where
// --request-timeout says nothing.
func (e *Environment) Contexts(otherwise time.Duration) (*Contexts, error) {
	timeout, err := e.RequestTimeout(otherwise)
	if err != nil {
		return nil, err
	}
	raw, err := e.RawKubeconfig()
	if err != nil {
		return nil, err
	}
	if len(raw.Contexts) == 0 {
		return nil, outcome.WithHint(errors.New("no kubeconfig with a context found"), "set KUBECONFIG, or use --kubeconfig FILE")
	}
	return &Contexts{env: e, Raw: raw, timeout: timeout}, nil
}

// Named is the given name, or the current context's, if there is such a context.
func (c *Contexts) Named(name string) (string, error) {
	if name == "" {
		name = c.Raw.CurrentContext
	}
	const seeWhich = "see which there are: kubectl csr-onboard status"
	if name == "" {
		return "", outcome.WithHint(outcome.Errorf(outcome.ErrUsage, "the kubeconfig has no current context, and none is named"), seeWhich)
	}
	if _, exists := c.Raw.Contexts[name]; !exists {
		return "", outcome.WithHint(outcome.Errorf(outcome.ErrUsage, "context %q not found in the kubeconfig", name), seeWhich)
	}
	return name, nil
}

// CurrentFirst are the names of all contexts, the current one's first.
func (c *Contexts) CurrentFirst() []string {
	names := slices.Sorted(maps.Keys(c.Raw.Contexts))
	if place, exists := slices.BinarySearch(names, c.Raw.CurrentContext); exists {
		names = slices.Insert(slices.Delete(names, place, place+1), 0, c.Raw.CurrentContext)
	}
	return names
}

// AsContextsSay is the connection of commands that go by what the contexts of a kubeconfig
// say.
func AsContextsSay(command string) Connection {
	return Connection{
		Kept: []string{"kubeconfig", "context", "request-timeout"},
		Why:  "with " + command + ", which goes by what the kubeconfig says",
		Hint: "name a context; to use another kubeconfig: --kubeconfig FILE",
	}
}

// User is the entry with the client certificate that a context logs in with.
func (c *Contexts) User(name string) (pair.KubeconfigUser, error) {
	context := c.Raw.Contexts[name]
	user, exists := c.Raw.AuthInfos[context.AuthInfo]
	if !exists {
		return pair.KubeconfigUser{}, outcome.WithHint(
			outcome.Errorf(pair.ErrNoCertificate, "the context %q is of the user %q, which the kubeconfig does not have", name, context.AuthInfo),
			"see what there is: kubectl config view")
	}
	return pair.UserOf(name, user.LocationOfOrigin, context.AuthInfo, user)
}

// configuration is how a context's API server is reached, and as whom.
func (c *Contexts) configuration(name string) (*rest.Config, error) {
	if context := c.Raw.Contexts[name]; context != nil {
		if err := checkNamedFiles(c.Raw.Clusters[context.Cluster], c.Raw.AuthInfos[context.AuthInfo]); err != nil {
			return nil, err
		}
	}
	if err := checkAddresses(c.Raw, c.Raw.Contexts[name].Cluster, "", ""); err != nil {
		return nil, err
	}
	overrides := &clientcmd.ConfigOverrides{}
	if c.timeout > 0 {
		overrides.Timeout = c.timeout.String()
	}
	config, err := clientcmd.NewNonInteractiveClientConfig(c.Raw, name, overrides, nil).ClientConfig()
	if err != nil {
		return nil, outcome.WithHint(
			outcome.Errorf(outcome.ErrUsage, "the context %q cannot be used: %w", name, err),
			"check it against: kubectl config view")
	}
	return config, checkServer(config.Host, c.Raw, name)
}

// Connect makes a client to a context's API server. Nothing is sent yet.
func (c *Contexts) Connect(name string, warn func(string)) (*cluster.Client, error) {
	config, err := c.configuration(name)
	if err != nil {
		return nil, err
	}
	clusterName := c.Raw.Contexts[name].Cluster
	if clusterName == "" {
		clusterName = defaultClusterName
	}
	client, err := c.env.client(config, clusterName, warn)
	if err != nil {
		return nil, err
	}
	client.DescribeLogin(func() cluster.Login { return loginOf(c.Raw, name) })
	return client, nil
}

// Login says what a context logs in with, for a person.
func (c *Contexts) Login(name string) string {
	user, exists := c.Raw.AuthInfos[c.Raw.Contexts[name].AuthInfo]
	switch {
	case !exists:
		return "nothing"
	case user.Exec != nil:
		return "exec " + user.Exec.Command
	case user.AuthProvider != nil:
		return "auth provider " + user.AuthProvider.Name
	case user.Token != "" || user.TokenFile != "":
		return "token"
	case user.Username != "":
		return "password"
	}
	return "nothing"
}

// RunsPrograms reports whether logging in as the context would run another program.
func (c *Contexts) RunsPrograms(name string) bool {
	user, exists := c.Raw.AuthInfos[c.Raw.Contexts[name].AuthInfo]
	return exists && (user.Exec != nil || user.AuthProvider != nil)
}
