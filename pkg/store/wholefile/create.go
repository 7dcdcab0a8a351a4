package wholefile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/store/trouble"
)

// Create makes a file that was not there, such that
// at no moment a part of it stands under its name, whenever the process ends:
// it writes a file without a name, or a temporary sibling, and links it to the name,
// which fails where the name exists. What is lasting is on the disk then.
func (d *Directories) Create(path string, data []byte, mode fs.FileMode, durability Durability) error {
	d.tidy(filepath.Dir(path))
	err := LinkUnnamed(path, data, mode, durability)
	if errors.Is(err, errors.ErrUnsupported) {
		err = d.LinkTemporary(path, data, mode)
	}
	if err != nil {
		return trouble.About(path, err)
	}
	if durability == Passing {
		return nil
	}
	return d.Sync(path)
}

// Durability reports whether a file has to outlast a power failure. To see to that is most
// of the work of writing a small file, for the disk and for the processor.
type Durability int

const (
	// Lasting is what cannot be made again.
	Lasting Durability = iota
	// Passing is what can be made again.
	Passing
)

// LinkTemporary is how Create makes a file where LinkUnnamed cannot: it writes a temporary
// file next to path, and links it to the name. If there is a file already, the error is
// fs.ErrExist.
func (d *Directories) LinkTemporary(path string, data []byte, mode fs.FileMode) error {
	temporary, err := d.writeTemporary(path, data, func(file *os.File) error { return SetMode(file, mode) })
	if err != nil {
		return err
	}
	defer os.Remove(temporary) //nolint:errcheck // What stays is removed by the next run.
	err = os.Link(temporary, path)
	if err != nil && !errors.Is(err, fs.ErrExist) {
		// File systems without hard links (FAT, some network mounts).
		err = createInPlace(path, data, mode)
	}
	return err
}

func createInPlace(path string, data []byte, mode fs.FileMode) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	if err := SetMode(file, mode); err != nil {
		return errors.Join(err, file.Close(), os.Remove(path))
	}
	if err := Fill(file, data); err != nil {
		return errors.Join(err, os.Remove(path))
	}
	return nil
}

// SetMode gives a file that was created with mode 0600 another one.
func SetMode(file *os.File, mode fs.FileMode) error {
	if mode == 0o600 {
		return nil
	}
	return file.Chmod(mode)
}

// Remove removes a file; one that is not there is removed already.
func Remove(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return trouble.About(path, err)
	}
	return nil
}

// Replace puts a new file in another's place, whole or not at all: write next to it, fsync,
// rename. The new file is prepared while it is empty, and gets the name if that is still
// what it was. (Windows renames nothing over an open file: what was read is closed by then.)
func (d *Directories) Replace(path string, data []byte, prepare func(*os.File) error, isUnchanged func() bool) error {
	temporary, err := d.writeTemporary(path, data, prepare)
	if err != nil {
		return trouble.About(path, err)
	}
	if isUnchanged() {
		err = os.Rename(temporary, path)
	} else {
		err = ErrExchanged
	}
	if err != nil {
		_ = os.Remove(temporary)
		return trouble.About(path, err)
	}
	return d.Sync(path)
}

// writeTemporary writes data to a new file next to path, which is prepared while it is
// empty, and makes sure it is on the disk. What processes that were killed left of earlier
// ones is removed before.
func (d *Directories) writeTemporary(path string, data []byte, prepare func(*os.File) error) (string, error) {
	d.tidy(filepath.Dir(path))
	// os.CreateTemp creates exclusively, with mode 0600.
	file, err := os.CreateTemp(filepath.Dir(path), TemporaryPattern(path))
	if err != nil {
		return "", err
	}
	if err := prepare(file); err != nil {
		return "", errors.Join(err, file.Close(), os.Remove(file.Name()))
	}
	if err := Fill(file, data); err != nil {
		_ = os.Remove(file.Name())
		return "", err
	}
	return file.Name(), nil
}

// Fill writes, syncs and closes a file.
func Fill(file *os.File, data []byte) error {
	_, err := file.Write(data)
	if err == nil {
		err = file.Sync()
	}
	return errors.Join(err, file.Close())
}

// ErrExchanged is the error of a file that is not the one any more that was read.
var ErrExchanged = errors.New("the file was exchanged while it was being changed")
