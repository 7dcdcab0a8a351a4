package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	cyclonedx "github.com/CycloneDX/cyclonedx-go"
	"github.com/CycloneDX/cyclonedx-gomod/pkg/generate/bin"
	"github.com/google/licensecheck"
	"github.com/rs/zerolog"
	"golang.org/x/mod/module"
)

// billOfMaterials says what binaries are made of (CycloneDX): the modules with their versions,
// hashes and licenses, and Go itself. It looks at the license of a module once.
type billOfMaterials struct {
	settings settings
	// cache is the module cache, and root where Go itself is.
	cache, root string
	// mutex is for licenses.
	mutex    sync.Mutex
	licenses map[string]cyclonedx.Licenses
}

func newBillOfMaterials(ctx context.Context, s settings) (*billOfMaterials, error) {
	command := exec.CommandContext(ctx, "go", "env", "GOMODCACHE", "GOROOT")
	command.Dir = s.Root
	output, err := command.Output()
	if err != nil {
		return nil, fmt.Errorf("go env: %w", err)
	}
	directories := strings.Split(strings.TrimSpace(string(output)), "\n")
	return &billOfMaterials{
		settings: s, cache: directories[0], root: directories[1], licenses: map[string]cyclonedx.Licenses{},
	}, nil
}

// of is the document about a binary, as JSON.
func (b *billOfMaterials) of(binary string, about program, p platform) ([]byte, error) {
	generator, err := bin.NewGenerator(binary, bin.WithIncludeStdlib(true), bin.WithVersionOverride(b.settings.Version), bin.WithLogger(zerolog.Nop()))
	if err != nil {
		return nil, err
	}
	document, err := generator.Generate()
	if err != nil {
		return nil, fmt.Errorf("SBOM of %s: %w", filepath.Base(binary), err)
	}
	data, err := os.ReadFile(binary)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(data)
	main := document.Metadata.Component
	main.Hashes = &[]cyclonedx.Hash{{Algorithm: cyclonedx.HashAlgoSHA256, Value: hex.EncodeToString(sum[:])}}
	main.Licenses = &cyclonedx.Licenses{{License: &cyclonedx.License{ID: "Apache-2.0"}}}
	main.Description = about.Summary
	main.Properties = &[]cyclonedx.Property{{Name: "os", Value: p.OS}, {Name: "arch", Value: p.Arch}, {Name: "commit", Value: b.settings.Commit}}
	document.Metadata.Timestamp = b.settings.Date.Format(time.RFC3339)
	for i := range *document.Components {
		component := &(*document.Components)[i]
		licenses, err := b.licensesOf(component.Name, component.Version)
		if err != nil {
			return nil, err
		}
		component.Licenses = &licenses
	}
	var out bytes.Buffer
	if err := cyclonedx.NewBOMEncoder(&out, cyclonedx.BOMFileFormatJSON).SetPretty(true).Encode(document); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// licensesOf are the licenses of a module, by its files, which are in the module cache since the
// binary was built. A module whose license is not detected is an error, so that somebody looks at it.
func (b *billOfMaterials) licensesOf(path, version string) (cyclonedx.Licenses, error) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	if known, isKnown := b.licenses[path+"@"+version]; isKnown {
		return known, nil
	}
	directory := b.root
	if path != "std" {
		escaped, err := module.EscapePath(path)
		if err != nil {
			return nil, err
		}
		escapedVersion, err := module.EscapeVersion(version)
		if err != nil {
			return nil, err
		}
		directory = filepath.Join(b.cache, escaped+"@"+escapedVersion)
	}
	found, err := licensesIn(directory)
	if err != nil {
		return nil, err
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("license of %s@%s not found in %s", path, version, directory)
	}
	var licenses cyclonedx.Licenses
	for _, id := range found {
		licenses = append(licenses, cyclonedx.LicenseChoice{License: &cyclonedx.License{ID: id}})
	}
	b.licenses[path+"@"+version] = licenses
	return licenses, nil
}

// licensesIn are the SPDX identifiers of the licenses whose whole texts stand in the files of a directory
// that are named as license files are. The detector of cyclonedx-gomod confuses kinds of BSD licenses.
func licensesIn(directory string) ([]string, error) {
	entries, err := os.ReadDir(directory)
	if err != nil {
		return nil, err
	}
	var found []string
	for _, entry := range entries {
		name := strings.ToUpper(entry.Name())
		if entry.IsDir() || !strings.HasPrefix(name, "LICEN") && !strings.HasPrefix(name, "COPYING") {
			continue
		}
		text, err := os.ReadFile(filepath.Join(directory, entry.Name()))
		if err != nil {
			return nil, err
		}
		for _, match := range licensecheck.Scan(text).Match {
			if !match.IsURL && !slices.Contains(found, match.ID) {
				found = append(found, match.ID)
			}
		}
	}
	slices.Sort(found)
	return found, nil
}
