package cli

import (
	"path/filepath"
	"slices"
	"strings"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/store"
)

// fileExtensions are how files end that people take for a NAME: requests, manifests,
// certificates, kubeconfigs and teams.
var fileExtensions = []string{".csr", ".req", ".p10", ".pem", ".crt", ".cer", ".der", ".yaml", ".yml", ".json", ".csv", ".kubeconfig"}

// IsFileName reports whether a NAME was meant as a file: it is written as a relative path, or
// the file exists, and the name is an absolute path or ends as such files do. A user may well
// be called as a file or a directory is, and a context may begin with a slash.
func IsFileName(name string) bool {
	for _, prefix := range []string{"./", "../", "~/", `.\`, `..\`} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	isLikeFile := filepath.IsAbs(name) || slices.Contains(fileExtensions, strings.ToLower(filepath.Ext(name)))
	return isLikeFile && store.IsFile(name)
}

// FileCommand is a command that takes a file: its words, and the option of the file.
type FileCommand struct{ Words, Option string }

// With is the command for a file.
func (c FileCommand) With(file string) identity.Command {
	return identity.NewCommand(Program).Words(c.Words).Option(c.Option, file)
}

// RefuseFileName refuses a NAME that was meant as a file. forFile is the command that takes
// it; nil if none does.
func RefuseFileName(name string, forFile *FileCommand) error {
	if !IsFileName(name) {
		return nil
	}
	err := outcome.Errorf(outcome.ErrUsage, "%q is a path to a file, not the NAME of a user or a request", name)
	if forFile == nil {
		return outcome.WithHint(err, "name the user, for example: jane")
	}
	return outcome.WithHint(err, "for the file: %s", forFile.With(name))
}
