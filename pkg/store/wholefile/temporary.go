package wholefile

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
)

// A temporary file is named for the file it is to become, this machine and this
// process: .NAME.MACHINE.PID.RANDOM.tmp. So what a killed process left, which
// may be a private key, can be told from what a living one is writing.

const temporarySuffix = ".tmp"

// TemporaryPattern is how temporary files for a path are called, for os.CreateTemp.
func TemporaryPattern(path string) string {
	return "." + filepath.Base(path) + "." + Machine() + "." + strconv.Itoa(os.Getpid()) + ".*" + temporarySuffix
}

// isAbandoned reports whether a file is a temporary one of a process of this machine's
// that has ended.
func isAbandoned(name string) bool {
	rest, isTemporary := strings.CutSuffix(name, temporarySuffix)
	parts := strings.Split(rest, ".")
	if !isTemporary || len(parts) < 5 || parts[0] != "" {
		return false
	}
	process, err := strconv.Atoi(parts[len(parts)-2])
	return err == nil && parts[len(parts)-3] == Machine() && !isRunning(process)
}

// RemoveAbandoned removes the temporary files in a directory whose process has ended.
// Those of other machines, on a shared file system, stay.
func RemoveAbandoned(directory string) {
	opened, err := os.Open(directory)
	if err != nil {
		return
	}
	defer opened.Close() //nolint:errcheck // Nothing was written.
	// Not os.ReadDir, which sorts: there may be the files of thousands of users.
	names, _ := opened.Readdirnames(-1)
	for _, name := range names {
		if isAbandoned(name) {
			_ = os.Remove(filepath.Join(directory, name))
		}
	}
}

// Machine is a short name for this machine, fit for a file name.
func Machine() string {
	name, err := os.Hostname()
	if err != nil {
		name = "unknown"
	}
	return identity.Digest(8, []byte(name))
}
