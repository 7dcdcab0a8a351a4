package store

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/store/guard"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/store/trouble"
)

// longestLine bounds a line of a log, in bytes: an event of an audit log holds an object of at
// most 1.5 MiB, and perhaps twice.
const longestLine = 8 << 20

// EachLine hands over the lines of a file, one after the other and without their ends, so that a
// file of any size can be read. visit must not keep a line. Its error ends the reading, and is
// returned as it is.
func EachLine(path string, visit func(number int, line []byte) error) error {
	file, err := os.OpenFile(path, os.O_RDONLY|guard.NoWait, 0)
	if err != nil {
		return trouble.About(path, err)
	}
	defer file.Close() //nolint:errcheck // It was read only.
	info, err := file.Stat()
	if err != nil {
		return trouble.About(path, err)
	}
	if !info.Mode().IsRegular() {
		return trouble.NotRegular(path)
	}
	lines := bufio.NewScanner(file)
	lines.Buffer(make([]byte, 0, 64<<10), longestLine)
	number := 0
	for lines.Scan() {
		number++
		if err := visit(number, lines.Bytes()); err != nil {
			return err
		}
	}
	err = lines.Err()
	if errors.Is(err, bufio.ErrTooLong) {
		return fmt.Errorf("line %d of %q is longer than %d bytes", number+1, path, longestLine)
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return trouble.About(path, err)
	}
	return nil
}
