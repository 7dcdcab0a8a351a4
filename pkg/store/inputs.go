package store

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Input is a file that a person named, or that was found in a folder she named.
type Input struct {
	// Path is the file's name, or "-" for standard input.
	Path string
	// Data is what is in it.
	Data []byte
	// Err is why it can't be read.
	Err error
}

// requestExtensions are the names of files that may hold requests. Other files in
// a user's folder, her private key first of all, are not even opened.
var requestExtensions = []string{".csr", ".req", ".p10", ".yaml", ".yml", ".json"}

// handoffSuffix is what handoff files are called, which are no requests.
const handoffSuffix = ".handoff.yaml"

// ReadInputs reads what a person named: a file, standard input ("-"), or a folder,
// of which the files are read that may hold requests, in the order of their names.
// A folder without any is an error.
func ReadInputs(path string, stdin io.Reader) ([]Input, error) {
	if info, err := os.Stat(path); path == "-" || err == nil && !info.IsDir() {
		data, err := ReadInput(path, stdin)
		return []Input{{Path: path, Data: data, Err: err}}, nil
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return nil, about(path, err)
	}
	var inputs []Input
	for _, entry := range entries {
		name := strings.ToLower(entry.Name())
		if entry.IsDir() || !slices.Contains(requestExtensions, filepath.Ext(name)) || strings.HasSuffix(name, handoffSuffix) {
			continue
		}
		file := filepath.Join(path, entry.Name())
		data, err := ReadFile(file)
		inputs = append(inputs, Input{Path: file, Data: data, Err: err})
	}
	if len(inputs) == 0 {
		return nil, fmt.Errorf("there is no request in the folder %q: no file ends in %s", path, strings.Join(requestExtensions, ", "))
	}
	return inputs, nil
}

// ReadInput reads a file that a person named, or standard input ("-"). It may be what a
// shell has made of another command: <(…) is a pipe, and /dev/stdin a terminal or a pipe.
func ReadInput(path string, stdin io.Reader) ([]byte, error) {
	if path != "-" {
		data, _, err := readOf(path, func(mode fs.FileMode) bool {
			return mode.IsRegular() || mode&(fs.ModeNamedPipe|fs.ModeCharDevice) != 0
		})
		return data, err
	}
	data, err := io.ReadAll(io.LimitReader(stdin, largestFile+1))
	if err == nil && len(data) > largestFile {
		err = fmt.Errorf("standard input has more than %d bytes", largestFile)
	}
	return data, err
}

// IsFolder says whether a path is a folder that is there, or is written as one.
func IsFolder(path string) bool {
	if strings.HasSuffix(path, "/") || strings.HasSuffix(path, string(filepath.Separator)) {
		return true
	}
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// AsFolder is a path that is meant to be a folder, written as one: whether it is there or
// will be made.
func AsFolder(path string) string {
	if IsFolder(path) || Exists(path) {
		return path
	}
	return path + string(filepath.Separator)
}

// HandoffPath is where a user's handoff file goes in a folder.
func HandoffPath(folder, fileName string) string {
	return filepath.Join(folder, fileName+handoffSuffix)
}

// UserRequests reads the PKCS#10 requests of the users whose files are in a folder that
// was named, or in their own folders under home. What can't be read is left out.
func UserRequests(directory, home string) [][]byte {
	folders := []string{directory}
	if directory == "" {
		folders = nil
		own := ownFolder(home)
		entries, _ := os.ReadDir(own)
		for _, entry := range entries {
			folders = append(folders, filepath.Join(own, entry.Name()))
		}
	}
	var requests [][]byte
	for _, folder := range folders {
		entries, _ := os.ReadDir(folder)
		for _, entry := range entries {
			if filepath.Ext(entry.Name()) != ".csr" {
				continue
			}
			if data, err := ReadFile(filepath.Join(folder, entry.Name())); err == nil {
				requests = append(requests, data)
			}
		}
	}
	return requests
}
