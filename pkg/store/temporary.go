package store

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
)

// A temporary file is named for the file it is to become, this machine and this
// process: .NAME.MACHINE.PID.RANDOM.tmp. So what a killed process left, which
// may be a private key, can be told from what a living one is writing.

func temporaryPrefix(path string) string {
	return "." + filepath.Base(path) + "." + machine() + "."
}

func temporaryPattern(path string) string {
	return temporaryPrefix(path) + strconv.Itoa(os.Getpid()) + ".*.tmp"
}

// removeAbandoned removes the temporary siblings of a file whose process has
// ended. Those of other machines, on a shared file system, stay.
func removeAbandoned(path string) {
	prefix := temporaryPrefix(path)
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		return
	}
	for _, entry := range entries {
		rest, ours := strings.CutPrefix(entry.Name(), prefix)
		owner, random, whole := strings.Cut(rest, ".")
		process, err := strconv.Atoi(owner)
		if !ours || !whole || err != nil || !strings.HasSuffix(random, ".tmp") || isRunning(process) {
			continue
		}
		_ = os.Remove(filepath.Join(filepath.Dir(path), entry.Name()))
	}
}

// machine is a short name for this machine, fit for a file name.
func machine() string {
	name, err := os.Hostname()
	if err != nil {
		name = "unknown"
	}
	return identity.Digest(8, []byte(name))
}

// marker is what a lock of this program holds, for a person who finds one.
func marker() string {
	return fmt.Sprintf("%s%d on %s\n", markerPrefix, os.Getpid(), machine())
}

const markerPrefix = "kubectl csr-onboard, process "
