package enforce

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/access"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/revocation"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/store"
)

// files are what is in the directory, and what is to be.
type files struct {
	directory store.Enforcement
	// base are the authorizers that the API server has besides, and baseText is what they
	// were read from.
	base     revocation.Base
	baseText []byte
	// denier is the kubeconfig that the authorization file names.
	denier []byte
	// wanted is the authorization file that is to be in place; empty before the first one is
	// known.
	wanted []byte
	// list is what is on the disk of what is remembered of the list.
	list []byte
}

// openFiles reads the directory, and puts right what a damaged or missing file would keep the
// API server from starting with.
func openFiles(directory store.Enforcement) (*files, error) {
	f := &files{directory: directory}
	if err := f.restore(); err != nil {
		return nil, err
	}
	if err := f.readBase(); err != nil {
		return nil, err
	}
	return f, f.keepDenier()
}

// restore puts the last good file in the place of an authorization file that is damaged or
// missing.
func (f *files) restore() error {
	current, err := f.directory.Read(f.directory.AuthorizationPath())
	if err != nil && !store.IsMissing(err) {
		return err
	}
	currentErr := err
	if err == nil {
		if currentErr = revocation.CheckFile(current); currentErr == nil {
			f.wanted = current
			return nil
		}
	}
	lastGood, err := f.directory.Read(f.directory.LastGoodPath())
	if err == nil {
		err = revocation.CheckFile(lastGood)
	}
	switch {
	case err == nil:
		f.wanted = lastGood
		return f.directory.Write(f.directory.AuthorizationPath(), lastGood)
	case store.IsMissing(currentErr):
		return notInitialized(f.directory)
	}
	// It is a file of the operator's, such as the one from before csr-onboard.
	if _, baseErr := revocation.ParseBase(current); baseErr != nil {
		return fmt.Errorf("%q cannot be used (%w), and there is nothing to replace it with: %w", f.directory.AuthorizationPath(), currentErr, err)
	}
	return nil
}

func notInitialized(directory store.Enforcement) error {
	return outcome.WithHint(
		outcome.Errorf(outcome.ErrUsage, "the directory %s has no authorization file", directory),
		"set it up first: csr-onboard-controller enforce init --directory DIR --authorization-mode Node,RBAC")
}

// readBase reads the authorizers of the base; where there are none yet, those of the
// authorization file become the base.
func (f *files) readBase() error {
	text, err := f.directory.Read(f.directory.BasePath())
	if store.IsMissing(err) {
		return f.adoptBase()
	}
	if err != nil {
		return err
	}
	if f.baseText != nil && bytes.Equal(text, f.baseText) {
		return nil
	}
	base, err := revocation.ParseBase(text)
	if err != nil {
		return fmt.Errorf("%q: %w", f.directory.BasePath(), err)
	}
	if missing := base.Missing(f.base); len(missing) > 0 {
		return outcome.WithHint(fmt.Errorf("%q has no authorizer %s any more, which the API server does not drop while it runs", f.directory.BasePath(), missing),
			"stop the enforcer, set the directory up again, and restart the API server")
	}
	f.base, f.baseText = base, text
	return nil
}

func (f *files) adoptBase() error {
	current, err := f.directory.Read(f.directory.AuthorizationPath())
	if err != nil {
		return err
	}
	base, err := revocation.ParseBase(current)
	if err != nil {
		return fmt.Errorf("%q: %w", f.directory.AuthorizationPath(), err)
	}
	encoded, err := base.Encode()
	if err != nil {
		return err
	}
	f.base, f.baseText = base, encoded
	return f.directory.Write(f.directory.BasePath(), encoded)
}

// answeredBy has the kubeconfig be that of a denier.
func (f *files) answeredBy(d *denier) { f.denier = d.kubeconfig }

