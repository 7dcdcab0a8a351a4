//go:build !linux

package early

import (
	"os"
	"time"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/answer"
)

func commandLine() []string { return os.Args }

func variable(name string) string { return os.Getenv(name) }

func now() int64 { return time.Now().Unix() }

// isPrivate reports whether a directory is of the effective user, closed to everybody else,
// and not a symbolic link. The credential command judges it by the same rule, and says what
// is wrong with it (pkg/store/kind.go).
func isPrivate(directory string) bool {
	info, err := os.Lstat(directory)
	return err == nil && info.IsDir() && isOwn(info)
}

// readPrivate reads a regular file with one name of the effective user which nobody else
// can touch, or returns nil. Nobody else can exchange it in a private directory.
func readPrivate(path string) []byte {
	info, err := os.Lstat(path)
	if err != nil || !info.Mode().IsRegular() || info.Size() > answer.Largest || !isOwn(info) {
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
