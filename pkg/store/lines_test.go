package store

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestLines_EachLineIsHandedOverWithItsNumberAndWithoutItsEnd(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	long := strings.Repeat("x", 100<<10)
	write(t, path, "first\n\nthird\r\n"+long+"\nwithout an end", 0o600)
	var lines []string
	if err := EachLine(path, func(number int, line []byte) error {
		lines = append(lines, string(line))
		if number != len(lines) {
			t.Errorf("line %d has the number %d", len(lines), number)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"first", "", "third", long, "without an end"}, lines); diff != "" {
		t.Error(diff)
	}
}

func TestLines_AnErrorOfAVisitEndsTheReading(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	write(t, path, "1\n2\n3\n", 0o600)
	stopErr := errors.New("stop")
	visits := 0
	if err := EachLine(path, func(number int, _ []byte) error {
		visits++
		if number == 2 {
			return stopErr
		}
		return nil
	}); !errors.Is(err, stopErr) || visits != 2 {
		t.Errorf("%d visits, %v", visits, err)
	}
}

func TestLines_AFileThatIsNoLogIsRefused(t *testing.T) {
	directory := t.TempDir()
	long := filepath.Join(directory, "long")
	if err := os.WriteFile(long, append([]byte("short\n"), bytes.Repeat([]byte("x"), longestLine+1)...), 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		long:      `line 2 of "` + long + `" is longer than`,
		directory: "not a regular file",
	} {
		if err := EachLine(path, func(int, []byte) error { return nil }); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", path, err, want)
		}
	}
	if err := EachLine(long+"-missing", func(int, []byte) error { return nil }); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a missing file: %v", err)
	}
}
