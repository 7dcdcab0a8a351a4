package destination

import (
	"bytes"
	"context"
	"fmt"
	"time"

	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/kubeconfig"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/pair"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/pki"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/store"
)

// content is what is written. It is made before there is a certificate, and loaded with it.
type content interface {
	// kind and noun are what a file of its own is, and what to call it.
	kind() *store.Kind
	noun() string
	// check finds what would keep it from being loaded, and changes nothing.
	check() error
	// checkReplaceable refuses to replace a file with something else in it. It may be called
	// before the content is loaded.
	checkReplaceable(existing []byte) error
	// load takes the certificate and key.
	load(ctx context.Context, run Run, issued Issued) error
	// alone is the content with nothing else, once it is loaded.
	alone() ([]byte, error)
	// merge adds the content to a kubeconfig; nil is a new one.
	merge(existing []byte) ([]byte, error)
	// complete is Destination.Complete for what is there.
	complete(encoded []byte, now time.Time) *pki.Certificate
	// describe says in the result what was written, and report tells it.
	describe(written *Written)
	report(run Run, written Written, issued Issued)
}

// entries are a user's cluster, user and context in a kubeconfig.
type entries struct {
	endpoint   kubeconfig.Endpoint
	names      kubeconfig.Names
	namespace  string
	user       identity.User
	path       string
	overwrite  bool
	visible    *clientcmdapi.Config
	setCurrent bool
	// isMerged reports that they are added to a kubeconfig, which --kubeconfig names so; "" where
	// kubectl uses it without.
	isMerged bool
	named    string
	// incoming is the certificate to write; nil until it is known.
	incoming *pki.Certificate
	// config has the entries with certificate and key. login is the user entry that is
	// written in their place; nil where they are embedded.
	config *clientcmdapi.Config
	login  *clientcmdapi.AuthInfo
}

func (e *entries) kind() *store.Kind { return store.UserKubeconfig }

func (e *entries) noun() string { return "kubeconfig" }

func (e *entries) assemble(credentials kubeconfig.Credentials) *clientcmdapi.Config {
	return kubeconfig.Assemble(e.endpoint, credentials, e.names, e.namespace)
}

// hold takes the certificate and the entries to write.
func (e *entries) hold(incoming *pki.Certificate, credentials kubeconfig.Credentials, login *clientcmdapi.AuthInfo) {
	e.incoming, e.config, e.login = incoming, e.assemble(credentials), login
}

func (e *entries) alone() ([]byte, error) { return e.encode(e.config, e.login) }

func (e *entries) encode(config *clientcmdapi.Config, login *clientcmdapi.AuthInfo) ([]byte, error) {
	if login != nil {
		config = config.DeepCopy()
		config.AuthInfos[e.names.Context] = login
	}
	return kubeconfig.Encode(config)
}

// checkReplaceable refuses to replace anything but an older kubeconfig of this user.
func (e *entries) checkReplaceable(existing []byte) error {
	config := e.config
	if config == nil {
		config = e.assemble(kubeconfig.Credentials{})
	}
	if err := CheckReplaceable(e.path, existing, config); err != nil {
		return outcome.ReplaceHint(err, "move it away, or name another place: --out FILE or --dir DIR, or add to it: --merge")
	}
	old, err := kubeconfig.Decode(existing)
	if err != nil {
		return err
	}
	return e.checkNoLaterPair(old)
}

func (e *entries) merge(existing []byte) ([]byte, error) {
	old := clientcmdapi.NewConfig()
	if existing != nil {
		var err error
		if old, err = kubeconfig.Decode(existing); err != nil {
			return nil, outcome.WithHint(fmt.Errorf("invalid kubeconfig %q: %w", e.path, err), "name another: --kubeconfig FILE")
		}
	}
	if err := e.checkNoLaterPair(old, e.visible); err != nil {
		return nil, err
	}
	merged, err := e.mergeInto(old)
	if err != nil {
		return nil, err
	}
	return kubeconfig.Encode(merged)
}

func (e *entries) mergeInto(old *clientcmdapi.Config) (*clientcmdapi.Config, error) {
	if e.login != nil {
		return kubeconfig.MergeExec(old, e.visible, e.config, e.login, e.setCurrent)
	}
	return kubeconfig.Merge(old, e.visible, e.config, e.setCurrent)
}

func (e *entries) describe(written *Written) { written.Context = e.names.Context }

func (e *entries) report(run Run, written Written, issued Issued) {
	if store.OthersMayRead(written.Path) {
		run.Tell(KubeconfigNotPrivate{Path: written.Path})
	}
	told := KubeconfigWritten{Path: written.Path, Named: written.Path, Context: written.Context, IsMerged: e.isMerged, IsCurrent: e.setCurrent, LoginChecked: issued.LoggedIn}
	if e.isMerged {
		told.Named = e.named
	}
	run.Tell(told)
}

// valid is the certificate of a pair, if it is valid for the user now; nil otherwise.
func (e *entries) valid(credentials kubeconfig.Credentials, now time.Time) *pki.Certificate {
	key, err := pki.ParseKey(credentials.Key)
	if err != nil {
		return nil
	}
	parsed, err := pki.ParseCertificate(credentials.Certificate)
	if err != nil || pki.Match(parsed, key.Public(), e.user, now) != nil {
		return nil
	}
	return parsed
}

// userIn is the user entry in a kubeconfig; nil if there is none.
func (e *entries) userIn(encoded []byte) *clientcmdapi.AuthInfo {
	config, err := kubeconfig.Decode(encoded)
	if err != nil {
		return nil
	}
	return config.AuthInfos[e.names.Context]
}

