package main

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/goreleaser/nfpm/v2"
	// The formats register themselves.
	_ "github.com/goreleaser/nfpm/v2/apk"
	_ "github.com/goreleaser/nfpm/v2/arch"
	_ "github.com/goreleaser/nfpm/v2/deb"
	"github.com/goreleaser/nfpm/v2/files"
	_ "github.com/goreleaser/nfpm/v2/rpm"
)

// formats are those of Debian, Fedora and openSUSE, Alpine, and Arch Linux.
var formats = []string{"deb", "rpm", "apk", "archlinux"}

// maintainer is who packages name.
const maintainer = "csr-onboard maintainers <csr-onboard@users.noreply.github.com>"

// stopCommands stop the controller where systemd runs it, which is not so on most systems with apk.
const stopCommands = `if [ -d /run/systemd/system ]; then
  systemctl --quiet disable --now csr-onboard-enforcer.service csr-onboard-controller@ledger.service \
    csr-onboard-controller@approver.service || true
fi
`

// stopScript stops the controller when its package is removed, but not when it is upgraded. dpkg
// and rpm pass which of the two it is. apk runs pre-deinstall, and pacman pre_remove, only for a removal.
func stopScript(format string) string {
	if slices.Contains([]string{"deb", "rpm"}, format) {
		return "#!/bin/sh\ncase \"$1\" in\nremove | 0)\n" + stopCommands + ";;\nesac\n"
	}
	return "#!/bin/sh\n" + stopCommands
}

// writePackages makes a package of a program for a platform in every format.
func writePackages(s settings, b program, p platform, binary file, common common, work string) error {
	for _, format := range formats {
		if err := writePackage(s, b, p, format, packaged(b, format, binary, common), work); err != nil {
			return fmt.Errorf("package %s for %s, %s: %w", b.Package, p.Arch, format, err)
		}
	}
	return nil
}

// packaged are the files of a package, by their paths on the system.
func packaged(b program, format string, binary file, common common) []file {
	at := func(name string, f file) file { return file{name, f.data, f.mode} }
	license := at("/usr/share/licenses/"+b.Package+"/LICENSE", common.license)
	functions := "/usr/share/zsh/site-functions/"
	if format == "deb" {
		// Debian's policy manual, 12.5, and zsh's /usr/share/doc/zsh-common/README.Debian.
		license.name, functions = "/usr/share/doc/"+b.Package+"/copyright", "/usr/share/zsh/vendor-completions/"
	}
	all := []file{license, at("/usr/bin/"+binary.name, binary)}
	if b.Binary == controller.Binary {
		for _, unit := range common.units {
			all = append(all, at("/usr/lib/systemd/system/"+unit.name, unit))
		}
		return append(all, manual(common.controllerPages)...)
	}
	all = append(all, at("/usr/bin/"+common.shim.name, common.shim))
	all = append(all, manual(common.manPages)...)
	for i, name := range []string{"/usr/share/bash-completion/completions/" + plugin.Binary, functions + "_" + plugin.Binary, "/usr/share/fish/vendor_completions.d/" + plugin.Binary + ".fish"} {
		all = append(all, at(name, common.completions[i]))
	}
	return all
}

// manual are pages where man finds them.
func manual(pages []file) (all []file) {
	for _, page := range pages {
		all = append(all, file{"/usr/share/man/" + page.name + ".gz", compressed(page.data), page.mode})
	}
	return all
}

// compressed is text as man reads it.
func compressed(text []byte) []byte {
	var out bytes.Buffer
	// A buffer never fails to be written to (package bytes), and the level is valid.
	writer, _ := gzip.NewWriterLevel(&out, gzip.BestCompression)
	_, _ = writer.Write(text)
	_ = writer.Close()
	return out.Bytes()
}

func writePackage(s settings, b program, p platform, format string, contents []file, work string) (err error) {
	// nfpm reads what it packs from files.
	staging, err := os.MkdirTemp(work, "package-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(staging)) }()
	info := nfpm.WithDefaults(&nfpm.Info{
		Name: b.Package, Arch: p.Arch, Platform: "linux", Version: s.Version, Maintainer: maintainer, Vendor: "csr-onboard",
		Description: b.Summary + "\n" + b.Description, Homepage: repository, License: "Apache-2.0", Section: "admin", Priority: "optional",
		MTime: s.Date, DisableGlobbing: true,
	})
	if format == "apk" {
		// The version 0.2.0_rc.1 would be invalid.
		info.Prerelease = strings.ReplaceAll(info.Prerelease, ".", "")
	}
	info.RPM.Summary, info.RPM.BuildHost, info.RPM.Group = b.Summary, "csr-onboard", "System/Management"
	info.ArchLinux.Packager = maintainer
	if b.Binary == plugin.Binary {
		info.Suggests = []string{"kubectl"}
	} else {
		info.Scripts.PreRemove = filepath.Join(staging, "stop.sh")
		if err := os.WriteFile(info.Scripts.PreRemove, []byte(stopScript(format)), 0o600); err != nil {
			return err
		}
		// An apk package has the time of the file.
		if err := os.Chtimes(info.Scripts.PreRemove, s.Date, s.Date); err != nil {
			return err
		}
	}
	for i, f := range contents {
		source := filepath.Join(staging, fmt.Sprint(i))
		if err := os.WriteFile(source, f.data, 0o600); err != nil {
			return err
		}
		info.Contents = append(info.Contents, &files.Content{
			Source: source, Destination: f.name,
			FileInfo: &files.ContentFileInfo{Owner: "root", Group: "root", Mode: f.mode, MTime: s.Date},
		})
	}
	if format == "rpm" {
		for _, directory := range ownedDirectories(contents) {
			info.Contents = append(info.Contents, &files.Content{
				Destination: directory, Type: files.TypeDir,
				FileInfo: &files.ContentFileInfo{Owner: "root", Group: "root", Mode: 0o755, MTime: s.Date},
			})
		}
	}
	if err := nfpm.PrepareForPackager(info, format); err != nil {
		return err
	}
	packager, err := nfpm.Get(format)
	if err != nil {
		return err
	}
	var out bytes.Buffer
	if err := packager.Package(info, &out); err != nil {
		return err
	}
	// The version in a package has a tilde before a prerelease, which sorts it before the release. GitHub
	// would replace it in the name of a file.
	name := strings.ReplaceAll(packager.ConventionalFileName(info), "~", "-")
	return writePublic(filepath.Join(s.Out, name), out.Bytes())
}

// providedDirectories are those that every system with rpm has, or that have no use without the package
// that lists them.
var providedDirectories = []string{
	"/", "/usr", "/usr/bin", "/usr/lib", "/usr/lib/systemd/system", "/usr/share", "/usr/share/licenses", "/usr/share/man/man1",
}

// ownedDirectories are the other directories of a package's files. rpm removes a directory with the last
// package that lists it, and leaves one that no package lists; other formats list all directories.
func ownedDirectories(contents []file) (owned []string) {
	for _, f := range contents {
		for directory := path.Dir(f.name); !slices.Contains(providedDirectories, directory); directory = path.Dir(directory) {
			if !slices.Contains(owned, directory) {
				owned = append(owned, directory)
			}
		}
	}
	return owned
}
