//go:build unix

package cli

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
)

// pipeOfShell is <(printf %s text): a pipe by its name in /dev/fd.
func pipeOfShell(t *testing.T, text string) string {
	t.Helper()
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = reader.Close() })
	go func() {
		_, _ = writer.WriteString(text)
		_ = writer.Close()
	}()
	return fmt.Sprintf("/dev/fd/%d", reader.Fd())
}

func TestConfiguration_APipeOfAShellIsReadOnce(t *testing.T) {
	env := environmentOf(writeConfig(t, "server: 'https://127.0.0.1:1', certificate-authority: missing.crt", "cluster: c, user: u"))
	*env.Flags.CAFile, *env.Flags.CertFile, *env.Flags.KeyFile = pipeOfShell(t, "ca"), pipeOfShell(t, "certificate"), pipeOfShell(t, "key")
	given := *env.Flags.CAFile
	for range 2 {
		config, _, err := env.Configuration()
		if err != nil {
			t.Fatal(err)
		}
		if string(config.CAData) != "ca" || string(config.CertData) != "certificate" || string(config.KeyData) != "key" {
			t.Errorf("%q, %q, %q", config.CAData, config.CertData, config.KeyData)
		}
		if config.CAFile != "" || config.CertFile != "" || config.KeyFile != "" || *env.Flags.CAFile != given {
			t.Errorf("%q, %q, %q are to be read again, or the flag changed to %q", config.CAFile, config.CertFile, config.KeyFile, *env.Flags.CAFile)
		}
	}
}

func TestConfiguration_APipeOfAShellThatSaysNothing(t *testing.T) {
	interrupted := make(chan struct{})
	close(interrupted)
	for about, test := range map[string]struct {
		pipe        func(t *testing.T) string
		interrupted chan struct{}
		is          error
		says        string
	}{
		"is empty": {func(t *testing.T) string { t.Helper(); return pipeOfShell(t, "") }, nil, outcome.ErrUsage, "it is empty"},
		"is not waited for any longer": {func(t *testing.T) string {
			t.Helper()
			reader, writer, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _, _ = reader.Close(), writer.Close() })
			return fmt.Sprintf("/dev/fd/%d", reader.Fd())
		}, interrupted, outcome.ErrInterrupted, "interrupted"},
	} {
		env := environmentOf(writeConfig(t, "server: 'https://127.0.0.1:1'", "cluster: c, user: u"))
		env.Interrupted = test.interrupted
		*env.Flags.KeyFile = test.pipe(t)
		_, _, err := env.Configuration()
		if !errors.Is(err, test.is) || !strings.HasPrefix(err.Error(), "--client-key ") || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s: %v", about, err)
		}
	}
}

// TestConfiguration_TheNullDeviceIsNoKubeconfig is how kubectl is told that flags say all.
func TestConfiguration_TheNullDeviceIsNoKubeconfig(t *testing.T) {
	for about, path := range map[string]string{"KUBECONFIG": "", "--kubeconfig": os.DevNull} {
		t.Setenv("KUBECONFIG", os.DevNull)
		env := environmentOf(path)
		*env.Flags.APIServer, *env.Flags.BearerToken = "https://127.0.0.1:1", "t"
		config, _, err := env.Configuration()
		if err != nil || config.Host != "https://127.0.0.1:1" || config.BearerToken != "t" {
			t.Errorf("%s: %v, %v", about, config, err)
		}
		if _, _, err := environmentOf(path).Configuration(); !errors.Is(err, ErrNoKubeconfig) {
			t.Errorf("%s alone: %v", about, err)
		}
	}
}

// TestKubeconfig_TheNullDeviceIsNotBlamedForAnotherFile has one that is damaged next to it.
func TestKubeconfig_TheNullDeviceIsNotBlamedForAnotherFile(t *testing.T) {
	damaged := filepath.Join(t.TempDir(), "config")
	if err := os.WriteFile(damaged, []byte("damaged"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("KUBECONFIG", os.DevNull+string(filepath.ListSeparator)+damaged)
	if _, err := environmentOf("").RawKubeconfig(); err == nil || !strings.Contains(err.Error(), damaged) {
		t.Errorf("%v", err)
	}
}
