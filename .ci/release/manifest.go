package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"text/template"
)

// writeChecksums writes the sums of all files of a folder, as sha256sum checks them, and
// returns them by the files' names.
func writeChecksums(folder string) (map[string]string, error) {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil, err
	}
	sums := map[string]string{}
	var text strings.Builder
	for _, entry := range entries {
		data, err := os.ReadFile(filepath.Join(folder, entry.Name()))
		if err != nil {
			return nil, err
		}
		sum := sha256.Sum256(data)
		sums[entry.Name()] = hex.EncodeToString(sum[:])
		fmt.Fprintf(&text, "%s  %s\n", sums[entry.Name()], entry.Name())
	}
	return sums, os.WriteFile(filepath.Join(folder, "checksums.txt"), []byte(text.String()), 0o644) //nolint:gosec // A release is for everybody.
}

// manifestPlatform is what krew-manifest.yaml is rendered with for each platform.
type manifestPlatform struct{ OS, Arch, URI, SHA256 string }

// writeManifest renders krew-manifest.yaml into the folder, and to where it is wanted
// besides.
func writeManifest(s settings, sums map[string]string) error {
	source, err := template.New("krew-manifest.yaml").Option("missingkey=error").ParseFiles(filepath.Join(s.Root, "krew-manifest.yaml"))
	if err != nil {
		return err
	}
	values := struct {
		TagName   string
		Platforms []manifestPlatform
	}{TagName: s.Version}
	for _, p := range s.Platforms {
		name := p.archive(s.Version)
		values.Platforms = append(values.Platforms, manifestPlatform{p.OS, p.Arch, s.URL + name, sums[name]})
	}
	var rendered bytes.Buffer
	if err := source.Execute(&rendered, values); err != nil {
		return err
	}
	// What explains the template explains nothing in what it was rendered to.
	text := rendered.String()
	for strings.HasPrefix(text, "#") {
		_, text, _ = strings.Cut(text, "\n")
	}
	for _, path := range []string{filepath.Join(s.Out, pluginName+".yaml"), s.Manifest} {
		if path == "" {
			continue
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil { //nolint:gosec // A release is for everybody.
			return err
		}
	}
	return nil
}
