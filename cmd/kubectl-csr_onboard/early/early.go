// Package early answers kubectl from the credential cache before the rest of the
// program is initialized.
//
// kubectl runs its credential plugin before every command, and what client-go and
// its API types do when they are initialized takes several times as long as the
// answer itself. Go initializes packages in the order of their import paths, each as
// soon as what it imports is initialized (Go specification, Program initialization).
// This package imports only package os and what belongs to it, so it is initialized before
// client-go. pkg/rings_test.go fails if another import changes that.
//
// It promises to give an answer only for the one command line that kubeconfigs have, and
// only if the answer is whole, private and valid now. Then it ends the process. In every
// other case it does nothing, and the credential command does the work.
//
// The benchmark cached-answer (bench/compare/cachedanswer.go) measures it: the answer
// takes at most 1 ms more than the smallest Go program that prints a file.
package early

import (
	"io"
	"os"
	"time"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/answer"
)

func init() {
	if len(os.Args) == 4 && os.Args[1] == answer.Command && os.Args[2] == answer.CacheFlag {
		give(os.Args[3])
	}
}

// give writes the answer of a cache to standard output and ends the process, or
// does nothing.
func give(directory string) {
	version := answer.WantedVersion(os.Getenv(answer.InfoVariable))
	if version == "" || directory == "" || os.IsPathSeparator(directory[len(directory)-1]) || !isPrivate(directory) {
		return
	}
	credential := answer.Decode(readPrivate(directory+"/"+answer.File), version, time.Now().Unix())
	if credential == nil {
		return
	}
	// If only a part can be written, that is a failure: a second answer would be worse.
	if _, err := os.Stdout.Write(credential); err != nil {
		os.Exit(1)
	}
	os.Exit(0)
}

// isPrivate reports whether a directory belongs to the effective user, is closed to
// everybody else, and is not a symbolic link. So nobody else can have put anything into it.
// The credential command judges it by the same rule, and reports what is wrong with it
// (pkg/store/kind.go).
func isPrivate(directory string) bool {
	info, err := os.Lstat(directory)
	return err == nil && info.IsDir() && isOwn(info)
}

// readPrivate reads a regular file with one name that belongs to the effective user and
// that nobody else can touch. It does not follow a symbolic link to it, and does not wait
// for a named pipe. It returns nil for any other file.
func readPrivate(path string) []byte {
	file, err := os.OpenFile(path, os.O_RDONLY|openFlags, 0)
	if err != nil {
		return nil
	}
	defer file.Close() //nolint:errcheck // Nothing was written.
	info, err := file.Stat()
	if err != nil || !info.Mode().IsRegular() || info.Size() > answer.Largest || !isOwn(info) {
		return nil
	}
	data := make([]byte, info.Size())
	if _, err := io.ReadFull(file, data); err != nil {
		return nil
	}
	return data
}
