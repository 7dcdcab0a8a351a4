package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"text/template"
)

// checksums are the SHA-256 sums of the files of a release by their names: those in the directory, and
// the index of each image, which names everything in its layout by digest.
func checksums(directory string) (map[string]string, error) {
	var paths []string
	for _, pattern := range []string{"*", "images/*/index.json"} {
		found, err := filepath.Glob(filepath.Join(directory, filepath.FromSlash(pattern)))
		if err != nil {
			return nil, err
		}
		paths = append(paths, found...)
	}
	sums := map[string]string{}
	for _, path := range paths {
		info, err := os.Stat(path)
		if err != nil {
			return nil, err
		}
		if info.IsDir() {
			continue
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		relative, err := filepath.Rel(directory, path)
		if err != nil {
			return nil, err
		}
		sum := sha256.Sum256(data)
		sums[filepath.ToSlash(relative)] = hex.EncodeToString(sum[:])
	}
	return sums, nil
}

// keptName is a name that GitHub keeps when the file is uploaded to a release.
var keptName = regexp.MustCompile(`^[A-Za-z0-9._-]+$`)

// writeChecksums writes the sums as sha256sum checks them. A file that would have another name on GitHub
// is an error.
func writeChecksums(directory string) error {
	sums, err := checksums(directory)
	if err != nil {
		return err
	}
	var text strings.Builder
	for _, name := range slices.Sorted(maps.Keys(sums)) {
		if !keptName.MatchString(path.Base(name)) {
			return fmt.Errorf("GitHub would rename the file %q", name)
		}
		fmt.Fprintf(&text, "%s  %s\n", sums[name], name)
	}
	return writePublic(filepath.Join(directory, "checksums.txt"), []byte(text.String()))
}

// manifestPlatform is an archive of the plugin.
type manifestPlatform struct{ OS, Arch, URI, SHA256 string }

// manifestValues are what the manifests of the plugin are rendered with.
type manifestValues struct {
	// TagName is the release, and Version the same without its v.
	TagName, Version string
	// Date is the commit's, as YYYY-MM-DD.
	Date      string
	Platforms []manifestPlatform
}

// For is the archive for a platform.
func (v manifestValues) For(system, arch string) (manifestPlatform, error) {
	for _, p := range v.Platforms {
		if p.OS == system && p.Arch == arch {
			return p, nil
		}
	}
	return manifestPlatform{}, fmt.Errorf("no archive for %s/%s", system, arch)
}

// writeManifests renders krew's manifest into the directory, and to where it is wanted besides; and
// those for Homebrew, Scoop and winget, which name archives of all platforms.
func writeManifests(s settings, sums map[string]string) error {
	values := manifestValues{TagName: s.Version, Version: strings.TrimPrefix(s.Version, "v"), Date: s.Date.Format("2006-01-02")}
	for _, p := range s.wanted(plugin) {
		name := plugin.archive(s.Version, p)
		values.Platforms = append(values.Platforms, manifestPlatform{p.OS, p.Arch, s.URL + name, sums[name]})
	}
	krew, err := rendered(filepath.Join(s.Root, "krew-manifest.yaml"), values)
	if err != nil {
		return err
	}
	for _, path := range []string{filepath.Join(s.Out, "csr-onboard.yaml"), s.Manifest} {
		if path == "" {
			continue
		}
		if err := writePublic(path, krew); err != nil {
			return err
		}
	}
	if len(values.Platforms) < len(platforms) {
		return nil
	}
	sources, err := filepath.Glob(filepath.Join(s.Root, ".ci", "release", "manifests", "*"))
	if err != nil {
		return err
	}
	for _, source := range sources {
		text, err := rendered(source, values)
		if err != nil {
			return err
		}
		if err := writePublic(filepath.Join(s.Out, filepath.Base(source)), text); err != nil {
			return err
		}
	}
	return nil
}

// rendered is a template with its values, without the comment that it begins with: what explains
// the template explains nothing in what it was rendered to.
func rendered(path string, values manifestValues) ([]byte, error) {
	source, err := template.New(filepath.Base(path)).Option("missingkey=error").Funcs(template.FuncMap{"split": strings.Fields}).ParseFiles(path)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	if err := source.Execute(&out, values); err != nil {
		return nil, err
	}
	text := out.String()
	for strings.HasPrefix(text, "# ") {
		_, text, _ = strings.Cut(text, "\n")
	}
	return []byte(text), nil
}
