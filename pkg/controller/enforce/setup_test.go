package enforce

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome/outcometest"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/store"
)

// manifestWith is the manifest of an API server's static pod with arguments.
func manifestWith(t *testing.T, arguments string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "kube-apiserver.yaml")
	write(t, path, []byte(`{"kind":"Pod","spec":{"containers":[{"image":"registry.k8s.io/kube-apiserver:v1.35.0","command":["kube-apiserver"],"args":[`+arguments+`]}]}}`))
	return path
}

func TestSetup_ANodeThatCannotBeSetUpIsRefused(t *testing.T) {
	scratch := t.TempDir()
	file := filepath.Join(scratch, "file")
	write(t, file, nil)
	held := directoryIn(t)
	release, err := held.Lock()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = release() }()
	occupied, open := directoryIn(t), directoryIn(t)
	occupy(t, occupied.BasePath())
	if err := os.Chmod(open.Path(), 0o755); err != nil { //nolint:gosec // It is what is refused.
		t.Fatal(err)
	}
	below, err := store.EnforcementIn(filepath.Join(file, "D"))
	if err != nil {
		t.Fatal(err)
	}
	for about, test := range map[string]struct {
		setup Setup
		kind  error
		says  []string
	}{
		"a missing configuration": {Setup{Configuration: filepath.Join(scratch, "none")}, outcome.ErrUsage, []string{"--authorization-config: ", "none"}},
		"a missing manifest":      {Setup{Manifest: filepath.Join(scratch, "none")}, outcome.ErrUsage, []string{"--manifest: ", "none"}},
		"a manifest that names a missing configuration": {
			Setup{Manifest: manifestWith(t, `"--authorization-config=`+filepath.Join(scratch, "none")+`"`)}, outcome.ErrUsage, []string{"--authorization-config: ", "none"},
		},
		"a path below a file":         {Setup{Directory: below, Modes: "RBAC"}, nil, []string{below.Path()}},
		"a directory of others":       {Setup{Directory: open, Modes: "RBAC"}, nil, []string{open.Path(), "chmod 700"}},
		"where an enforcer works":     {Setup{Directory: held, Modes: "RBAC"}, outcome.ErrRefused, []string{"another enforcer works in", "stop the other one"}},
		"a base that cannot be read":  {Setup{Directory: occupied, Modes: "RBAC"}, nil, []string{"base.yaml"}},
		"other authorizers than then": {Setup{Directory: preparedIn(t), Modes: "RBAC"}, outcome.ErrRefused, []string{"other authorizers already", "change base.yaml"}},
	} {
		_, err := Prepare(test.setup)
		if outcometest.Says(t, about, err, test.says...); test.kind != nil && !errors.Is(err, test.kind) {
			t.Errorf("%s: %v", about, err)
		}
	}
	for _, directory := range []store.Enforcement{held, occupied, open} {
		if _, err := os.Stat(directory.AuthorizationPath()); !os.IsNotExist(err) {
			t.Errorf("%s has an authorization file: %v", directory, err)
		}
	}
}

// TestSetup_TheConfigurationThatAManifestNamesCounts: with it, the API server does not look at the modes.
func TestSetup_TheConfigurationThatAManifestNamesCounts(t *testing.T) {
	configuration := filepath.Join(t.TempDir(), "authorization.yaml")
	write(t, configuration, []byte(operators))
	directory := directoryIn(t)
	prepared, err := Prepare(Setup{Directory: directory, Manifest: manifestWith(t, `"--authorization-mode=AlwaysAllow","--authorization-config=`+configuration+`"`)})
	if err != nil || prepared.Base.String() != "Node, RBAC" || prepared.WasThere {
		t.Errorf("%+v, %v", prepared, err)
	}
	again, err := Prepare(Setup{Directory: directory, Configuration: configuration})
	if err != nil || !again.WasThere {
		t.Errorf("%+v, %v", again, err)
	}
	// The same authorizers can be written in another way, as by somebody with an editor or by an earlier version.
	write(t, directory.BasePath(), []byte("# Ours\n"+operators))
	if again, err := Prepare(Setup{Directory: directory, Configuration: configuration}); err != nil || !again.WasThere {
		t.Errorf("%+v, %v", again, err)
	}
	release, err := directory.Lock()
	if err != nil {
		t.Fatalf("it is locked after it was set up: %v", err)
	}
	if err := release(); err != nil {
		t.Error(err)
	}
}
