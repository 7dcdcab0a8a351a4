package main

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"maps"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// made is a release of programs that are a text, in its directory.
func made(t *testing.T) settings {
	t.Helper()
	return settings{
		Root: filepath.Join("..", ".."), Version: "v0.1.2", Commit: "0123456789ab", Date: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
		Out: t.TempDir(), URL: "https://example.com/", Platforms: platforms,
	}
}

func binaryOf(b program, arch string) file {
	return file{b.Binary, []byte("the program for " + arch), 0o755}
}

var someFiles = common{
	license:  file{"LICENSE", []byte("the license"), 0o644},
	manPages: []file{{"man1/kubectl-csr-onboard.1", []byte(".TH page"), 0o644}},
	completions: []file{
		{"kubectl-csr_onboard.bash", []byte("bash"), 0o644}, {"_kubectl-csr_onboard", []byte("zsh"), 0o644}, {"kubectl-csr_onboard.fish", []byte("fish"), 0o644},
	},
	shim:  file{"kubectl_complete-csr_onboard", []byte("#!/bin/sh"), 0o755},
	units: []file{{"csr-onboard-enforcer.service", []byte("[Unit]"), 0o644}},
}

func images(t *testing.T, s settings, b program) {
	t.Helper()
	var of []platformImage
	for _, arch := range []string{"amd64", "arm64"} {
		of = append(of, platformImage{platform{"linux", arch}, binaryOf(b, arch), []byte(`{"about":"` + arch + `"}`)})
	}
	if err := writeImages(s, b, of, someFiles.license); err != nil {
		t.Fatal(err)
	}
}

