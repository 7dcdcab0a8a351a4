package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/store/guard"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/store/lock"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/store/trouble"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/store/wholefile"
)

// Enforcement is the directory of a control-plane node's enforcer, whose authorization file
// the API server of the node reads. Every file in it is replaced whole, and none is removed.
type Enforcement struct{ directory string }

// EnforcementIn is the directory at a path, which is made absolute: the API server reads what
// it names.
func EnforcementIn(directory string) (Enforcement, error) {
	absolute, err := filepath.Abs(directory)
	return Enforcement{absolute}, err
}

// Make makes the directory, for its owner alone, where it does not exist.
func (e Enforcement) Make() error {
	if err := makeDirectory(e.directory); err != nil {
		return err
	}
	return guard.Private(e.directory)
}

// AuthorizationPath is the file that the API server is started with (--authorization-config).
func (e Enforcement) AuthorizationPath() string {
	return filepath.Join(e.directory, "authorization.yaml")
}

// LastGoodPath is a copy of the last authorization file that an API server was seen to use.
func (e Enforcement) LastGoodPath() string { return filepath.Join(e.directory, "last-good.yaml") }

// BasePath is the authorizers that the API server had before.
func (e Enforcement) BasePath() string { return filepath.Join(e.directory, "base.yaml") }

// ListPath is what the enforcer remembers of the list of who is revoked.
func (e Enforcement) ListPath() string { return filepath.Join(e.directory, "list.json") }

// DenierName is the name of the kubeconfig that the authorization file names.
const DenierName = "denier.kubeconfig"

// DenierPath is its path.
func (e Enforcement) DenierPath() string { return filepath.Join(e.directory, DenierName) }

// Read reads a file of the directory. One that does not exist is fs.ErrNotExist.
func (e Enforcement) Read(path string) ([]byte, error) {
	return ReadFileOf(enforcementFile, path)
}

// Write puts content in the place of a file of the directory, whole or not at all.
func (e Enforcement) Write(path string, content []byte) error {
	return enforcementFile.replaceFile(new(wholefile.Directories), path, content)
}

// ReadDenierKey reads the private key and certificate of the denier, in PEM. One that does not
// exist is fs.ErrNotExist, and one that others can read is refused.
func (e Enforcement) ReadDenierKey() ([]byte, error) { return ReadFileOf(denierKey, e.denierKeyPath()) }

// WriteDenierKey replaces them.
func (e Enforcement) WriteDenierKey(content []byte) error {
	return denierKey.replaceFile(new(wholefile.Directories), e.denierKeyPath(), content)
}

func (e Enforcement) denierKeyPath() string { return filepath.Join(e.directory, "denier.pem") }

// Lock makes sure that one enforcer at a time works in the directory. The lock of a process
// that has ended, in whatever way, is taken over.
func (e Enforcement) Lock() (release func() error, _ error) {
	if err := guard.Private(e.directory); err != nil {
		return nil, err
	}
	path := filepath.Join(e.directory, "enforce")
	held, err := lock.TryAs(lock.Controller, path)
	switch {
	case err != nil:
		return nil, trouble.About(path+lock.Suffix, err)
	case held == nil:
		holder, _ := os.ReadFile(path + lock.Suffix)
		return nil, outcome.WithHint(
			outcome.Errorf(outcome.ErrRefused, "another enforcer works in %q already (%s)", e.directory, identity.PrintableSentence(strings.TrimSpace(string(holder)))),
			"one enforcer runs on each control-plane node; stop the other one first")
	}
	return held.Release, nil
}

// IsMissing reports whether an error is that of a file that does not exist.
func IsMissing(err error) bool { return errors.Is(err, fs.ErrNotExist) }

// String names the directory.
func (e Enforcement) String() string { return fmt.Sprintf("%q", e.directory) }

// Path is the path of the directory.
func (e Enforcement) Path() string { return e.directory }
