package program

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"testing"
)

// RunTests builds programs of the checkout into a directory of the package's own, has the package
// launch what its tests share, and runs the tests. end ends what was launched, and gets the tests'
// exit code. A person's Ctrl-C ends everything. It returns the exit code for TestMain.
func RunTests(m *testing.M, about string, programs []string, launch func(ctx context.Context, directory string) (end func(code int), _ error)) int {
	failed := func(err error) int {
		fmt.Fprintf(os.Stderr, "%s: %v\n", about, err)
		return 1
	}
	directory, err := os.MkdirTemp("", "csr-onboard-"+about+"-")
	if err != nil {
		return failed(err)
	}
	defer os.RemoveAll(directory) //nolint:errcheck // A temporary directory.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ended := make(chan struct{})
	defer close(ended)
	go func() {
		select {
		case <-ended:
		case <-ctx.Done():
			// The keepers of the control planes see to them; the tests cannot be
			// told to stop.
			_ = os.RemoveAll(directory)
			os.Exit(130)
		}
	}()
	for _, name := range programs {
		if _, err := BuildNamed(ctx, name, filepath.Join("..", ".."), directory); err != nil {
			return failed(err)
		}
	}
	end, err := launch(ctx, directory)
	if err != nil {
		return failed(err)
	}
	code := m.Run()
	end(code)
	return code
}

// PrintEnd prints the end of a program's log where the tests have failed.
func PrintEnd(code int, about, log string) {
	const most = 8000
	if code == 0 {
		return
	}
	text, _ := os.ReadFile(log)
	fmt.Fprintf(os.Stderr, "%s:\n%s\n", about, text[max(0, len(text)-most):])
}
