package main

import (
	"bytes"
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/hex"
	"fmt"
	"os"
	"time"

	cyclonedx "github.com/CycloneDX/cyclonedx-go"
)

// writeSBOM says what a binary is made of (CycloneDX), by what Go wrote into it: the
// modules with their versions, and Go itself.
func writeSBOM(path, binary string, s settings, p platform) error {
	info, err := buildinfo.ReadFile(binary)
	if err != nil {
		return err
	}
	data, err := os.ReadFile(binary)
	if err != nil {
		return err
	}
	sum := sha256.Sum256(data)
	module := info.Main.Path
	program := cyclonedx.Component{
		BOMRef: purl(module, s.Version), Type: cyclonedx.ComponentTypeApplication, Name: module, Version: s.Version, PackageURL: purl(module, s.Version),
		Hashes:   &[]cyclonedx.Hash{{Algorithm: cyclonedx.HashAlgoSHA256, Value: hex.EncodeToString(sum[:])}},
		Licenses: &cyclonedx.Licenses{{License: &cyclonedx.License{ID: "Apache-2.0"}}},
		Properties: &[]cyclonedx.Property{
			{Name: "os", Value: p.OS}, {Name: "arch", Value: p.Arch}, {Name: "commit", Value: s.Commit},
		},
	}
	components := []cyclonedx.Component{{
		BOMRef: purl("std", info.GoVersion), Type: cyclonedx.ComponentTypeLibrary, Name: "std", Version: info.GoVersion, PackageURL: purl("std", info.GoVersion),
	}}
	for _, dependency := range info.Deps {
		if dependency.Replace != nil {
			dependency = dependency.Replace
		}
		reference := purl(dependency.Path, dependency.Version)
		components = append(components, cyclonedx.Component{
			BOMRef: reference, Type: cyclonedx.ComponentTypeLibrary, Name: dependency.Path, Version: dependency.Version, PackageURL: reference,
		})
	}
	references := make([]string, len(components))
	for i, component := range components {
		references[i] = component.BOMRef
	}
	document := cyclonedx.NewBOM()
	document.Metadata = &cyclonedx.Metadata{Timestamp: s.Date.Format(time.RFC3339), Component: &program}
	document.Components = &components
	document.Dependencies = &[]cyclonedx.Dependency{{Ref: program.BOMRef, Dependencies: &references}}
	var buffer bytes.Buffer
	if err := cyclonedx.NewBOMEncoder(&buffer, cyclonedx.BOMFileFormatJSON).SetPretty(true).Encode(document); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return os.WriteFile(path, buffer.Bytes(), 0o644) //nolint:gosec // A release is for everybody.
}

// purl is a Go module as a package URL.
func purl(module, version string) string { return "pkg:golang/" + module + "@" + version }
