package process

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// IsSelf reports whether a command is this very program: a name that PATH leads to it, or
// an absolute path of it. Links are followed.
func IsSelf(command string) bool {
	if strings.ContainsAny(command, `/\`) && !filepath.IsAbs(command) {
		// What it is relative to, its reader decides.
		return false
	}
	path, err := exec.LookPath(command)
	if err != nil {
		return false
	}
	self, err := os.Executable()
	if err != nil {
		return false
	}
	found, err := os.Stat(path)
	if err != nil {
		return false
	}
	own, err := os.Stat(self)
	return err == nil && os.SameFile(found, own)
}
