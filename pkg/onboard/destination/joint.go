package destination

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/kubeconfig"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/store"
)

// Joint is one kubeconfig with the contexts of a user on several clusters: a file of its own, or the
// kubeconfig that kubectl uses.
type Joint struct {
	// Path is the file that is written.
	Path      string
	in        Input
	directory store.UserDirectory
	user      string
}

// Part is a user's kubeconfig for one of several clusters, which was written.
type Part struct {
	// Path is its file. Required.
	Path string
	// LoggedIn reports whether the certificate has logged in.
	LoggedIn bool
}

// NewJoint is where the contexts of a user on several clusters go: to the file in the user's directory,
// unless in says otherwise, of which Path, Merge, Named, Visible and Overwrite apply.
func NewJoint(in Input, directory store.UserDirectory, user string) *Joint {
	j := &Joint{Path: in.Path, in: in, directory: directory, user: user}
	if j.Path == "" {
		j.Path = directory.KubeconfigPath()
	}
	if !in.Merge {
		j.in.Visible = clientcmdapi.NewConfig()
	}
	return j
}

func (j *Joint) kind() *store.Kind {
	if j.in.Merge {
		return store.SharedKubeconfig
	}
	return store.UserKubeconfig
}

// CheckEarly finds what would keep the kubeconfig from being written, before certificates are issued.
func (j *Joint) CheckEarly(ctx context.Context) error {
	existing, err := store.ReadFileOf(j.kind(), j.Path)
	isNew := errors.Is(err, fs.ErrNotExist)
	if err != nil && !isNew {
		return err
	}
	// The user's own directory is prepared with the first key.
	if !isNew || j.Path != j.directory.KubeconfigPath() {
		if err := store.CheckWritable(ctx, j.kind(), j.Path); err != nil {
			return j.notWritten(err)
		}
	}
	if isNew || j.in.Merge {
		return nil
	}
	return j.checkOwn(existing)
}

// Deliver adds the contexts of the parts to the kubeconfig. Those of other clusters stay. It changes
// nothing if it is done twice.
func (j *Joint) Deliver(ctx context.Context, run Run, parts []Part) error {
	additions := make([]*entries, len(parts))
	told := KubeconfigJoined{Path: j.Path, Named: j.Path, IsMerged: j.in.Merge, LoginChecked: true}
	if j.in.Merge {
		told.Named = j.in.Named
	}
	for i, part := range parts {
		var err error
		if additions[i], err = j.read(part); err != nil {
			return err
		}
		told.Contexts = append(told.Contexts, additions[i].names.Context)
		told.LoginChecked = told.LoginChecked && part.LoggedIn
	}
	change := func(existing []byte) (joined []byte, err error) {
		if existing != nil && !j.in.Merge {
			if err := j.checkOwn(existing); err != nil {
				return nil, err
			}
		}
		joined = existing
		for _, addition := range additions {
			if joined, err = addition.merge(joined); err != nil {
				return nil, err
			}
		}
		return joined, nil
	}
	var err error
	if j.in.Merge {
		err = store.UpdateSharedFile(ctx, j.Path, change)
	} else {
		err = j.directory.UpdateFile(ctx, store.UserKubeconfig, j.Path, change)
	}
	if err != nil {
		return j.notWritten(err)
	}
	if store.OthersMayRead(j.Path) {
		run.Tell(KubeconfigNotPrivate{Path: j.Path})
	}
	run.Tell(told)
	return nil
}

// read takes the entries of a part. A user who logs in from a credential cache is compared by the
// certificate in it.
func (j *Joint) read(part Part) (*entries, error) {
	encoded, err := store.ReadFileOf(store.UserKubeconfig, part.Path)
	if err != nil {
		return nil, err
	}
	config, err := kubeconfig.Decode(encoded)
	if err != nil {
		return nil, fmt.Errorf("%q: %w", part.Path, err)
	}
	current, exists := config.Contexts[config.CurrentContext]
	if !exists || config.AuthInfos[current.AuthInfo] == nil || config.Clusters[current.Cluster] == nil {
		return nil, fmt.Errorf("the kubeconfig %q is not complete", part.Path)
	}
	login := config.AuthInfos[current.AuthInfo]
	certificate := certificateOf(login)
	if certificate == nil {
		return nil, fmt.Errorf("the kubeconfig %q has no certificate that can be used", part.Path)
	}
	addition := &entries{
		names: kubeconfig.Names{Cluster: current.Cluster, Context: config.CurrentContext},
		path:  j.Path, overwrite: j.in.Overwrite, visible: j.in.Visible, incoming: certificate, config: config,
	}
	if kubeconfig.CacheOf(login) != "" {
		addition.login = login
		config.AuthInfos[current.AuthInfo] = &clientcmdapi.AuthInfo{ClientCertificateData: certificate.PEM}
	}
	return addition, nil
}

// checkOwn refuses to change a file that is not a kubeconfig of this user alone.
func (j *Joint) checkOwn(existing []byte) error {
	const hint = "move it away, or name another place: --out FILE or --dir DIR, or add to it: --merge"
	old, err := kubeconfig.Decode(existing)
	if err != nil {
		return outcome.WithHint(fmt.Errorf("the file %q already exists, and is not a kubeconfig", j.Path), hint)
	}
	for name, login := range old.AuthInfos {
		if certificate := certificateOf(login); certificate == nil || certificate.User().Name != j.user {
			return outcome.WithHint(fmt.Errorf("the kubeconfig %q already exists, and its user %s is not %s with a certificate", j.Path, identity.Quote(name), identity.Quote(j.user)), hint)
		}
	}
	return nil
}

func (j *Joint) notWritten(err error) error {
	return outcome.AddHint(fmt.Errorf("the kubeconfig of all clusters was not written: %w", err), "the kubeconfig of each cluster is in the directory clusters of the user")
}
