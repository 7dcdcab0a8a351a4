package store

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/answer"
)

func TestCredentialCache_AnAnswerIsKeptOfTheKubeconfigThatIsThereOnly(t *testing.T) {
	cache := CredentialCacheAt(filepath.Join(t.TempDir(), "cache"))
	if err := cache.Prepare(); err != nil {
		t.Fatal(err)
	}
	kept := func() string {
		data, err := os.ReadFile(filepath.Join(cache.Directory(), answer.File))
		if err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		return string(data)
	}
	write := func(kubeconfig string) {
		t.Helper()
		if err := cache.UpdateKubeconfig(t.Context(), func([]byte) ([]byte, error) { return []byte(kubeconfig), nil }); err != nil {
			t.Fatal(err)
		}
	}
	keep := func(madeOf, data string) {
		t.Helper()
		if err := cache.KeepAnswer([]byte(madeOf), []byte(data)); err != nil {
			t.Fatal(err)
		}
	}
	write("first")
	keep("first", "of the first")
	if kept() != "of the first" {
		t.Errorf("%q is kept", kept())
	}
	write("first")
	if kept() == "" {
		t.Error("a kubeconfig that stays takes its answer away")
	}
	write("second")
	if kept() != "" {
		t.Errorf("of the kubeconfig before %q is kept", kept())
	}
	// A process that read the first one comes late.
	keep("first", "of the first")
	if kept() != "" {
		t.Errorf("of the kubeconfig before %q is kept", kept())
	}
	lock, err := TryLock(cache.KubeconfigPath())
	if err != nil || lock == nil {
		t.Fatal(lock, err)
	}
	keep("second", "of the second")
	if kept() != "" {
		t.Errorf("while somebody changes the kubeconfig %q is kept", kept())
	}
	if err := lock.Release(); err != nil {
		t.Fatal(err)
	}

	if err := os.WriteFile(filepath.Join(cache.Directory(), answer.File), nil, 0o644); err != nil { //nolint:gosec // Too open on purpose.
		t.Fatal(err)
	}
	keep("second", "of the second")
	if mode := modeOf(t, filepath.Join(cache.Directory(), answer.File)); kept() != "of the second" || mode.Perm() != 0o600 {
		t.Errorf("%q is kept, with mode %v", kept(), mode)
	}
}

func TestCredentialCache_WhatCannotBeReplaced(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := CheckWritable(t.Context(), UserKubeconfig, file); err != nil {
		t.Errorf("a file that may be made: %v", err)
	}
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := CheckWritable(t.Context(), UserKubeconfig, file); err != nil {
		t.Errorf("a file that is there: %v", err)
	}
	if err := CheckWritable(t.Context(), UserKubeconfig, filepath.Join(file, "below")); err == nil {
		t.Error("a file below a file may be made")
	}
	onlyFiles(t, filepath.Dir(file), "file")
}