// keepDenier makes sure that the kubeconfig that the authorization file names is whole: an API
// server does not start without it.
func (f *files) keepDenier() error {
	path := f.directory.DenierPath()
	text, err := f.directory.Read(path)
	switch {
	case err != nil && !store.IsMissing(err):
		return err
	case f.denier == nil && err == nil && isDenierKubeconfig(text):
		f.denier = text
		return nil
	case f.denier == nil:
		if f.denier, err = newSilentKubeconfig(); err != nil {
			return err
		}
	case err == nil && bytes.Equal(text, f.denier):
		return nil
	}
	return f.directory.Write(path, f.denier)
}

// isDenierKubeconfig reports whether a file is a kubeconfig of a denier, whole.
func isDenierKubeconfig(text []byte) bool {
	var parsed struct {
		Clusters []struct {
			Cluster struct {
				Server    string `json:"server"`
				Authority []byte `json:"certificate-authority-data"`
			} `json:"cluster"`
		} `json:"clusters"`
		Users []struct {
			User struct {
				Token string `json:"token"`
			} `json:"user"`
		} `json:"users"`
	}
	if json.Unmarshal(text, &parsed) != nil || len(parsed.Clusters) != 1 || len(parsed.Users) != 1 {
		return false
	}
	cluster := parsed.Clusters[0].Cluster
	address := strings.TrimSuffix(strings.TrimPrefix(cluster.Server, "https://"), access.DenierPath)
	again, err := revocation.DenierKubeconfig(address, cluster.Authority, parsed.Users[0].User.Token)
	return err == nil && bytes.Equal(again, text) && isCertificate(cluster.Authority) && CheckDenierAddress(address) == nil
}

// remembered reads what an earlier enforcer has remembered of the list.
func (f *files) remembered() (remembered revocation.Remembered, _ error) {
	text, err := f.directory.Read(f.directory.ListPath())
	if store.IsMissing(err) {
		return revocation.Remembered{}, nil
	}
	if err == nil {
		err = json.Unmarshal(text, &remembered)
	}
	if err != nil {
		return revocation.Remembered{}, err
	}
	f.list = text
	return remembered, nil
}

// remember writes what is to be remembered of the list, if that changed.
func (f *files) remember(remembered revocation.Remembered) error {
	text, err := json.Marshal(remembered)
	if err != nil || bytes.Equal(text, f.list) {
		return err
	}
	if err := f.directory.Write(f.directory.ListPath(), text); err != nil {
		return err
	}
	f.list = text
	return nil
}

// put has an authorization file in place.
func (f *files) put(text []byte) error {
	if err := revocation.CheckFile(text); err != nil {
		return fmt.Errorf("the file that was rendered is not written: %w", err)
	}
	// The API server reads it when it reads the authorization file.
	if err := f.keepDenier(); err != nil {
		return err
	}
	current, err := f.directory.Read(f.directory.AuthorizationPath())
	if err == nil && bytes.Equal(current, text) {
		f.wanted = text
		return nil
	}
	if err := f.directory.Write(f.directory.AuthorizationPath(), text); err != nil {
		return err
	}
	f.wanted = text
	return nil
}

// keep puts back what somebody else changed in the directory.
func (f *files) keep() error {
	if err := f.keepDenier(); err != nil || len(f.wanted) == 0 {
		return err
	}
	if current, err := f.directory.Read(f.directory.AuthorizationPath()); err == nil && bytes.Equal(current, f.wanted) {
		return nil
	}
	return f.put(f.wanted)
}

// keepLastGood remembers the authorization file as one that an API server uses.
func (f *files) keepLastGood() error {
	if current, err := f.directory.Read(f.directory.LastGoodPath()); err == nil && bytes.Equal(current, f.wanted) {
		return nil
	}
	return f.directory.Write(f.directory.LastGoodPath(), f.wanted)
}

// lastGood is the last file that an API server was seen to use; nil if there is none.
func (f *files) lastGood() []byte {
	text, err := f.directory.Read(f.directory.LastGoodPath())
	if err != nil || revocation.CheckFile(text) != nil {
		return nil
	}
	return text
}