// contents are the SHA-256 sums of all files in a directory.
func contents(t *testing.T, directory string) map[string]string {
	t.Helper()
	sums := map[string]string{}
	all := os.DirFS(directory)
	err := fs.WalkDir(all, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := fs.ReadFile(all, path)
		sum := sha256.Sum256(data)
		sums[path] = hex.EncodeToString(sum[:])
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return sums
}

func TestImage_HoldsTheProgramAloneAndRunsItAsNobody(t *testing.T) {
	s := made(t)
	images(t, s, controller)
	digest, err := indexDigest(s.Out, controller)
	if err != nil {
		t.Fatal(err)
	}
	outer, err := layout.ImageIndexFromPath(layoutOf(s.Out, controller))
	if err != nil {
		t.Fatal(err)
	}
	index, err := outer.ImageIndex(digest)
	if err != nil {
		t.Fatal(err)
	}
	manifest, err := index.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	if len(manifest.Manifests) != 2 {
		t.Fatalf("the index has %d images, want 2", len(manifest.Manifests))
	}
	for _, descriptor := range manifest.Manifests {
		image, err := index.Image(descriptor.Digest)
		if err != nil {
			t.Fatal(err)
		}
		config, err := image.ConfigFile()
		if err != nil {
			t.Fatal(err)
		}
		layers, err := image.Layers()
		if err != nil {
			t.Fatal(err)
		}
		if len(layers) != 1 || config.Config.User != "65532:65532" || !slices.Equal(config.Config.Entrypoint, []string{"/csr-onboard-controller"}) ||
			config.OS != "linux" || config.Architecture != descriptor.Platform.Architecture {
			t.Errorf("%s has %d layers and the configuration %+v", descriptor.Platform, len(layers), config.Config)
		}
		if got := config.Config.Labels["org.opencontainers.image.revision"]; got != s.Commit {
			t.Errorf("the label revision is %q, want %q", got, s.Commit)
		}
		want := map[string]string{"csr-onboard-controller": "the program for " + config.Architecture, "LICENSE": "the license"}
		if got := filesIn(t, image); !maps.Equal(got, want) {
			t.Errorf("the image holds %q, want %q", got, want)
		}
	}
}

func filesIn(t *testing.T, image v1.Image) map[string]string {
	t.Helper()
	files := map[string]string{}
	content := mutate.Extract(image)
	defer content.Close() //nolint:errcheck // It is read from memory.
	archive := tar.NewReader(content)
	for {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(archive)
		if err != nil {
			t.Fatal(err)
		}
		files[header.Name] = string(data)
	}
}

func TestImage_IsPushedWithItsSBOMs(t *testing.T) {
	s := made(t)
	images(t, s, plugin)
	images(t, s, controller)
	server := httptest.NewServer(registry.New(registry.WithReferrersSupport(true)))
	defer server.Close()
	host := strings.TrimPrefix(server.URL, "http://")
	if err := push(t.Context(), []string{"-layouts", filepath.Join(s.Out, "images"), "-registry", host + "/here"}); err != nil {
		t.Fatal(err)
	}
	for _, b := range []program{plugin, controller} {
		digest, err := indexDigest(s.Out, b)
		if err != nil {
			t.Fatal(err)
		}
		repository, err := name.NewRepository(host + "/here/" + b.Package)
		if err != nil {
			t.Fatal(err)
		}
		index, err := remote.Index(repository.Tag(s.Version))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := index.Digest(); err != nil || got != digest {
			t.Errorf("%s is pulled as %s (%v), want %s", b.Package, got, err, digest)
		}
		image, err := remote.Image(repository.Tag(s.Version), remote.WithPlatform(v1.Platform{OS: "linux", Architecture: "arm64"}))
		if err != nil {
			t.Fatal(err)
		}
		of, err := image.Digest()
		if err != nil {
			t.Fatal(err)
		}
		referrers, err := remote.Referrers(repository.Digest(of.String()))
		if err != nil {
			t.Fatal(err)
		}
		listed, err := referrers.IndexManifest()
		if err != nil {
			t.Fatal(err)
		}
		if len(listed.Manifests) != 1 || listed.Manifests[0].ArtifactType != sbomType {
			t.Fatalf("what refers to the image is %+v", listed.Manifests)
		}
		sbom, err := remote.Image(repository.Digest(listed.Manifests[0].Digest.String()))
		if err != nil {
			t.Fatal(err)
		}
		layers, err := sbom.Layers()
		if err != nil {
			t.Fatal(err)
		}
		content, err := layers[0].Compressed()
		if err != nil {
			t.Fatal(err)
		}
		if data, err := io.ReadAll(content); err != nil || string(data) != `{"about":"arm64"}` {
			t.Errorf("the SBOM is %q (%v)", data, err)
		}
	}
}

func TestRelease_ImagesAndPackagesAreTheSameTwice(t *testing.T) {
	var sums []map[string]string
	for range 2 {
		s := made(t)
		for _, b := range []program{plugin, controller} {
			images(t, s, b)
			for _, arch := range []string{"amd64", "arm64"} {
				if err := writePackages(s, b, platform{"linux", arch}, binaryOf(b, arch), someFiles, t.TempDir()); err != nil {
					t.Fatal(err)
				}
			}
		}
		sums = append(sums, contents(t, s.Out))
	}
	if !maps.Equal(sums[0], sums[1]) {
		t.Errorf("files differ: %v and %v", sums[0], sums[1])
	}
	// Two programs for two architectures in four formats, and the images.
	if len(sums[0]) < 16 {
		t.Errorf("there are %d files only", len(sums[0]))
	}
}

func TestDeployment_NamesTheImageByItsDigest(t *testing.T) {
	s := made(t)
	images(t, s, controller)
	if err := writeDeployments(s); err != nil {
		t.Fatal(err)
	}
	digest, err := indexDigest(s.Out, controller)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(s.Out, "deploy-enforcer.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if want := "image: ghcr.io/csr-onboard/csr-onboard-controller@" + digest.String() + "\n"; strings.Count(string(text), "image: ") != 1 || !strings.Contains(string(text), want) {
		t.Errorf("the manifest does not name %q:\n%s", want, text)
	}
}

func TestManifests_NameTheArchivesAndTheirSums(t *testing.T) {
	s := made(t)
	sums := map[string]string{}
	for i, p := range platforms {
		sums[plugin.archive(s.Version, p)] = strings.Repeat(string(rune('a'+i)), 64)
	}
	if err := writeManifests(s, sums); err != nil {
		t.Fatal(err)
	}
	for file, systems := range map[string][]string{
		"csr-onboard.yaml":                                  {"linux", "darwin", "windows"},
		"kubectl-csr-onboard.rb":                            {"linux", "darwin"},
		"kubectl-csr-onboard.json":                          {"windows"},
		"csr-onboard.kubectl-csr-onboard.installer.yaml":    {"windows"},
		"csr-onboard.kubectl-csr-onboard.yaml":              nil,
		"csr-onboard.kubectl-csr-onboard.locale.en-US.yaml": nil,
	} {
		text, err := os.ReadFile(filepath.Join(s.Out, file))
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(text, []byte("{{")) || bytes.HasPrefix(text, []byte("#")) || !bytes.Contains(text, []byte("0.1.2")) {
			t.Errorf("%s is not rendered:\n%s", file, text)
		}
		for _, p := range platforms {
			archive := plugin.archive(s.Version, p)
			isNamed := bytes.Contains(text, []byte("https://example.com/"+archive)) && bytes.Contains(text, []byte(sums[archive]))
			if isNamed != slices.Contains(systems, p.OS) {
				t.Errorf("%s names %s: %t", file, archive, isNamed)
			}
		}
	}
}

func TestSBOM_LicensesAreThoseOfTheFiles(t *testing.T) {
	found, err := licensesIn(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(found, []string{"Apache-2.0"}) {
		t.Errorf("the licenses of this repository are %q", found)
	}
	bom := &billOfMaterials{cache: t.TempDir(), licenses: nil}
	unlicensed := filepath.Join(bom.cache, "example.com", "!m@v1.0.0")
	if err := os.MkdirAll(unlicensed, 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := bom.licensesOf("example.com/M", "v1.0.0"); err == nil || !strings.Contains(err.Error(), "not found") {
		t.Errorf("a module without a license: %v", err)
	}
}
