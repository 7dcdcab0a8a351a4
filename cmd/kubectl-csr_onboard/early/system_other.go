//go:build !linux

package early

import (
	"os"
	"runtime"
	"time"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/answer"
)

func commandLine() []string { return os.Args }

func variable(name string) string { return os.Getenv(name) }

func now() int64 { return time.Now().Unix() }

// readPrivate reads a regular file which nobody but its owner may touch, or returns
// nil. Windows keeps that in access lists, which a mode does not show.
func readPrivate(path string) []byte {
	info, err := os.Stat(path)
	if err != nil || !info.Mode().IsRegular() || info.Size() > answer.Largest ||
		runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
		return nil
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil
	}
	return data
}

// writeAndExit writes to standard output and ends the process; where not all can be
// written, as a failure, because a second answer would be worse.
func writeAndExit(data []byte) {
	if _, err := os.Stdout.Write(data); err != nil {
		os.Exit(1)
	}
	os.Exit(0)
}
