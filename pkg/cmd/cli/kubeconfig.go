package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/kubeconfig"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/render"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/store"
)

// RawKubeconfig reads the kubeconfig as kubectl does, all its files together. It is the
// only caller of clientcmd for that: the text of clientcmd's errors quotes values of the
// file, and is replaced by what kubeconfig.Decode finds.
//
// kubectl may be rewriting a file at this very moment, which looks empty or cut then: so
// it is read again, for a second at most.
func (e *Environment) RawKubeconfig() (clientcmdapi.Config, error) {
	if e.kubeconfig != nil {
		return e.kubeconfig.RawConfig()
	}
	e.recoverKubeconfigs()
	for deadline := e.Now().Add(store.SettleTime); ; {
		raw, loader, err := e.readKubeconfig()
		if loader != nil && isBeingWritten(loader.ConfigAccess(), e.Now(), raw, err) && e.Now().Before(deadline) {
			<-time.After(store.SettlePause)
			continue
		}
		if err == nil {
			e.kubeconfig = loader
		}
		return raw, err
	}
}

// recoverKubeconfigs undoes what a run has left that was interrupted while it wrote a
// kubeconfig in place. What cannot be undone is reported, and the file is read as it is.
func (e *Environment) recoverKubeconfigs() {
	for _, file := range loaderWithoutPipes(e.Flags).ConfigAccess().GetLoadingPrecedence() {
		wasIncomplete, err := store.RecoverFile(file)
		switch {
		case err != nil:
			render.NewNarrator(e.Streams.ErrOut, e.Now).Warn(fmt.Sprintf("%v: %s", err, outcome.Hint(err)))
		case wasIncomplete:
			render.NewNarrator(e.Streams.ErrOut, e.Now).Warn(fmt.Sprintf("a run was interrupted while it wrote to the kubeconfig %q: what the file held before was restored", file))
		}
	}
}

// isBeingWritten reports whether what was read of a kubeconfig may be a part of it.
func isBeingWritten(access clientcmd.ConfigAccess, now time.Time, raw clientcmdapi.Config, err error) bool {
	files := access.GetLoadingPrecedence()
	isIncomplete := err != nil || clientcmdapi.IsConfigEmpty(&raw)
	return slices.ContainsFunc(files, func(file string) bool {
		return store.IsBeingWritten(file, now) || isIncomplete && store.IsUnsettled(file, now)
	})
}

// readKubeconfig reads the kubeconfig once. The loader is nil where its files must not be
// opened.
func (e *Environment) readKubeconfig() (clientcmdapi.Config, clientcmd.ClientConfig, error) {
	loader, err := e.loader()
	if err == nil {
		err = checkExpansion(loader.ConfigAccess())
	}
	if err != nil {
		return clientcmdapi.Config{}, nil, err
	}
	raw, err := loader.RawConfig()
	if err != nil {
		return raw, loader, outcome.WithHint(outcome.Errorf(outcome.ErrUsage, "the kubeconfig cannot be read: %w", whyUnread(loader.ConfigAccess())),
			"check --kubeconfig and KUBECONFIG")
	}
	return raw, loader, nil
}

// whyUnread finds the file for which a kubeconfig was not loaded.
func whyUnread(access clientcmd.ConfigAccess) error {
	for _, file := range access.GetLoadingPrecedence() {
		if store.Exists(file) && !store.IsRegular(file) {
			// os.DevNull, or a pipe of a shell, which can be read only once.
			continue
		}
		data, err := store.ReadFile(file)
		if errors.Is(err, fs.ErrNotExist) && !access.IsExplicitFile() {
			continue
		}
		if err != nil {
			return err
		}
		if _, err := kubeconfig.Decode(data); err != nil {
			return fmt.Errorf("%q: %w", file, err)
		}
	}
	return errors.New("a pipe does not contain a valid kubeconfig, or the files could not be merged")
}

// checkAddresses refuses addresses of a context's cluster that clientcmd and net/http
// would quote in their errors, password and all. What clientcmd says of the rest of a
// kubeconfig names entries and files, and no other value (client-go tools/clientcmd
// validation.go). server and proxy come from flags, and take the place of the cluster's.
func checkAddresses(raw clientcmdapi.Config, clusterName, server, proxy string) error {
	serverSource, proxySource := "--server", "--proxy-url"
	if cluster := raw.Clusters[clusterName]; cluster != nil {
		if server == "" {
			server, serverSource = cluster.Server, fmt.Sprintf("server of the cluster %s", identity.Quote(clusterName))
		}
		if proxy == "" {
			proxy, proxySource = cluster.ProxyURL, fmt.Sprintf("proxy-url of the cluster %s", identity.Quote(clusterName))
		}
	}
	if server != "" {
		if _, err := kubeconfig.ParseServer(server); err != nil {
			return outcome.WithHint(outcome.Errorf(outcome.ErrUsage, "invalid %s: %w", serverSource, err),
				"it must be a URL without a user name and a password, for example: https://kubernetes.example.com:6443")
		}
	}
	if proxy != "" {
		if _, _, err := kubeconfig.ParseProxy(proxy); err != nil {
			return outcome.WithHint(outcome.Errorf(outcome.ErrUsage, "invalid %s: %w", proxySource, err),
				"it must be a URL with the scheme http, https or socks5; special characters of a password are written as %%XX")
		}
	}
	return nil
}
