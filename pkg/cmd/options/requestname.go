package options

import (
	"errors"
	"slices"
	"strings"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cmd/cli"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/approval"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/store"
)

// requestTypes are the names of the type of a certificate signing request that kubectl accepts, with
// and without its group (k8s.io/api/certificates/v1, and the short name of the API server's
// discovery document).
var requestTypes = []string{
	"csr", "certificatesigningrequest", "certificatesigningrequests",
	"certificatesigningrequest.certificates.k8s.io", "certificatesigningrequests.certificates.k8s.io",
}

// ParseName reads a NAME: a user's name, the name of a request's object, or TYPE/NAME, as -o name
// prints it, which is the object alone. A user's name may have a slash as well: only a type of
// requests is taken for one.
func ParseName(argument string) approval.Name {
	before, after, isTyped := strings.Cut(argument, "/")
	if isTyped && slices.Contains(requestTypes, strings.ToLower(before)) {
		return approval.Name{Text: after, IsObject: true}
	}
	return approval.Name{Text: argument}
}

// RefuseRequestName refuses the NAME of a user that is meant as a request's.
func RefuseRequestName(name string) error {
	if !ParseName(name).IsObject {
		return nil
	}
	return outcome.WithHint(outcome.Errorf(outcome.ErrUsage, "%q is the name of a request, not that of a user", name), "name the user, for example: jane")
}

// ParseNames reads each NAME as ParseName does. One that is empty, or a file's, is an error; forFile
// is the command for the file.
func ParseNames(arguments []string, forFile *cli.FileCommand) (names []approval.Name, _ error) {
	for _, argument := range arguments {
		if err := cli.RefuseFileName(argument, forFile); err != nil {
			return nil, err
		}
		name := ParseName(argument)
		if name.Text == "" {
			return nil, outcome.Errorf(outcome.ErrUsage, "a NAME is empty")
		}
		names = append(names, name)
	}
	return names, nil
}

// HintAtFile says of a NAME that was not found that a file is called so.
func HintAtFile(err error, names []approval.Name, forFile *cli.FileCommand) error {
	if !errors.Is(err, outcome.ErrNotFound) {
		return err
	}
	for _, name := range names {
		if !name.IsObject && store.IsFile(name.Text) {
			return outcome.ReplaceHint(err, "there is a file %s; for the file: %s", identity.Quote(name.Text), forFile.With(name.Text))
		}
	}
	return err
}
