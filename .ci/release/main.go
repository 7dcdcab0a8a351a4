// Command release makes what a release consists of: archives, packages, images, SBOMs and man pages
// of both programs, manifests for those who distribute them, and the checksums of all of them.
//
// It promises the same bytes for the same commit, version and Go, wherever and whenever
// it runs: nothing of the machine's clock, user, paths or order of files gets in. It
// needs Go and the module proxy, and signs nothing. It uploads nothing but images, and those only when
// it is told to.
//
//	go -C .ci/release run . -version v1.2.3 -commit 0123456789ab -date 2026-01-02T03:04:05Z [-out DIR] [-url URL] [-platforms linux/amd64,…] [-manifest FILE]
//	go -C .ci/release run . push [-layouts DIR] [-registry HOST/PATH]
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"
)

const (
	// repository is where releases are downloaded from.
	repository = "https://github.com/csr-onboard/kubectl-csr-onboard"
	// imageRegistry is where images are pulled from.
	imageRegistry = "ghcr.io/csr-onboard"
)

// settings are what a release is made of.
type settings struct {
	// Root is the checkout.
	Root string
	// Version, Commit and Date are what the program says of itself. Date is the
	// commit's, and that of every file in the archives.
	Version, Commit string
	Date            time.Time
	// Out is the directory for everything, and Manifest another place for krew's manifest.
	// Optional.
	Out, Manifest string
	// URL is the address that the archives' names follow.
	URL string
	// Platforms are those to build for.
	Platforms []platform
}

