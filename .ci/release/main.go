// Command release makes what a release consists of: for each platform an archive with
// the program and its licence and an SBOM, the man pages, the checksums of all of them,
// and the krew manifest with their addresses and sums.
//
// It promises the same bytes for the same commit, version and Go, wherever and whenever
// it runs: nothing of the machine's clock, user, paths or order of files gets in. It
// needs Go and the module proxy, uploads nothing and signs nothing.
//
//	go -C .ci/release run . -version v1.2.3 -commit 0123456789ab -date 2026-01-02T03:04:05Z [-out DIR] [-url URL] [-platforms linux/amd64,…] [-manifest FILE]
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// repository is where releases are downloaded from.
const repository = "https://github.com/csr-onboard/kubectl-csr-onboard"

// settings are what a release is made of.
type settings struct {
	// Root is the checkout.
	Root string
	// Version, Commit and Date are what the program says of itself. Date is the
	// commit's, and that of every file in the archives.
	Version, Commit string
	Date            time.Time
	// Out is the folder for everything, and Manifest another place for the manifest.
	// Optional.
	Out, Manifest string
	// URL is the address that the archives' names follow.
	URL string
	// Platforms are those to build for.
	Platforms []platform
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, arguments []string) error {
	s, err := parse(arguments)
	if err != nil {
		return err
	}
	return release(ctx, s)
}

func parse(arguments []string) (settings, error) {
	var s settings
	flags := flag.NewFlagSet("release", flag.ContinueOnError)
	flags.StringVar(&s.Root, "root", filepath.Join("..", ".."), "the checkout")
	flags.StringVar(&s.Version, "version", "", "the release, such as v1.2.3")
	flags.StringVar(&s.Commit, "commit", "", "the commit")
	date := flags.String("date", "", "the commit's date, RFC 3339")
	flags.StringVar(&s.Out, "out", filepath.Join("..", "..", "dist"), "the folder to put everything into; what is in it is removed")
	flags.StringVar(&s.Manifest, "manifest", "", "where to put the krew manifest besides")
	flags.StringVar(&s.URL, "url", "", "the address that the archives' names follow; the release's on GitHub if not given")
	wanted := flags.String("platforms", "", "build for these only, such as linux/amd64,windows/arm64")
	if err := flags.Parse(arguments); err != nil {
		return s, err
	}
	if !isVersion.MatchString(s.Version) {
		return s, fmt.Errorf("-version %q is no semantic version with a v before it", s.Version)
	}
	var err error
	if s.Date, err = time.Parse(time.RFC3339, *date); err != nil {
		return s, fmt.Errorf("-date: %w", err)
	}
	s.Date = s.Date.UTC()
	if s.URL == "" {
		s.URL = repository + "/releases/download/" + s.Version + "/"
	}
	s.Platforms = slices.Clone(platforms)
	if *wanted != "" {
		s.Platforms = slices.DeleteFunc(s.Platforms, func(p platform) bool {
			return !slices.Contains(strings.Split(*wanted, ","), p.OS+"/"+p.Arch)
		})
	}
	if len(s.Platforms) == 0 {
		return s, fmt.Errorf("-platforms %q names none that there is", *wanted)
	}
	return s, nil
}

func release(ctx context.Context, s settings) (err error) {
	if err := os.RemoveAll(s.Out); err != nil {
		return err
	}
	if err := os.MkdirAll(s.Out, 0o755); err != nil { //nolint:gosec // A release is for everybody.
		return err
	}
	work, err := os.MkdirTemp("", "csr-onboard-release-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(work)) }()
	for i, p := range s.Platforms {
		binary, err := build(ctx, s, p, work)
		if err != nil {
			return err
		}
		licence := filepath.Join(s.Root, "LICENSE")
		files := []archived{{p.binary(), binary, 0o755}, {"LICENSE", licence, 0o644}}
		if err := writeArchive(filepath.Join(s.Out, p.archive(s.Version)), files, s.Date); err != nil {
			return err
		}
		if err := writeSBOM(filepath.Join(s.Out, p.base(s.Version)+".cdx.json"), binary, s, p); err != nil {
			return err
		}
		fmt.Fprintf(os.Stderr, "%d of %d: %s\n", i+1, len(s.Platforms), p.archive(s.Version))
	}
	if err := writeManPages(s); err != nil {
		return err
	}
	sums, err := writeChecksums(s.Out)
	if err != nil {
		return err
	}
	return writeManifest(s, sums)
}

// writeManPages packs the manual pages, which are generated from the commands.
func writeManPages(s settings) error {
	pages, err := filepath.Glob(filepath.Join(s.Root, "docs", "man", "*.1"))
	if err != nil {
		return err
	}
	if len(pages) == 0 {
		return errors.New("there are no man pages: make docs")
	}
	var files []archived
	for _, page := range pages {
		files = append(files, archived{"man1/" + filepath.Base(page), page, 0o644})
	}
	return writeArchive(filepath.Join(s.Out, programName+"_"+s.Version+"_man.tar.gz"), files, s.Date)
}
