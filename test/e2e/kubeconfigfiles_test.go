package e2e

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/csr-onboard/kubectl-csr-onboard/test/controlplane"
	"github.com/csr-onboard/kubectl-csr-onboard/test/program"
)

// filesBelow lists the files of a directory, relative to it.
func filesBelow(t *testing.T, directory string) []string {
	t.Helper()
	var files []string
	err := filepath.WalkDir(directory, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			relative, _ := filepath.Rel(directory, path)
			files = append(files, relative)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(files)
	return files
}

func TestKubeconfigFiles_MergeWritesWhereKubectlWrites(t *testing.T) {
	admin, user := newSession(t, shared), withoutCluster(t, shared)
	user.must("new-user", "kubeconfig-forms", "--offline", "--dir", ".")
	bring(user, admin, "kubeconfig-forms.csr")
	admin.must("approve", "-f", "kubeconfig-forms.csr", "--out", "kubeconfig-forms.handoff.yaml", "--yes")
	bring(admin, user, "kubeconfig-forms.handoff.yaml")

	const exists = "apiVersion: v1\nkind: Config\n"
	// Each form has % for the directory.
	for _, test := range []struct {
		name, kubeconfig string
		flag             string
		existing         []string
	}{
		{name: "the variable is not set"},
		{name: "a file that does not exist", kubeconfig: "%/new"},
		{name: "an empty element, and a file that does not exist", kubeconfig: ":%/new"},
		{name: "several empty elements", kubeconfig: "::%/new"},
		{name: "two files that do not exist", kubeconfig: "%/one:%/two"},
		{name: "the second exists", kubeconfig: "%/one:%/two", existing: []string{"two"}},
		{name: "both exist", kubeconfig: "%/one:%/two", existing: []string{"one", "two"}},
		{name: "an empty element at the end, and a file that exists", kubeconfig: "%/one:", existing: []string{"one"}},
		{name: "an empty element at the end, and no file", kubeconfig: "%/one:"},
		{name: "nothing but a separator", kubeconfig: ":"},
		{name: "a flag, and a file that does not exist", kubeconfig: "%/one", flag: "%/flagged"},
	} {
		t.Run(test.name, func(t *testing.T) {
			written := func(name string, arguments ...string) ([]string, int) {
				directory := t.TempDir()
				in := func(text string) string { return strings.ReplaceAll(text, "%", directory) }
				for _, file := range test.existing {
					if err := os.WriteFile(filepath.Join(directory, file), []byte(exists), 0o600); err != nil {
						t.Fatal(err)
					}
				}
				before := map[string]string{}
				for _, file := range test.existing {
					before[file] = exists
				}
				if test.flag != "" {
					arguments = append(arguments, "--kubeconfig", in(test.flag))
				}
				env := user.env
				env.Home, env.Kubeconfig = directory, in(test.kubeconfig)
				result := program.Run(t, env.Command(t.Context(), name, arguments...))
				var changed []string
				for _, file := range filesBelow(t, directory) {
					content, err := os.ReadFile(filepath.Join(directory, file))
					if err != nil {
						t.Fatal(err)
					}
					// kubectl keeps caches in HOME.
					if before[file] != string(content) && !strings.HasPrefix(file, ".kube/cache") {
						changed = append(changed, file)
					}
				}
				return changed, result.Code
			}
			theirs, theirCode := written(controlplane.Kubectl, "config", "set-context", "new", "--cluster", "new")
			ours, code := written(program.Name, append([]string{"fetch", "kubeconfig-forms", "--from", user.path("kubeconfig-forms.handoff.yaml"), "--dir", user.path(), "--merge"}, confirmed(t, shared)...)...)
			if !slices.Equal(ours, theirs) || (code == 0) != (theirCode == 0) {
				t.Errorf("changed %q (exit code %d); kubectl changed %q (exit code %d)", ours, code, theirs, theirCode)
			}
			if theirCode != 0 && code != 2 {
				t.Errorf("exit code %d, want 2", code)
			}
		})
	}
}
