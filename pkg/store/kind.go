package store

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/store/guard"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/store/trouble"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/store/wholefile"
)

// Kind is a kind of file that the program writes, with the rule by which such a file and
// its directory are judged. Nothing is written except through its kind, and kinds lists
// them all, so that a test can attack each of them.
//
// A file of every kind but SharedKubeconfig is the program's own to create: it must be a
// regular file of the effective user with one link, and no symbolic link is followed to
// it. It is judged by the open file, and what is written is always a new file of the
// effective user, which takes the name.
type Kind struct {
	// name is what a person calls such a file.
	name string
	// way is how it is written.
	way way
	// isSecret says that nobody but its owner can read it, or it is refused.
	isSecret bool
	// mode is a new file's.
	mode fs.FileMode
	// place is what its directory must be.
	place place
	// durability reports whether it must outlast a power failure.
	durability wholefile.Durability
}

// way is how a kind of file is written.
type way int

const (
	// creates: once, and never replaced.
	creates way = iota
	// replaces: whole, whatever it held.
	replaces
	// updates: as a change of what it held, under its lock.
	updates
	// completes: like updates, but without a lock where nothing is there yet.
	completes
	// shares: like updates, for a file that belongs to the person and not to csr-onboard:
	// symbolic links, mode, owner and extended attributes are kept.
	shares
	// appends: one line at its end, under its lock.
	appends
	// locks: present while a process holds it.
	locks
)

// place is what a kind's directory must be.
type place int

const (
	// anyPlace is where a file is safe by itself: others cannot read anything from it that
	// is secret, and gain nothing by exchanging it.
	anyPlace place = iota
	// guardedPlace is a directory in which nobody else can exchange files, as sshd's
	// StrictModes judges it (OpenSSH misc.c, safe_path).
	guardedPlace
	// privatePlace is a directory that is the program's own: of the effective user, with
	// mode 0700, and not a symbolic link.
	privatePlace
)

// The kinds of files.
var (
	privateKey       = kind(Kind{name: "private key", way: creates, isSecret: true, place: guardedPlace})
	pkcs10Request    = kind(Kind{name: "request", way: replaces, place: guardedPlace, durability: wholefile.Passing})
	UserKubeconfig   = kind(Kind{name: "kubeconfig", way: completes, isSecret: true, place: guardedPlace})
	SharedKubeconfig = kind(Kind{name: "kubeconfig", way: shares})
	// Certificate is a user's certificate in a file by itself, and SignedCertificate the
	// one that a CA server makes.
	Certificate       = kind(Kind{name: "certificate", way: updates})
	SignedCertificate = kind(Kind{name: "certificate", way: creates})
	Handoff           = kind(Kind{name: "handoff", way: updates})
	// PairFile is a certificate or private key next to the one that it follows.
	PairFile = kind(Kind{name: "certificate or private key", way: creates, isSecret: true, place: guardedPlace})

	cacheKubeconfig = kind(Kind{name: "credential cache", way: updates, isSecret: true, place: privatePlace})
	cachedAnswer    = kind(Kind{name: "cached answer", way: replaces, isSecret: true, place: privatePlace})
	RenewalState    = kind(Kind{name: "state of a renewal", way: updates, isSecret: true, place: privatePlace})

	renewalKey      = kind(Kind{name: "private key", way: creates, isSecret: true, place: privatePlace})
	renewalRequest  = kind(Kind{name: "request", way: replaces, place: privatePlace, durability: wholefile.Passing})
	renewalPrevious = kind(Kind{name: "kubeconfig before a renewal", way: replaces, isSecret: true, place: privatePlace})
	renewalRefusal  = kind(Kind{name: "refusal of a renewal", way: replaces, isSecret: true, place: privatePlace})

	// contentBefore and contentAfter are what a file that is written in place held, and is
	// going to hold, until it is written.
	contentBefore = kind(Kind{name: "content from before a change", way: creates, isSecret: true})
	contentAfter  = kind(Kind{name: "content of a change", way: creates, isSecret: true})

	// enforcementFile is a file that an API server reads, or that an enforcer goes back to.
	enforcementFile = kind(Kind{name: "authorization file", way: replaces, place: privatePlace})

	// denierKey is what the denier of an enforcer proves itself with.
	denierKey = kind(Kind{name: "key of the denier", way: replaces, isSecret: true, place: privatePlace})

	issuanceLog = kind(Kind{name: "log", way: appends})
	lockFile    = kind(Kind{name: "lock", way: locks})
	// A program is for everybody.
	installedProgram = kind(Kind{name: "program", way: creates, mode: 0o755})
)

// kinds are all kinds of files that the program writes.
var kinds = []*Kind{
	privateKey, pkcs10Request, UserKubeconfig, SharedKubeconfig, Certificate,
	SignedCertificate, Handoff, PairFile, cacheKubeconfig, cachedAnswer,
	RenewalState, renewalKey, renewalRequest, renewalPrevious, renewalRefusal,
	contentBefore, contentAfter, enforcementFile, denierKey, issuanceLog, lockFile, installedProgram,
}

// kind gives a kind the mode that most have.
func kind(k Kind) *Kind {
	if k.mode == 0 {
		k.mode = 0o600
	}
	return &k
}

// CreateFile makes a file of a kind that is created once, whole or not at all. If there is
// one already, that one stays and the error is fs.ErrExist.
func CreateFile(k *Kind, path string, data []byte) error {
	return k.createFile(new(wholefile.Directories), path, data)
}

// createFile is CreateFile for one of many files.
func (k *Kind) createFile(directories *wholefile.Directories, path string, data []byte) error {
	if err := k.judgePlace(path); err != nil {
		return err
	}
	return directories.Create(path, data, k.mode, k.durability)
}