// isAsWritten reports whether encoded is what would be written of these credentials.
func (e *entries) isAsWritten(encoded []byte, credentials kubeconfig.Credentials, login *clientcmdapi.AuthInfo) bool {
	wanted, err := e.encode(e.assemble(credentials), login)
	return err == nil && bytes.Equal(wanted, encoded)
}

// embedded is a kubeconfig with the certificate and the private key.
type embedded struct{ entries }

func (*embedded) check() error { return nil }

func (c *embedded) load(_ context.Context, run Run, issued Issued) error {
	WarnOf(run.Tell, c.endpoint, issued.ForAnother)
	c.hold(issued.Certificate, issued.Credentials, nil)
	return nil
}

func (c *embedded) complete(encoded []byte, now time.Time) *pki.Certificate {
	user := c.userIn(encoded)
	if user == nil {
		return nil
	}
	credentials := kubeconfig.Credentials{Certificate: user.ClientCertificateData, Key: user.ClientKeyData}
	if !c.isAsWritten(encoded, credentials, nil) {
		return nil
	}
	return c.valid(credentials, now)
}

// fromCache is a kubeconfig that logs in from a credential cache.
type fromCache struct {
	entries

	directory store.UserDirectory
	// command is how the kubeconfig calls csr-onboard.
	command string
}

func (c *fromCache) check() error {
	cache, err := CacheFor(c.directory, c.endpoint, c.user)
	if err == nil {
		err = cache.Check()
	}
	if err != nil {
		return fmt.Errorf("the credential cache could not be written: %w", err)
	}
	return nil
}

// load puts certificate and key into the cache, or keeps those that are there and expire
// later.
func (c *fromCache) load(ctx context.Context, run Run, issued Issued) error {
	WarnOf(run.Tell, c.endpoint, issued.ForAnother)
	if issued.ForAnother {
		run.Tell(ExecIsLocal{})
	}
	cache, err := CacheFor(c.directory, c.endpoint, c.user)
	if err != nil {
		return err
	}
	kept, err := FillCache(ctx, run, cache, c.endpoint, c.names, issued.Credentials, issued.Certificate, c.overwrite)
	if err != nil {
		return err
	}
	c.hold(kept, issued.Credentials, kubeconfig.ExecUser(c.command, cache.Directory()))
	return nil
}

func (c *fromCache) complete(encoded []byte, now time.Time) *pki.Certificate {
	user := c.userIn(encoded)
	if user == nil {
		return nil
	}
	cache := store.CredentialCacheAt(kubeconfig.CacheOf(user))
	held, err := pair.ReadCache(cache)
	if err != nil || !c.isAsWritten(encoded, held.Credentials, kubeconfig.ExecUser(c.command, cache.Directory())) {
		return nil
	}
	return c.valid(held.Credentials, now)
}

// certificateAlone is the certificate without anything else, in PEM.
type certificateAlone struct {
	user      identity.User
	path      string
	overwrite bool
	// incoming is the certificate to write; nil until it is known.
	incoming *pki.Certificate
}

func (*certificateAlone) kind() *store.Kind { return store.Certificate }

func (*certificateAlone) noun() string { return "certificate" }

func (*certificateAlone) check() error { return nil }

// checkReplaceable refuses to replace anything but an older certificate of this user.
func (c *certificateAlone) checkReplaceable(existing []byte) error {
	if old, err := pki.ParseCertificate(existing); err == nil && old.User().Name == c.user.Name {
		if c.incoming != nil && !c.overwrite && isLater(old, c.incoming) {
			return laterPairKept(old, c.incoming, fmt.Sprintf("the file %q", c.path))
		}
		return nil
	}
	return outcome.WithHint(
		fmt.Errorf("the file %q already exists, and is not a certificate of %q", c.path, c.user.Name),
		"move it away, or name another place: --out FILE or --dir DIR")
}

func (c *certificateAlone) load(_ context.Context, _ Run, issued Issued) error {
	c.incoming = issued.Certificate
	return nil
}

func (c *certificateAlone) alone() ([]byte, error) { return c.incoming.PEM, nil }

func (*certificateAlone) merge([]byte) ([]byte, error) {
	return nil, outcome.Errorf(outcome.ErrUsage, "a certificate alone cannot be merged into a kubeconfig")
}

func (*certificateAlone) complete([]byte, time.Time) *pki.Certificate { return nil }

func (*certificateAlone) describe(written *Written) { written.CertificateOnly = true }

func (c *certificateAlone) report(run Run, written Written, _ Issued) {
	run.Tell(CertificateWritten{Path: written.Path, User: c.user})
}

// CheckReplaceable refuses to write a kubeconfig in the place of anything but an older
// kubeconfig of the same user on the same cluster.
func CheckReplaceable(path string, existing []byte, config *clientcmdapi.Config) error {
	if existing == nil {
		return nil
	}
	const hint = "move it away, or name another place: --out FILE"
	old, err := kubeconfig.Decode(existing)
	if err != nil {
		return outcome.WithHint(fmt.Errorf("the file %q already exists, and is not a kubeconfig", path), hint)
	}
	if kind, name, only := kubeconfig.IsOnly(old, config); !only {
		return outcome.WithHint(fmt.Errorf("the kubeconfig %q already exists, and its %s %q would be lost", path, kind, name), hint)
	}
	return nil
}
