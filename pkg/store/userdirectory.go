// Package store is the program's one door to the disk.
//
// It promises that a private key is created readable by its owner only, whole
// or not at all, and never replaced; that any other file of a user is replaced
// whole; and that what is read is a regular file of reasonable size. It refuses
// keys that others may read, and files and directories that others can have put
// there: see Kind, through which every file is written.
package store

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/store/guard"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/store/trouble"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/store/wholefile"
)

// largestFile bounds what is read into memory, in bytes: the kubeconfig of a
// site with a thousand clusters has a tenth of it.
const largestFile = 16 << 20

// UserDirectory is where a user's private key, request and kubeconfig are kept.
type UserDirectory struct {
	directory string
	base      string
	// key and request are the kinds of the files in it.
	key, request *Kind
	// written is what is remembered of the directories that its files are in.
	written *wholefile.Directories
}

// UserDirectories are the directories of users whose files one command writes: in a directory that
// they share, or each in a directory of the user's own under home/.kube/csr-onboard.
type UserDirectories struct {
	directory, home string
	written         *wholefile.Directories
}

// NewUserDirectories returns the directories of users in directory or, if that is empty, under home.
func NewUserDirectories(directory, home string) UserDirectories {
	return UserDirectories{directory: directory, home: home, written: new(wholefile.Directories)}
}

// UserDirectoryOf is the directory of a single user: see UserDirectories.
func UserDirectoryOf(directory, home, user string) (UserDirectory, error) {
	return NewUserDirectories(directory, home).Of(user)
}

// Of is the directory of a user. The files are named for the user (see identity.FileName).
// Nothing is created yet.
func (u UserDirectories) Of(user string) (UserDirectory, error) {
	d := UserDirectory{base: identity.FileName(user), key: privateKey, request: pkcs10Request, written: u.written}
	if u.directory != "" {
		d.directory = filepath.Clean(u.directory)
		return d, nil
	}
	if u.home == "" {
		return UserDirectory{}, outcome.WithHint(
			outcome.Errorf(outcome.ErrUsage, "no home directory found to keep the key of %q in", user),
			"set HOME, or name a directory: --dir DIR")
	}
	d.directory = filepath.Join(ownDirectory(u.home), d.base)
	return d, nil
}

// ownDirectory is where the directories of users are, under home.
func ownDirectory(home string) string { return filepath.Join(home, ".kube", "csr-onboard") }

// directories is what is remembered of the directories that files are in; nothing, for the
// zero value of UserDirectory.
func (d UserDirectory) directories() *wholefile.Directories {
	if d.written == nil {
		return new(wholefile.Directories)
	}
	return d.written
}

// ofClusters is the directory in a user's that has one for each of several clusters.
const ofClusters = "clusters"

// ForCluster is the directory of the same user's files for one of several clusters, which is called by a
// context of a kubeconfig: a directory below the user's.
func (d UserDirectory) ForCluster(context string) UserDirectory {
	d.directory = filepath.Join(d.directory, ofClusters, identity.FileName(context))
	return d
}

// Directory is the directory's path.
func (d UserDirectory) Directory() string { return d.directory }

// KeyPath is where the private key is.
func (d UserDirectory) KeyPath() string { return filepath.Join(d.directory, d.base+".key") }

// RequestPath is where the PKCS#10 request is.
func (d UserDirectory) RequestPath() string { return filepath.Join(d.directory, d.base+".csr") }

// KubeconfigPath is where the kubeconfig is.
func (d UserDirectory) KubeconfigPath() string {
	return filepath.Join(d.directory, d.base+".kubeconfig")
}

// CertificatePath is where the certificate is, where it is wanted in a file of its own.
func (d UserDirectory) CertificatePath() string { return filepath.Join(d.directory, d.base+".crt") }

// Prepare creates the directory with mode 0700 where it does not exist, and judges it. An
// existing directory's mode stays as it is, and one in which others could exchange files is
// refused.
func (d UserDirectory) Prepare() error {
	if err := os.MkdirAll(d.directory, 0o700); err != nil {
		return outcome.AddHint(trouble.WithHint(fmt.Errorf("the directory %q cannot be created: %w", d.directory, trouble.Cause(err)), d.directory),
			"name a directory that you can write to: --dir DIR")
	}
	return d.key.judgePlace(d.KeyPath())
}

// HasKey reports whether there is something where the private key is kept.
func (d UserDirectory) HasKey() bool {
	_, err := os.Lstat(d.KeyPath())
	return err == nil
}

// ReadKey reads the private key's bytes. One that does not exist is fs.ErrNotExist; one
// that group or others may read is refused, because it is not a secret any more, and so is
// one that the effective user did not make: see Kind.
func (d UserDirectory) ReadKey() ([]byte, error) { return ReadFileOf(d.key, d.KeyPath()) }

// ReadSecret reads a private key's file that a person or a kubeconfig names, also through
// a symbolic link. One that does not exist is fs.ErrNotExist; one that group or others may
// read is refused, and one that belongs to neither the effective user nor root, because it
// is somebody else's.
func ReadSecret(path string) ([]byte, error) {
	data, info, err := readNamed(path)
	if err != nil {
		return nil, err
	}
	if owner, _, known := guard.Ownership(info); known && owner != guard.EffectiveUser() && owner != 0 {
		return nil, trouble.Refuse("use a key of your own", "the private key %q belongs to %s, not to %s", path, guard.NameOf(owner), guard.NameOf(guard.EffectiveUser()))
	}
	// Last: the hint changes a mode, which must be that of a file of one's own.
	if guard.IsOpen(info.Mode()) {
		return nil, readableByOthers(privateKey.name, path, info.Mode())
	}
	return data, nil
}

// CreateKey writes a new private key with mode 0600. If there is one already,
// also one that appeared this very moment, that one stays and the error is
// fs.ErrExist.
func (d UserDirectory) CreateKey(data []byte) error {
	return d.key.createFile(d.directories(), d.KeyPath(), data)
}

// ReadRequest reads the PKCS#10 request's bytes; fs.ErrNotExist if there is
// none.
func (d UserDirectory) ReadRequest() ([]byte, error) { return ReadFileOf(d.request, d.RequestPath()) }

// WriteRequest writes the PKCS#10 request with mode 0600, in place of an older
// one. It need not outlast a power failure: it can be made of the key again.
func (d UserDirectory) WriteRequest(data []byte) error {
	return d.request.replaceFile(d.directories(), d.RequestPath(), data)
}

// readNamed reads a regular file of bounded size that a person named, also through a
// symbolic link. It never waits: what was opened is judged before it is read.
func readNamed(path string) ([]byte, fs.FileInfo, error) {
	file, err := os.OpenFile(path, os.O_RDONLY|guard.NoWait, 0)
	if err != nil {
		return nil, nil, trouble.About(path, err)
	}
	defer file.Close() //nolint:errcheck // Nothing was written.
	info, err := file.Stat()
	if err != nil {
		return nil, nil, trouble.About(path, err)
	}
	if !info.Mode().IsRegular() {
		return nil, nil, trouble.NotRegular(path)
	}
	data, err := readAll(path, file)
	return data, info, err
}

// readAll reads an open file of bounded size.
func readAll(path string, file io.Reader) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(file, largestFile+1))
	if err != nil {
		return nil, trouble.About(path, err)
	}
	if len(data) > largestFile {
		return nil, fmt.Errorf("%q has more than %d bytes", path, largestFile)
	}
	return data, nil
}
