package cli

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"k8s.io/cli-runtime/pkg/genericclioptions"
)

const wholeKubeconfig = `apiVersion: v1
kind: Config
clusters: [{name: c, cluster: {server: "https://127.0.0.1:1"}}]
users: [{name: u, user: {}}]
contexts: [{name: x, context: {cluster: c, user: u}}]
current-context: x
`

func environmentOf(path string) *Environment {
	flags := genericclioptions.NewConfigFlags(false)
	flags.KubeConfig = &path
	return &Environment{Flags: flags, Now: time.Now}
}

// TestKubeconfig_AKubeconfigThatKubectlRewritesIsReadWhole rewrites the file as kubectl does: under its
// lock, truncated first.
func TestKubeconfig_AKubeconfigThatKubectlRewritesIsReadWhole(t *testing.T) {
	path := filepath.Join(t.TempDir(), "config")
	write := func(content string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("")
	if err := os.WriteFile(path+".lock", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	read := make(chan error, 1)
	isWhole := false
	go func() {
		raw, err := environmentOf(path).RawKubeconfig()
		isWhole = len(raw.Contexts) == 1
		read <- err
	}()
	select {
	case err := <-read:
		t.Fatalf("the empty file was believed: %v", err)
	case <-time.After(100 * time.Millisecond):
		// Long enough to have read it.
	}
	write(wholeKubeconfig)
	if err := os.Remove(path + ".lock"); err != nil {
		t.Fatal(err)
	}
	if err := <-read; err != nil || !isWhole {
		t.Errorf("the whole file was not read: %v", err)
	}
}

func TestKubeconfig_AnEmptyKubeconfigThatNobodyWritesIsBelieved(t *testing.T) {
	path := filepath.Join(t.TempDir(), "config")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	long := time.Now().Add(-time.Hour)
	if err := os.Chtimes(path, long, long); err != nil {
		t.Fatal(err)
	}
	raw, err := environmentOf(path).RawKubeconfig()
	if err != nil || len(raw.Contexts) != 0 {
		t.Errorf("%v, %v", raw, err)
	}
}

// TestKubeconfig_AKubeconfigIsReadOnce has one that changes while a command runs.
func TestKubeconfig_AKubeconfigIsReadOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "config")
	if err := os.WriteFile(path, []byte(wholeKubeconfig), 0o600); err != nil {
		t.Fatal(err)
	}
	env := environmentOf(path)
	for range 2 {
		raw, err := env.RawKubeconfig()
		if err != nil || len(raw.Contexts) != 1 {
			t.Errorf("%v, %v", raw, err)
		}
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
