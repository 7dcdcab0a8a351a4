package approve

import (
	"fmt"
	"strings"
	"time"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cmd/cli"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cmd/options"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/approval"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/requestfile"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/store"
)

// readFiles reads the requests that were sent. What cannot be read among several
// is for the use case to tell.
func (o *decideOptions) readFiles() (err error) {
	if len(o.Files) == 0 {
		return nil
	}
	files := requestFiles{Environment: o.Environment, isLifetimeGiven: o.FlagSet.Changed("expiration")}
	if files.lifetime, err = request.ParseLifetime(o.Expiration); err != nil {
		return err
	}
	for _, path := range o.Files {
		if path != "-" && store.IsDirectory(path) && o.handoff.Out != "" && o.handoff.Out != "-" {
			// As many handoffs are written as there are files in the directory.
			o.handoff.Out = store.AsDirectory(o.handoff.Out)
		}
	}
	o.selection.Files, o.unread, err = files.read(o.Files)
	return err
}

// requestExtensions are how the names of files with requests end.
var requestExtensions = []string{"csr", "req", "p10", "yaml", "yml", "json"}

// requestFiles reads files with requests.
type requestFiles struct {
	*cli.Environment

	// lifetime is that of a request that names none, and, if it was given, that of every request.
	lifetime        time.Duration
	isLifetimeGiven bool
}

// read reads the requests of files and directories. A file without a request is one with an error;
// unread says of each directory what in it was not read.
func (f requestFiles) read(paths []string) (imported []approval.Imported, unread []string, _ error) {
	for _, path := range paths {
		inputs, others, err := f.Inputs().ReadAll(path)
		if err != nil {
			return nil, nil, err
		}
		if len(others) > 0 {
			unread = append(unread, unreadIn(path, others))
		}
		for _, input := range inputs {
			source := input.Path
			if source == "-" {
				source = "standard input"
			}
			err := input.Err
			if cli.IsWaitOver(err) {
				return nil, nil, err
			}
			var objects []*request.Request
			if err == nil {
				objects, err = requestfile.Parse(input.Data, f.lifetime)
			}
			if err != nil {
				imported = append(imported, approval.Imported{Source: source, Err: options.NoRequestIn(source, err)})
			}
			for _, object := range objects {
				one, err := f.imported(source, object)
				if err != nil {
					return nil, nil, err
				}
				imported = append(imported, one)
			}
		}
	}
	return imported, unread, nil
}

func (f requestFiles) imported(source string, object *request.Request) (approval.Imported, error) {
	one := approval.Imported{Source: source, Object: object, SignerAssumed: requestfile.AssumeSigner(object)}
	if f.isLifetimeGiven {
		if err := requestfile.SetLifetime(object, f.lifetime); err != nil {
			return one, fmt.Errorf("%q: %w", source, err)
		}
		one.Lifetime = f.lifetime
	}
	return one, nil
}

// mostUnread bounds how many files of a directory are named that were not read.
const mostUnread = 10

func unreadIn(directory string, unread []string) string {
	named := unread[:min(len(unread), mostUnread)]
	quoted := make([]string, len(named))
	for i, name := range named {
		quoted[i] = identity.Quote(name)
	}
	if more := len(unread) - len(named); more > 0 {
		quoted = append(quoted, fmt.Sprintf("and %d more", more))
	}
	return fmt.Sprintf("not read in %s, by their names: %s; to read one, name it: --filename FILE", identity.Quote(directory), strings.Join(quoted, ", "))
}
