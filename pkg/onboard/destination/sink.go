package destination

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/store"
)

// sink is where a content is written.
type sink interface {
	// check finds what would keep the content from being written, and changes nothing.
	check(ctx context.Context, c content) error
	// write writes the content, which is loaded.
	write(ctx context.Context, c content) (Written, error)
}

// inHand returns the content to the caller.
type inHand struct{}

func (inHand) check(context.Context, content) error { return nil }

func (inHand) write(_ context.Context, c content) (Written, error) {
	encoded, err := c.alone()
	return Written{InHand: encoded}, err
}

// ownFile is a file with nothing else in it.
type ownFile struct {
	path      string
	directory store.UserDirectory
	// isWithKey reports that the file is in the directory of the user's private key.
	isWithKey bool
}

func (f ownFile) check(ctx context.Context, c content) error {
	existing, err := store.ReadFileOf(c.kind(), f.path)
	isNew := errors.Is(err, fs.ErrNotExist)
	if err != nil && !isNew {
		return err
	}
	if !isNew || !f.isWithKey {
		if err := checkWritable(ctx, c.kind(), f.path, c); err != nil {
			return err
		}
	}
	if isNew {
		return nil
	}
	return c.checkReplaceable(existing)
}

func (f ownFile) write(ctx context.Context, c content) (Written, error) {
	err := f.directory.UpdateFile(ctx, c.kind(), f.path, func(existing []byte) ([]byte, error) {
		if existing != nil {
			if err := c.checkReplaceable(existing); err != nil {
				return nil, err
			}
		}
		return c.alone()
	})
	return writtenTo(f.path, c, err)
}

// sharedFile is a kubeconfig with other entries.
type sharedFile struct{ path string }

func (f sharedFile) check(ctx context.Context, c content) error {
	_, err := store.ReadFileOf(store.SharedKubeconfig, f.path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	// The entries are compared when they are merged: they may change until then.
	return checkWritable(ctx, store.SharedKubeconfig, f.path, c)
}

func (f sharedFile) write(ctx context.Context, c content) (Written, error) {
	return writtenTo(f.path, c, store.UpdateSharedFile(ctx, f.path, c.merge))
}

func checkWritable(ctx context.Context, kind *store.Kind, path string, c content) error {
	if err := store.CheckWritable(ctx, kind, path); err != nil {
		return fmt.Errorf("the %s was not written: %w", c.noun(), err)
	}
	return nil
}

func writtenTo(path string, c content, err error) (Written, error) {
	if err != nil {
		return Written{}, fmt.Errorf("the %s was not written: %w", c.noun(), err)
	}
	return Written{Path: path}, nil
}
