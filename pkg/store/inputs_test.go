package store

import (
	"errors"
	"fmt"
	"io/fs"
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
	write(t, filepath.Join(directory, "jane.handoff.yaml"), "", 0o600)
	if _, _, err := (Inputs{}).ReadAll(directory); err == nil || !strings.HasSuffix(err.Error(), `"jane.handoff.yaml"], and a handoff holds no request`) {
		t.Errorf("a directory with a handoff: %v", err)
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

func TestInputs_AFileAndStandardInputAreReadAsOneInput(t *testing.T) {
	file := filepath.Join(t.TempDir(), "jane.csr")
	write(t, file, "in the file", 0o600)
	in := Inputs{Stdin: strings.NewReader("on standard input")}
	for path, want := range map[string]string{file: "in the file", "-": "on standard input"} {
		inputs, unread, err := in.ReadAll(path)
		if err != nil || len(unread) > 0 || len(inputs) != 1 || inputs[0].Path != path || inputs[0].Err != nil || string(inputs[0].Data) != want {
			t.Errorf("%s: %+v, %q, %v", path, inputs, unread, err)
		}
	}
	missing := file + "-missing"
	if _, _, err := in.ReadAll(missing); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("all of a missing file: %v", err)
	}
	if _, err := in.Read(missing); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a missing file: %v", err)
	}
}

func TestInputs_AFileThatCannotBeReadIsNamedAndTheOthersAreRead(t *testing.T) {
	directory := t.TempDir()
	write(t, filepath.Join(directory, "a.csr"), "a", 0o600)
	if err := os.Symlink("nowhere", filepath.Join(directory, "b.csr")); err != nil {
		t.Fatal(err)
	}
	inputs, _, err := (Inputs{}).ReadAll(directory)
	if err != nil || len(inputs) != 2 || inputs[0].Err != nil || !errors.Is(inputs[1].Err, fs.ErrNotExist) {
		t.Errorf("%+v, %v", inputs, err)
	}
}

func TestInputs_OfManyOtherFilesTwentyAreNamed(t *testing.T) {
	for count, want := range map[int]string{20: `"other-19"]`, 21: `"other-19"] and 1 more`} {
		directory := t.TempDir()
		for i := range count {
			write(t, filepath.Join(directory, fmt.Sprintf("other-%02d", i)), "", 0o600)
		}
		if _, _, err := (Inputs{}).ReadAll(directory); err == nil || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("%d other files: %v, want %q at the end", count, err, want)
		}
	}
}

func TestInputs_ANamedFileIsRegularAndOfReasonableSize(t *testing.T) {
	directory := t.TempDir()
	file, large := filepath.Join(directory, "file"), filepath.Join(directory, "large")
	for path, size := range map[string]int64{file: largestFile, large: largestFile + 1} {
		write(t, path, "", 0o600)
		if err := os.Truncate(path, size); err != nil {
			t.Fatal(err)
		}
	}
	null := filepath.Join(directory, "null")
	if err := os.Symlink(os.DevNull, null); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{file: "", filepath.Join(directory, "missing"): "", large: "more than", directory: "not a regular file", os.DevNull: "", null: ""} {
		if err := CheckNamedFile(path); (err != nil) != (want != "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", path, err, want)
		}
	}
	if data, err := ReadFile(file); err != nil || len(data) != largestFile {
		t.Errorf("the largest file: %d bytes, %v", len(data), err)
	}
}

func TestInputs_ADirectoryIsToldFromAFile(t *testing.T) {
	directory := t.TempDir()
	file, missing := filepath.Join(directory, "file"), filepath.Join(directory, "missing")
	write(t, file, "", 0o600)
	for _, test := range []struct {
		path                string
		isDirectory, isFile bool
		asDirectory         string
	}{
		{directory, true, false, directory},
		{file, false, true, file},
		{missing, false, false, missing + string(filepath.Separator)},
		{missing + "/", true, false, missing + "/"},
	} {
		if isDirectory, isFile, as := IsDirectory(test.path), IsFile(test.path), AsDirectory(test.path); isDirectory != test.isDirectory || isFile != test.isFile || as != test.asDirectory {
			t.Errorf("%s: %t, %t, %q", test.path, isDirectory, isFile, as)
		}
	}
}

func TestInputs_RequestsOfUsersAreThoseOfANamedDirectoryOrOfHome(t *testing.T) {
	home, named := t.TempDir(), t.TempDir()
	for path, text := range map[string]string{
		filepath.Join(ownDirectory(home), "jane", "jane.csr"):                   "jane",
		filepath.Join(ownDirectory(home), "jane", "jane.key"):                   "key",
		filepath.Join(ownDirectory(home), "kim", "kim.csr"):                     "kim",
		filepath.Join(ownDirectory(home), "lee", "clusters", "dev", "lee.csr"):  "lee in dev",
		filepath.Join(ownDirectory(home), "lee", "clusters", "prod", "lee.csr"): "lee in prod",
		filepath.Join(named, "rosa.csr"):                                        "rosa",
		filepath.Join(named, "rosa.kubeconfig"):                                 "kubeconfig",
		filepath.Join(named, "clusters", "dev", "sam.csr"):                      "sam in dev",
	} {
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		write(t, path, text, 0o600)
	}
	if err := os.Symlink("nowhere", filepath.Join(named, "broken.csr")); err != nil {
		t.Fatal(err)
	}
	for directory, want := range map[string][]string{"": {"jane", "kim", "lee in dev", "lee in prod"}, named: {"rosa", "sam in dev"}, filepath.Join(home, "none"): nil} {
		var got []string
		for _, data := range UserRequests(directory, home) {
			got = append(got, string(data))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q: %s", directory, diff)
		}
	}
}
