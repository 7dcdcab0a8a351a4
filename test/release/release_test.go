package release

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/csr-onboard/kubectl-csr-onboard/test/program"
)

// platforms are those of every release.
var platforms = []struct{ os, arch string }{
	{"linux", "amd64"}, {"linux", "arm64"}, {"darwin", "amd64"}, {"darwin", "arm64"}, {"windows", "amd64"}, {"windows", "arm64"},
}

func archiveOf(system, arch string) string {
	extension := ".tar.gz"
	if system == "windows" {
		extension = ".zip"
	}
	return "kubectl-csr_onboard_" + version + "_" + system + "_" + arch + extension
}

func TestRelease_EachArchiveHoldsTheProgramItsLicenseAndCompletions(t *testing.T) {
	for _, p := range platforms {
		name := archiveOf(p.os, p.arch)
		data, err := os.ReadFile(filepath.Join(dist(t), name))
		if err != nil {
			t.Fatal(err)
		}
		files := tarFiles
		binary := "kubectl-csr_onboard"
		if p.os == "windows" {
			files, binary = zipFiles, binary+".exe"
		}
		got := files(t, data)
		if len(got) < 2 || got[0].name != binary || got[0].mode.Perm() != 0o755 || got[1].name != "LICENSE" {
			t.Errorf("%s holds %+v", name, got)
		}
		for _, wanted := range []entry{
			{"README.md", 0o644}, {"completions/kubectl_complete-csr_onboard", 0o755}, {"completions/kubectl-csr_onboard.bash", 0o644},
			{"completions/_kubectl-csr_onboard", 0o644}, {"completions/kubectl-csr_onboard.fish", 0o644}, {"man/man1/kubectl-csr-onboard.1", 0o644},
		} {
			if !slices.Contains(got, wanted) {
				t.Errorf("%s does not hold %s with mode %o", name, wanted.name, wanted.mode)
			}
		}
	}
}

type entry struct {
	name string
	mode fs.FileMode
}

func tarFiles(t *testing.T, data []byte) (entries []entry) {
	t.Helper()
	plain, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	archive := tar.NewReader(plain)
	for {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return entries
		}
		if err != nil {
			t.Fatal(err)
		}
		entries = append(entries, entry{header.Name, header.FileInfo().Mode()})
	}
}

func zipFiles(t *testing.T, data []byte) (entries []entry) {
	t.Helper()
	archive, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range archive.File {
		entries = append(entries, entry{file.Name, file.Mode()})
	}
	return entries
}

