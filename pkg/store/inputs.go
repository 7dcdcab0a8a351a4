package store

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/store/guard"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/store/trouble"
)

// Inputs reads what a person names.
type Inputs struct {
	// Stdin is standard input. Required.
	Stdin io.Reader
	// Interrupted is closed when the person does not want to wait any longer. Optional.
	Interrupted <-chan struct{}
}

// Input is a file that a person named, or that was found in a directory they named.
type Input struct {
	// Path is the file's name, or "-" for standard input.
	Path string
	// Data is what is in it.
	Data []byte
	// Err is why it cannot be read.
	Err error
}

// requestExtensions are the names of files that may hold requests. Other files in
// a user's directory, a private key first of all, are not even opened: .pem and .txt say
// nothing of what is inside, unless it stands before them (see mayHoldRequest).
var requestExtensions = []string{".csr", ".req", ".p10", ".yaml", ".yml", ".json"}

// furtherExtensions are what other programs put after a file's own extension: openssl's
// users, and mail programs and Windows, which save jane.csr as jane.csr.txt.
var furtherExtensions = []string{".pem", ".txt", ".der"}

// handoffSuffix is what handoff files are called, which are not requests.
const handoffSuffix = ".handoff.yaml"

// RequestNames are the extensions of files in a directory that ReadAll reads.
func RequestNames() []string { return slices.Clone(requestExtensions) }

// mayHoldRequest reports whether a file is named as one that holds a request.
func mayHoldRequest(name string) bool {
	name = strings.ToLower(name)
	if strings.HasSuffix(name, handoffSuffix) {
		return false
	}
	extension := filepath.Ext(name)
	if slices.Contains(furtherExtensions, extension) {
		extension = filepath.Ext(strings.TrimSuffix(name, extension))
	}
	return slices.Contains(requestExtensions, extension)
}

// ReadAll reads what a person named: a file, standard input ("-"), or a directory,
// of which the files are read that may hold requests, in the order of their names.
// unread are the names of its other entries; a directory's ends in a slash. A directory
// without any request is an error.
func (in Inputs) ReadAll(path string) (inputs []Input, unread []string, _ error) {
	if info, err := os.Stat(path); path == "-" || err == nil && !info.IsDir() {
		data, err := in.Read(path)
		return []Input{{Path: path, Data: data, Err: err}}, nil, nil
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return nil, nil, trouble.About(path, err)
	}
	for _, entry := range entries {
		switch {
		case entry.IsDir():
			unread = append(unread, entry.Name()+"/")
			continue
		case !mayHoldRequest(entry.Name()):
			unread = append(unread, entry.Name())
			continue
		}
		file := filepath.Join(path, entry.Name())
		data, err := ReadFile(file)
		inputs = append(inputs, Input{Path: file, Data: data, Err: err})
	}
	if len(inputs) == 0 {
		return nil, nil, fmt.Errorf("no request found in the directory %q: no file ends in %s%s", path, strings.Join(requestExtensions, ", "), butThereAre(unread))
	}
	return inputs, unread, nil
}

// mostNamed bounds how many names an error has in it.
const mostNamed = 20

func butThereAre(unread []string) string {
	switch {
	case len(unread) == 0:
		return ""
	case len(unread) > mostNamed:
		return fmt.Sprintf("; there are %q and %d more", unread[:mostNamed], len(unread)-mostNamed)
	}
	there := fmt.Sprintf("; there are %q", unread)
	if slices.ContainsFunc(unread, func(name string) bool { return strings.HasSuffix(strings.ToLower(name), handoffSuffix) }) {
		there += ", and a handoff holds no request"
	}
	return there
}

// IsStdin reports whether a path is standard input, by any of its names.
func IsStdin(path string) bool {
	return slices.Contains([]string{"-", "/dev/stdin", "/dev/fd/0", "/proc/self/fd/0"}, path)
}

// IsStream reports whether a path is standard input or a pipe, and so not a file that
// others could be next to.
func IsStream(path string) bool {
	if IsStdin(path) || strings.HasPrefix(path, "/dev/fd/") || strings.HasPrefix(path, "/proc/self/fd/") {
		return true
	}
	info, err := os.Stat(path)
	return err == nil && info.Mode()&(fs.ModeNamedPipe|fs.ModeCharDevice) != 0
}

