package approve

import (
	"fmt"
	"strings"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cmd/cli"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cmd/options"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/approval"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/store"
)

// readFiles reads the requests that were sent. What can't be read among several
// is for the use case to tell.
func (o *decideOptions) readFiles() error {
	if len(o.Files) == 0 {
		return nil
	}
	lifetime, err := request.ParseLifetime(o.Expiration)
	if err != nil {
		return err
	}
	var imported []approval.Imported
	for _, path := range o.Files {
		if path != "-" && store.IsFolder(path) && o.handoff.Out != "" && o.handoff.Out != "-" {
			// What is made of a folder's files is as many.
			o.handoff.Out = store.AsFolder(o.handoff.Out)
		}
		inputs, unread, err := o.Inputs().ReadAll(path)
		if err != nil {
			return err
		}
		if len(unread) > 0 {
			o.unread = append(o.unread, unreadIn(path, unread))
		}
		for _, input := range inputs {
			source := input.Path
			if source == "-" {
				source = "standard input"
			}
			err := input.Err
			if cli.IsWaitOver(err) {
				return err
			}
			var objects []*request.Request
			if err == nil {
				objects, err = request.Import(input.Data, lifetime)
			}
			if err != nil {
				imported = append(imported, approval.Imported{Source: source, Err: options.NoRequestIn(source, err)})
			}
			for _, object := range objects {
				one := approval.Imported{Source: source, Object: object, SignerAssumed: request.AssumeSigner(object)}
				if o.FlagSet.Changed("expiration") {
					if err := request.SetLifetime(object, lifetime); err != nil {
						return fmt.Errorf("%q: %w", source, err)
					}
					one.Lifetime = lifetime
				}
				imported = append(imported, one)
			}
		}
	}
	o.selection.Files = imported
	return nil
}

// unreadIn says which entries of a directory were not read, and how to have one read.
func unreadIn(directory string, unread []string) string {
	quoted := make([]string, len(unread))
	for i, name := range unread {
		quoted[i] = identity.Quote(name)
	}
	return fmt.Sprintf("not read in %s, by their names: %s; to read one, name it: --filename FILE", identity.Quote(directory), strings.Join(quoted, ", "))
}
