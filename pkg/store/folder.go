// Package store is the program's one door to the disk.
//
// It promises that a private key is created readable by its owner only, whole
// or not at all, and never replaced; that any other file of a user is replaced
// whole; and that what is read is a regular file of reasonable size. It refuses
// keys that others may read.
package store

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
)

// largestFile bounds what is read into memory, in bytes: the kubeconfig of a
// site with a thousand clusters has a tenth of it.
const largestFile = 16 << 20

// Folder is where a user's private key, request and kubeconfig are kept.
type Folder struct {
	directory string
	base      string
}

// UserFolder is the folder of a user. directory is where the person wants the
// files; empty means a folder of the user's own under home/.kube/csr-onboard.
// The files are named for the user in both (see identity.FileName). Nothing is
// created yet.
func UserFolder(directory, home, user string) (Folder, error) {
	base := identity.FileName(user)
	if directory != "" {
		return Folder{directory: filepath.Clean(directory), base: base}, nil
	}
	if home == "" {
		return Folder{}, outcome.WithHint(
			outcome.Errorf(outcome.ErrUsage, "there is no home directory to keep the key of %q in", user),
			"set HOME, or name a folder: --dir DIR")
	}
	return Folder{directory: filepath.Join(ownFolder(home), base), base: base}, nil
}

// ownFolder is where the folders of users are, under home.
func ownFolder(home string) string { return filepath.Join(home, ".kube", "csr-onboard") }

// Directory is the folder's path.
func (f Folder) Directory() string { return f.directory }

// KeyPath is where the private key is.
func (f Folder) KeyPath() string { return filepath.Join(f.directory, f.base+".key") }

// RequestPath is where the PKCS#10 request is.
func (f Folder) RequestPath() string { return filepath.Join(f.directory, f.base+".csr") }

// KubeconfigPath is where the kubeconfig is.
func (f Folder) KubeconfigPath() string { return filepath.Join(f.directory, f.base+".kubeconfig") }

// CertificatePath is where the certificate is, where it is wanted in a file of its own.
func (f Folder) CertificatePath() string { return filepath.Join(f.directory, f.base+".crt") }

// Prepare creates the folder with mode 0700 where it does not exist. An
// existing folder's mode stays as it is: the files in it protect themselves.
func (f Folder) Prepare() error {
	if err := os.MkdirAll(f.directory, 0o700); err != nil {
		return outcome.WithHint(fmt.Errorf("the folder %q can't be made: %w", f.directory, cause(err)),
			"name a folder that you may write to: --dir DIR")
	}
	return nil
}

// HasKey says whether there is something where the private key is kept.
func (f Folder) HasKey() bool {
	_, err := os.Lstat(f.KeyPath())
	return err == nil
}

// ReadKey reads the private key's bytes; see ReadSecret.
func (f Folder) ReadKey() ([]byte, error) { return ReadSecret(f.KeyPath()) }

// ReadSecret reads a private key's file. One that does not exist is
// fs.ErrNotExist; one that group or others may read is refused, because it is
// no secret any more.
func ReadSecret(path string) ([]byte, error) {
	data, mode, err := read(path)
	if err != nil {
		return nil, err
	}
	if isOpen(mode) {
		return nil, outcome.WithHint(
			fmt.Errorf("the private key %q can be read by others than its owner (mode %04o)", path, mode.Perm()),
			"if nobody else can have read it: chmod 600 %s", identity.ShellWord(path))
	}
	return data, nil
}

// isOpen says whether group or others may do anything with a file. Windows keeps
// that in access lists, which a mode does not show.
func isOpen(mode fs.FileMode) bool { return runtime.GOOS != "windows" && mode.Perm()&0o077 != 0 }

// CreateKey writes a new private key with mode 0600. If there is one already,
// also one that appeared this very moment, that one stays and the error is
// fs.ErrExist.
func (f Folder) CreateKey(data []byte) error { return createExclusive(f.KeyPath(), data, lasting) }

// ReadRequest reads the PKCS#10 request's bytes; fs.ErrNotExist if there is
// none.
func (f Folder) ReadRequest() ([]byte, error) {
	data, _, err := read(f.RequestPath())
	return data, err
}

// WriteRequest writes the PKCS#10 request with mode 0600, in place of an older
// one. It need not outlast a power failure: it can be made of the key again.
func (f Folder) WriteRequest(data []byte) error {
	err := createExclusive(f.RequestPath(), data, passing)
	if errors.Is(err, fs.ErrExist) {
		return replace(f.RequestPath(), data)
	}
	return err
}

// read reads a regular file of bounded size.
func read(path string) ([]byte, fs.FileMode, error) { return readOf(path, fs.FileMode.IsRegular) }

// readOf reads a file of a kind that is wanted.
func readOf(path string, isWanted func(fs.FileMode) bool) ([]byte, fs.FileMode, error) {
	// Asked before opening, because opening a named pipe would wait for a
	// writer.
	info, err := os.Stat(path)
	if err != nil {
		return nil, 0, about(path, err)
	}
	if !isWanted(info.Mode()) {
		return nil, 0, fmt.Errorf("%q is no regular file", path)
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, 0, about(path, err)
	}
	defer file.Close() //nolint:errcheck // Nothing was written.
	data, err := io.ReadAll(io.LimitReader(file, largestFile+1))
	if err != nil {
		return nil, 0, about(path, err)
	}
	if len(data) > largestFile {
		return nil, 0, fmt.Errorf("%q has more than %d bytes", path, largestFile)
	}
	return data, info.Mode(), nil
}

// about says which file an error is about, once.
func about(path string, err error) error { return fmt.Errorf("%q: %w", path, cause(err)) }

// cause strips what os adds to an error, the call's name and a path that may
// be a temporary one.
func cause(err error) error {
	var pathError *fs.PathError
	if errors.As(err, &pathError) {
		return pathError.Err
	}
	var linkError *os.LinkError
	if errors.As(err, &linkError) {
		return linkError.Err
	}
	return err
}
