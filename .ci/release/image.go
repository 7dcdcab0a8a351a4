package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

const (
	// imageUser is a user that is not root and owns nothing, by its number, because the image has
	// no /etc/passwd and kubelets check runAsNonRoot by the number.
	imageUser = "65532:65532"
	// sbomType is the media type of CycloneDX JSON (IANA).
	sbomType = "application/vnd.cyclonedx+json"
	// versionAnnotation names an image within its layout (OCI image specification, annotations).
	versionAnnotation = "org.opencontainers.image.ref.name"
)

// platformImage is what the image of one platform is made of.
type platformImage struct {
	platform platform
	binary   file
	sbom     []byte
}

// layoutOf is where the image of a program is, as an OCI image layout.
func layoutOf(out string, b program) string { return filepath.Join(out, "images", b.Package) }

// writeImages writes the image of a program: an index of one image a platform, each with the binary and
// its license in one layer and nothing else, and the SBOM of each, which refers to its image.
func writeImages(s settings, b program, of []platformImage, license file) error {
	path := layoutOf(s.Out, b)
	if err := os.MkdirAll(path, 0o755); err != nil { //nolint:gosec // A release is for everybody.
		return err
	}
	index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	labels := map[string]string{
		"org.opencontainers.image.title":         b.Package,
		"org.opencontainers.image.description":   b.Summary,
		"org.opencontainers.image.licenses":      "Apache-2.0",
		"org.opencontainers.image.source":        repository,
		"org.opencontainers.image.documentation": repository + "/blob/" + s.Version + "/docs/install.md",
		"org.opencontainers.image.version":       s.Version,
		"org.opencontainers.image.revision":      s.Commit,
		"org.opencontainers.image.created":       s.Date.Format(time.RFC3339),
	}
	var sboms []v1.Image
	for _, one := range of {
		image, err := imageOf(s, one, license, labels)
		if err != nil {
			return err
		}
		index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: image, Descriptor: v1.Descriptor{
			Platform: &v1.Platform{OS: one.platform.OS, Architecture: one.platform.Arch},
		}})
		sbom, err := attached(image, one.sbom)
		if err != nil {
			return err
		}
		sboms = append(sboms, sbom)
	}
	annotated, isIndex := mutate.Annotations(index, labels).(v1.ImageIndex)
	if !isIndex {
		return errors.New("an annotated index is not an index")
	}
	written, err := layout.Write(path, empty.Index)
	if err != nil {
		return err
	}
	if err := written.AppendIndex(annotated, layout.WithAnnotations(map[string]string{versionAnnotation: s.Version})); err != nil {
		return err
	}
	for _, sbom := range sboms {
		if err := written.AppendImage(sbom); err != nil {
			return err
		}
	}
	return nil
}

func imageOf(s settings, of platformImage, license file, labels map[string]string) (v1.Image, error) {
	var content bytes.Buffer
	if err := tarTo(&content, []file{of.binary, license}, s.Date); err != nil {
		return nil, err
	}
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(content.Bytes())), nil },
		tarball.WithMediaType(types.OCILayer), tarball.WithCompressedCaching)
	if err != nil {
		return nil, err
	}
	created := v1.Time{Time: s.Date}
	image, err := mutate.Append(mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON),
		mutate.Addendum{Layer: layer, MediaType: types.OCILayer, History: v1.History{Created: created, CreatedBy: "make dist", Comment: repository}})
	if err != nil {
		return nil, err
	}
	config, err := image.ConfigFile()
	if err != nil {
		return nil, err
	}
	config = config.DeepCopy()
	config.OS, config.Architecture, config.Created = of.platform.OS, of.platform.Arch, created
	config.Config = v1.Config{Entrypoint: []string{"/" + of.binary.name}, User: imageUser, Env: []string{"PATH=/"}, Labels: labels}
	return mutate.ConfigFile(image, config)
}

// attached is an SBOM as an image that refers to the image that it is about, so that registries list it
// (OCI distribution specification, referrers).
func attached(about v1.Image, sbom []byte) (v1.Image, error) {
	subject, err := partial.Descriptor(about)
	if err != nil {
		return nil, err
	}
	holder, err := mutate.AppendLayers(mutate.MediaType(empty.Image, types.OCIManifestSchema1), static.NewLayer(sbom, sbomType))
	if err != nil {
		return nil, err
	}
	referring, isImage := mutate.Subject(mutate.ConfigMediaType(holder, sbomType), *subject).(v1.Image)
	if !isImage {
		return nil, errors.New("an SBOM with a subject is not an image")
	}
	return referring, nil
}

// indexDigest is the digest by which the image of a program is pulled.
func indexDigest(out string, b program) (v1.Hash, error) {
	index, err := layout.ImageIndexFromPath(layoutOf(out, b))
	if err != nil {
		return v1.Hash{}, err
	}
	manifest, err := index.IndexManifest()
	if err != nil {
		return v1.Hash{}, err
	}
	for _, descriptor := range manifest.Manifests {
		if descriptor.MediaType.IsIndex() {
			return descriptor.Digest, nil
		}
	}
	return v1.Hash{}, fmt.Errorf("no image found in %s", layoutOf(out, b))
}

// push uploads the images of a release, under their version and with their SBOMs. It logs in as
// docker does.
func push(ctx context.Context, arguments []string) error {
	flags := flag.NewFlagSet("push", flag.ContinueOnError)
	layouts := flags.String("layouts", filepath.Join("..", "..", "dist", "images"), "the directory with the layouts")
	target := flags.String("registry", imageRegistry, "the registry, and the path in it")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	for _, b := range []program{plugin, controller} {
		if err := pushLayout(ctx, filepath.Join(*layouts, b.Package), *target+"/"+b.Package); err != nil {
			return fmt.Errorf("push %s: %w", b.Package, err)
		}
	}
	return nil
}

func pushLayout(ctx context.Context, path, to string) error {
	repository, err := name.NewRepository(to)
	if err != nil {
		return err
	}
	index, err := layout.ImageIndexFromPath(path)
	if err != nil {
		return err
	}
	manifest, err := index.IndexManifest()
	if err != nil {
		return err
	}
	options := []remote.Option{remote.WithContext(ctx), remote.WithAuthFromKeychain(authn.DefaultKeychain)}
	for _, descriptor := range manifest.Manifests {
		if descriptor.MediaType.IsIndex() {
			child, err := index.ImageIndex(descriptor.Digest)
			if err != nil {
				return err
			}
			if err := remote.WriteIndex(repository.Tag(descriptor.Annotations[versionAnnotation]), child, options...); err != nil {
				return err
			}
			fmt.Fprintf(os.Stderr, "%s:%s@%s\n", to, descriptor.Annotations[versionAnnotation], descriptor.Digest)
			continue
		}
		sbom, err := index.Image(descriptor.Digest)
		if err != nil {
			return err
		}
		if err := remote.Write(repository.Digest(descriptor.Digest.String()), sbom, options...); err != nil {
			return err
		}
	}
	return nil
}