// Read reads a file that a person named, or standard input ("-"). It may be what a shell
// has made of another command: <(…) is a pipe, and /dev/stdin a terminal or a pipe. Who
// writes to those is waited for until the person interrupts, with an
// outcome.ErrInterrupted; one that nobody opens to write to it is an outcome.ErrTimedOut.
func (in Inputs) Read(path string) ([]byte, error) {
	if path == "-" {
		return in.wait("standard input", nil, func() ([]byte, error) { return readAll("standard input", in.Stdin) })
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, trouble.About(path, err)
	}
	if info.Mode()&(fs.ModeNamedPipe|fs.ModeCharDevice) == 0 {
		return ReadFile(path)
	}
	opened := make(chan struct{})
	return in.wait(path, opened, func() ([]byte, error) {
		file, err := os.Open(path)
		if err != nil {
			return nil, trouble.About(path, err)
		}
		close(opened)
		defer file.Close() //nolint:errcheck // Nothing was written.
		return readAll(path, file)
	})
}

// openPatience is how long another program may take to open its end of a pipe. What comes
// through it is waited for without a limit.
const openPatience = 30 * time.Second

// wait reads something that may make it wait. opened is closed when there is somebody to
// wait for; nil where there always is.
func (in Inputs) wait(name string, opened <-chan struct{}, read func() ([]byte, error)) ([]byte, error) {
	type result struct {
		data []byte
		err  error
	}
	done := make(chan result, 1)
	go func() {
		data, err := read()
		done <- result{data, err}
	}()
	var unopened <-chan time.Time
	if opened != nil {
		timer := time.NewTimer(openPatience)
		defer timer.Stop()
		unopened = timer.C
	}
	for {
		select {
		case got := <-done:
			return got.data, got.err
		case <-opened:
			opened, unopened = nil, nil
		case <-in.Interrupted:
			return nil, outcome.Errorf(outcome.ErrInterrupted, "interrupted while waiting for %q", name)
		case <-unopened:
			return nil, outcome.Errorf(outcome.ErrTimedOut, "timed out: %q is a pipe, and in %s no program has opened it to write to it", name, openPatience)
		}
	}
}

// CheckNamedFile says why a file that a kubeconfig names is not to be opened by a reader
// that waits, or reads without a limit: it is not a regular file, or is too large. One that
// does not exist, or cannot be opened, is left to that reader. os.DevNull is an empty file:
// KUBECONFIG=/dev/null is how kubectl is told to use no kubeconfig.
func CheckNamedFile(path string) error {
	file, err := os.OpenFile(path, os.O_RDONLY|guard.NoWait, 0)
	if err != nil {
		return nil //nolint:nilerr // Who needs it says so in the usual words.
	}
	defer file.Close() //nolint:errcheck // Nothing was written.
	switch info, err := file.Stat(); {
	case err != nil:
		return trouble.About(path, err)
	case isNull(path, info):
		return nil
	case !info.Mode().IsRegular():
		return trouble.NotRegular(path)
	case info.Size() > largestFile:
		return fmt.Errorf("%q has more than %d bytes", path, largestFile)
	}
	return nil
}

// isNull reports whether a file is os.DevNull, by any of its names.
func isNull(path string, info fs.FileInfo) bool {
	if path == os.DevNull {
		return true
	}
	null, err := os.Stat(os.DevNull)
	return err == nil && os.SameFile(info, null)
}

// IsDirectory reports whether a path is a directory that is there, or is written as one.
func IsDirectory(path string) bool {
	if strings.HasSuffix(path, "/") || strings.HasSuffix(path, string(filepath.Separator)) {
		return true
	}
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// IsFile reports whether a path is a file that exists, and no directory.
func IsFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && !info.IsDir()
}

// AsDirectory is a path that is meant to be a directory, written as one: whether it is there or
// will be made.
func AsDirectory(path string) string {
	if IsDirectory(path) || Exists(path) {
		return path
	}
	return path + string(filepath.Separator)
}

// HandoffPath is where a user's handoff file goes in a directory.
func HandoffPath(directory, fileName string) string {
	return filepath.Join(directory, fileName+handoffSuffix)
}

// UserRequests reads the PKCS#10 requests of the users whose files are in a directory that
// was named, or in their own directories under home, for one cluster or for several. What cannot
// be read is left out.
func UserRequests(directory, home string) [][]byte {
	directories := []string{directory}
	if directory == "" {
		directories = nil
		own := ownDirectory(home)
		entries, _ := os.ReadDir(own)
		for _, entry := range entries {
			directories = append(directories, filepath.Join(own, entry.Name()))
		}
	}
	for _, of := range slices.Clone(directories) {
		entries, _ := os.ReadDir(filepath.Join(of, ofClusters))
		for _, entry := range entries {
			directories = append(directories, filepath.Join(of, ofClusters, entry.Name()))
		}
	}
	var requests [][]byte
	for _, of := range directories {
		entries, _ := os.ReadDir(of)
		for _, entry := range entries {
			if filepath.Ext(entry.Name()) != ".csr" {
				continue
			}
			if data, err := ReadFile(filepath.Join(of, entry.Name())); err == nil {
				requests = append(requests, data)
			}
		}
	}
	return requests
}