// wanted are the platforms of a program that are built.
func (s settings) wanted(b program) []platform {
	return slices.DeleteFunc(slices.Clone(b.Platforms), func(p platform) bool { return !slices.Contains(s.Platforms, p) })
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
	if len(arguments) > 0 && arguments[0] == "push" {
		return push(ctx, arguments[1:])
	}
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
	flags.StringVar(&s.Out, "out", filepath.Join("..", "..", "dist"), "the directory to put everything into; what is in it is removed")
	flags.StringVar(&s.Manifest, "manifest", "", "where to put the krew manifest besides")
	flags.StringVar(&s.URL, "url", "", "the address that the archives' names follow; the release's on GitHub if not given")
	wanted := flags.String("platforms", "", "build for these only, such as linux/amd64,windows/arm64")
	if err := flags.Parse(arguments); err != nil {
		return s, err
	}
	if !isVersion.MatchString(s.Version) {
		return s, fmt.Errorf("-version %q is not a semantic version with a v before it", s.Version)
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
		return s, fmt.Errorf("-platforms %q names no platform of a release", *wanted)
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
	common, err := readCommon(ctx, s, work)
	if err != nil {
		return err
	}
	bom, err := newBillOfMaterials(ctx, s)
	if err != nil {
		return err
	}
	for _, b := range []program{plugin, controller} {
		if err := releaseProgram(ctx, s, b, common, bom, work); err != nil {
			return err
		}
	}
	if err := writeArchive(filepath.Join(s.Out, plugin.Binary+"_"+s.Version+"_man.tar.gz"), common.manPages, s.Date); err != nil {
		return err
	}
	if err := writeDeployments(s); err != nil {
		return err
	}
	sums, err := checksums(s.Out)
	if err != nil {
		return err
	}
	if err := writeManifests(s, sums); err != nil {
		return err
	}
	return writeChecksums(s.Out)
}

// releaseProgram makes the archives, SBOMs, packages and the image of a program.
func releaseProgram(ctx context.Context, s settings, b program, common common, bom *billOfMaterials, work string) error {
	wanted := s.wanted(b)
	made := make([]platformImage, len(wanted))
	// Most of the work is to compress, which one processor does at a time.
	each, ctx := errgroup.WithContext(ctx)
	each.SetLimit(runtime.NumCPU())
	for i, p := range wanted {
		each.Go(func() (err error) {
			made[i], err = releasePlatform(ctx, s, b, p, common, bom, work)
			return err
		})
	}
	if err := each.Wait(); err != nil {
		return err
	}
	images := slices.DeleteFunc(made, func(one platformImage) bool { return one.platform.OS != "linux" })
	if len(images) == 0 {
		return nil
	}
	return writeImages(s, b, images, common.license)
}

// releasePlatform makes the archive, the SBOM and the packages of a program for a platform, and
// returns what goes into an image.
func releasePlatform(ctx context.Context, s settings, b program, p platform, common common, bom *billOfMaterials, work string) (image platformImage, err error) {
	path, err := b.build(ctx, s, p, work)
	if err != nil {
		return image, err
	}
	binary, err := readFile("", path, b.file(p), 0o755)
	if err != nil {
		return image, err
	}
	document, err := bom.of(path, b, p)
	if err != nil {
		return image, err
	}
	if err := writePublic(filepath.Join(s.Out, b.base(s.Version, p)+".cdx.json"), document); err != nil {
		return image, err
	}
	if err := writeArchive(filepath.Join(s.Out, b.archive(s.Version, p)), append([]file{binary, common.license}, common.extras(b)...), s.Date); err != nil {
		return image, err
	}
	if p.OS == "linux" {
		if err := writePackages(s, b, p, binary, common, work); err != nil {
			return image, err
		}
	}
	fmt.Fprintf(os.Stderr, "%s for %s/%s\n", b.Binary, p.OS, p.Arch)
	return platformImage{p, binary, document}, nil
}

// common are files that do not depend on the platform.
type common struct {
	license, readme file
	// manPages and controllerPages are under man1/, and completions have the names that shells look
	// for.
	manPages, controllerPages, completions []file
	// shim is what kubectl runs to complete the plugin's command line.
	shim file
	// units are the systemd units of the controller.
	units []file
}

// extras are what the archives of a program hold apart from the binary and its license.
func (c common) extras(b program) []file {
	extras, pages := slices.Clone(c.units), c.controllerPages
	if b.Binary != controller.Binary {
		extras, pages = []file{c.readme, {"completions/" + c.shim.name, c.shim.data, c.shim.mode}}, c.manPages
		for _, completion := range c.completions {
			completion.name = "completions/" + completion.name
			extras = append(extras, completion)
		}
	}
	for _, page := range pages {
		page.name = "man/" + page.name
		extras = append(extras, page)
	}
	return extras
}

func readCommon(ctx context.Context, s settings, work string) (c common, err error) {
	if c.license, err = readFile(s.Root, "LICENSE", "LICENSE", 0o644); err != nil {
		return c, err
	}
	if c.readme, err = readFile(s.Root, "README.md", "README.md", 0o644); err != nil {
		return c, err
	}
	if c.manPages, err = readGlob(s.Root, "docs/man/kubectl-csr-onboard*.1", "man1/"); err != nil {
		return c, err
	}
	if c.controllerPages, err = readGlob(s.Root, "docs/man/csr-onboard-controller*.1", "man1/"); err != nil {
		return c, err
	}
	if c.units, err = readGlob(s.Root, "deploy/systemd/*.service", ""); err != nil {
		return c, err
	}
	here, err := plugin.build(ctx, s, platform{runtime.GOOS, runtime.GOARCH}, work)
	if err != nil {
		return c, err
	}
	for _, completion := range []struct{ shell, name string }{
		{"bash", plugin.Binary + ".bash"}, {"zsh", "_" + plugin.Binary}, {"fish", plugin.Binary + ".fish"}, {"powershell", plugin.Binary + ".ps1"},
	} {
		script, err := exec.CommandContext(ctx, here, "completion", completion.shell).Output()
		if err != nil {
			return c, fmt.Errorf("completion %s: %w", completion.shell, err)
		}
		c.completions = append(c.completions, file{completion.name, script, 0o644})
	}
	installed, err := exec.CommandContext(ctx, here, "completion", "install", "--dir", work).Output()
	if err != nil {
		return c, fmt.Errorf("completion install: %w", err)
	}
	path := strings.TrimSpace(string(installed))
	c.shim, err = readFile("", path, filepath.Base(path), 0o755)
	return c, err
}

// readGlob reads files of the checkout, in the order of their names, which follow a prefix.
func readGlob(root, pattern, prefix string) ([]file, error) {
	paths, err := filepath.Glob(filepath.Join(root, filepath.FromSlash(pattern)))
	if err != nil {
		return nil, err
	}
	if len(paths) == 0 {
		return nil, fmt.Errorf("%s: no file found", pattern)
	}
	var files []file
	for _, path := range paths {
		f, err := readFile("", path, prefix+filepath.Base(path), 0o644)
		if err != nil {
			return nil, err
		}
		files = append(files, f)
	}
	return files, nil
}