// replaceFile puts content in a file's place, whatever it held.
func (k *Kind) replaceFile(directories *wholefile.Directories, path string, data []byte) error {
	if err := k.judgePlace(path); err != nil {
		return err
	}
	if err := directories.Create(path, data, k.mode, k.durability); !errors.Is(err, fs.ErrExist) {
		return err
	}
	info, err := os.Lstat(path)
	if err != nil {
		return trouble.About(path, err)
	}
	if err := k.judgeOwn(path, info); err != nil {
		return err
	}
	return directories.Replace(path, data, func(file *os.File) error { return wholefile.SetMode(file, k.mode) }, func() bool { return true })
}

// ReadFileOf reads a file of a kind and judges it and its directory before. One that does
// not exist is fs.ErrNotExist.
func ReadFileOf(k *Kind, path string) ([]byte, error) {
	if k.way == shares {
		return contentOf(k.read(path))
	}
	if directory := filepath.Dir(path); !Exists(directory) {
		// It is going to be made.
		if k.place != anyPlace {
			if err := guard.Guarded(existingAbove(directory)); err != nil {
				return nil, err
			}
		}
		return nil, trouble.About(path, fs.ErrNotExist)
	}
	if err := k.judgePlace(path); err != nil {
		return nil, err
	}
	return contentOf(k.read(path))
}

// contentOf closes a file that was opened and read.
func contentOf(opened *openedFile, err error) ([]byte, error) {
	if err != nil {
		return nil, err
	}
	defer opened.close()
	if opened.file == nil {
		return nil, trouble.About(opened.path, fs.ErrNotExist)
	}
	return opened.data, nil
}

// open opens a file of this kind without following a symbolic link to it and without
// waiting, and judges what was opened.
func (k *Kind) open(path string, flag int) (*os.File, fs.FileInfo, error) {
	file, err := os.OpenFile(path, flag|guard.NoFollow|guard.NoWait, 0)
	if err != nil {
		if info, statErr := os.Lstat(path); statErr == nil && !info.Mode().IsRegular() {
			return nil, nil, k.judgeOwn(path, info)
		}
		return nil, nil, trouble.About(path, err)
	}
	info, err := file.Stat()
	if err != nil {
		return nil, nil, errors.Join(trouble.About(path, err), file.Close())
	}
	if err := k.judgeOwn(path, info); err != nil {
		_ = file.Close()
		return nil, nil, err
	}
	return file, info, nil
}

// judgeOwn says why a file that is the program's own to create is not used.
func (k *Kind) judgeOwn(path string, info fs.FileInfo) error {
	mode := info.Mode()
	away := k.away(path)
	switch {
	case mode&fs.ModeSymlink != 0:
		return trouble.Refuse(away, "the %s %q is a symbolic link, and is not followed", k.name, path)
	case mode.IsDir():
		return trouble.Refuse(trouble.IsDirectory(path), "the %s %q is a directory", k.name, path)
	case !mode.IsRegular():
		return trouble.Refuse(away, "the %s %q is not a regular file", k.name, path)
	}
	owner, links, known := guard.Ownership(info)
	switch {
	case !known:
		return nil
	case owner != guard.EffectiveUser():
		return trouble.Refuse(away, "the %s %q belongs to %s, not to %s", k.name, path, guard.NameOf(owner), guard.NameOf(guard.EffectiveUser()))
	case links > 1:
		return trouble.Refuse(away, "the %s %q has %d names (hard links), and others could use it by another one", k.name, path, links)
	}
	return nil
}

// away is the hint about what stands in the place of a file. /dev/stdout and its like, which are
// symbolic links as a rule, are not to be moved away: what is written to the place that --out names
// can be written to standard output.
func (k *Kind) away(path string) string {
	info, err := os.Stat(path)
	isStream := err == nil && info.Mode()&(fs.ModeDevice|fs.ModeNamedPipe|fs.ModeSocket) != 0
	if isStream && slices.Contains([]string{UserKubeconfig.name, Certificate.name, Handoff.name}, k.name) {
		return "to write to standard output: --out -"
	}
	return "move it away, or name another place"
}

// judgeReadable says why the content of a secret file is not used.
func (k *Kind) judgeReadable(path string, info fs.FileInfo) error {
	if k.isSecret && guard.IsOpen(info.Mode()) {
		return readableByOthers(k.name, path, info.Mode())
	}
	return nil
}

// readableByOthers is the error of a secret that is not one any more.
func readableByOthers(name, path string, mode fs.FileMode) error {
	return trouble.Refuse("if nobody else can have read it: "+identity.NewCommand("chmod 600").File(path).String(),
		"the %s %q can be read by others than its owner (mode %04o)", name, path, mode.Perm())
}

// judgePlace judges the directory of a file of this kind.
func (k *Kind) judgePlace(path string) error {
	switch k.place {
	case guardedPlace:
		return guard.Guarded(filepath.Dir(path))
	case privatePlace:
		return guard.Private(filepath.Dir(path))
	case anyPlace:
	}
	return nil
}

// preparePlace makes the directory of a file of this kind, with mode 0700 where it does
// not exist, and judges it.
func (k *Kind) preparePlace(path string) error {
	if err := makeDirectory(filepath.Dir(path)); err != nil {
		return err
	}
	return k.judgePlace(path)
}

func makeDirectory(directory string) error {
	if err := os.MkdirAll(directory, 0o700); err != nil {
		return trouble.About(directory, err)
	}
	return nil
}

// existingAbove is the nearest directory above a path that exists.
func existingAbove(path string) string {
	for {
		above := filepath.Dir(path)
		if _, err := os.Stat(above); !errors.Is(err, fs.ErrNotExist) || above == path {
			return above
		}
		path = above
	}
}
