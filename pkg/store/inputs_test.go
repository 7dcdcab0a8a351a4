package store

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestInputs_EveryEntryOfADirectoryIsReadOrNamed(t *testing.T) {
	directory := t.TempDir()
	for _, name := range []string{
		"a.csr", "b.pem", "c.csr.txt", "D.CSR.PEM", "e.yaml", "jane.key", "jane.crt", "notes.txt", "old.handoff.yaml", "f.p10", "csr", ".csr.swp",
	} {
		write(t, filepath.Join(directory, name), name, 0o600)
	}
	if err := os.Mkdir(filepath.Join(directory, "more.csr"), 0o700); err != nil {
		t.Fatal(err)
	}
	inputs, unread, err := (Inputs{}).ReadAll(directory)
	if err != nil {
		t.Fatal(err)
	}
	var read []string
	for _, input := range inputs {
		read = append(read, filepath.Base(input.Path))
		if string(input.Data) != filepath.Base(input.Path) || input.Err != nil {
			t.Errorf("%s: %q, %v", input.Path, input.Data, input.Err)
		}
	}
	if diff := cmp.Diff([]string{"D.CSR.PEM", "a.csr", "c.csr.txt", "e.yaml", "f.p10"}, read); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{".csr.swp", "b.pem", "csr", "jane.crt", "jane.key", "more.csr/", "notes.txt", "old.handoff.yaml"}, unread); diff != "" {
		t.Error(diff)
	}
}

func TestInputs_ADirectoryWithoutRequestsSaysWhatIsInIt(t *testing.T) {
	directory := t.TempDir()
	if _, _, err := (Inputs{}).ReadAll(directory); err == nil || strings.Contains(err.Error(), "there are") {
		t.Errorf("an empty directory: %v", err)
	}
	write(t, filepath.Join(directory, "b.pem"), "", 0o600)
	if _, _, err := (Inputs{}).ReadAll(directory); err == nil || !strings.Contains(err.Error(), `there are ["b.pem"]`) {
		t.Errorf("a directory with other files: %v", err)
	}
}

func TestInputs_AStreamIsToldFromAFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	write(t, file, "", 0o600)
	for path, want := range map[string]bool{"-": true, "/dev/stdin": true, "/dev/fd/63": true, file: false, file + "-missing": false, filepath.Dir(file): false} {
		if IsStream(path) != want {
			t.Errorf("%q: %t", path, !want)
		}
	}
}