func TestRelease_TheChecksumsAreThoseOfTheFiles(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(dist(t), "checksums.txt"))
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	var named []string
	for _, line := range lines {
		sum, name, _ := strings.Cut(line, "  ")
		data, err := os.ReadFile(filepath.Join(dist(t), name))
		if err != nil {
			t.Fatal(err)
		}
		if got := sha256.Sum256(data); hex.EncodeToString(got[:]) != sum {
			t.Errorf("%s has another sum than %s", name, sum)
		}
		named = append(named, name)
	}
	entries, err := os.ReadDir(dist(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range entries {
		if !file.IsDir() && file.Name() != "checksums.txt" && !slices.Contains(named, file.Name()) {
			t.Errorf("%s has no checksum", file.Name())
		}
	}
	for _, image := range []string{"kubectl-csr-onboard", "csr-onboard-controller"} {
		if !slices.Contains(named, "images/"+image+"/index.json") {
			t.Errorf("the image %s has no checksum", image)
		}
	}
}

func TestRelease_TheSBOMNamesEveryModuleWithItsHashAndLicense(t *testing.T) {
	data, err := os.ReadFile(filepath.Join(dist(t), "kubectl-csr_onboard_"+version+"_linux_amd64.cdx.json"))
	if err != nil {
		t.Fatal(err)
	}
	var document struct {
		BOMFormat string `json:"bomFormat"`
		Metadata  struct {
			Component struct{ Name, Version string } `json:"component"`
		} `json:"metadata"`
		Components []struct {
			Name, Version string
			Hashes        []struct{ Alg, Content string }
			Licenses      []struct{ License struct{ ID string } }
		} `json:"components"`
	}
	if err := json.Unmarshal(data, &document); err != nil {
		t.Fatal(err)
	}
	if document.BOMFormat != "CycloneDX" || document.Metadata.Component.Version != version {
		t.Errorf("it is of %+v", document.Metadata)
	}
	named := map[string]string{}
	for _, component := range document.Components {
		named[component.Name] = component.Version
		for _, one := range component.Licenses {
			if !slices.Contains([]string{"Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "MIT"}, one.License.ID) {
				t.Errorf("%s has the license %s", component.Name, one.License.ID)
			}
		}
		// Go's own library has no hash that is published.
		if len(component.Licenses) == 0 || component.Name != "std" && (len(component.Hashes) != 1 || len(component.Hashes[0].Content) != 64) {
			t.Errorf("%s has the licenses %v and the hashes %v", component.Name, component.Licenses, component.Hashes)
		}
	}
	list := exec.Command("go", "list", "-deps", "-f", "{{with .Module}}{{if not .Main}}{{.Path}} {{.Version}}{{end}}{{end}}", "./cmd/kubectl-csr_onboard")
	list.Dir = checkout
	list.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH=amd64")
	modules, err := list.Output()
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(modules)) {
		path, release, _ := strings.Cut(strings.TrimSpace(line), " ")
		if path != "" && named[path] != release {
			t.Errorf("%s %s is in the program, and the SBOM has %q", path, release, named[path])
		}
	}
	if named["std"] == "" {
		t.Error("Go itself is not in it")
	}
}

func TestRelease_TheSameCommitMakesTheSameBytes(t *testing.T) {
	elsewhere := filepath.Join(t.TempDir(), "another", "checkout")
	copyCheckout(t, elsewhere)
	again := filepath.Join(t.TempDir(), "dist")
	// In another place, at another time, and, in make test-long, with nothing built before for one
	// platform.
	if err := makeRelease(elsewhere, again, []string{"TZ=Asia/Tokyo", "GOFLAGS=-mod=mod", "GOAMD64=v3"}, "-url", built.address); err != nil {
		t.Fatal(err)
	}
	sameFiles(t, dist(t), again)

	// Building Go's library and all dependencies again takes minutes.
	if !program.IsLong() {
		return
	}
	fresh := filepath.Join(t.TempDir(), "dist")
	cache := t.TempDir()
	if err := makeRelease(elsewhere, fresh, []string{"GOCACHE=" + cache}, "-platforms", "linux/amd64"); err != nil {
		t.Fatal(err)
	}
	sameFile(t, filepath.Join(dist(t), archiveOf("linux", "amd64")), filepath.Join(fresh, archiveOf("linux", "amd64")))
}

func sameFiles(t *testing.T, a, b string) {
	t.Helper()
	compared := 0
	err := filepath.WalkDir(a, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		relative, err := filepath.Rel(a, path)
		if err != nil {
			return err
		}
		sameFile(t, path, filepath.Join(b, relative))
		compared++
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if compared < 8 {
		t.Fatalf("there are %d files to compare", compared)
	}
}

func sameFile(t *testing.T, a, b string) {
	t.Helper()
	first, err := os.ReadFile(a)
	if err != nil {
		t.Fatal(err)
	}
	second, err := os.ReadFile(b)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(first, second) {
		t.Errorf("%s is not the same twice", filepath.Base(a))
	}
}

// copyCheckout copies what git knows of, and what it will.
func copyCheckout(t *testing.T, target string) {
	t.Helper()
	list := exec.Command(git(t), "ls-files", "--cached", "--others", "--exclude-standard", "-z")
	list.Dir = checkout
	names, err := list.Output()
	if err != nil {
		t.Fatal(err)
	}
	for name := range strings.SplitSeq(strings.Trim(string(names), "\x00"), "\x00") {
		data, err := os.ReadFile(filepath.Join(checkout, name))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(target, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// isThisPlatform reports whether what was built for a platform runs here.
func isThisPlatform(system, arch string) bool {
	return system == runtime.GOOS && arch == runtime.GOARCH
}
