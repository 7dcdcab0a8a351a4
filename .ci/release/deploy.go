package main

import (
	"bytes"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"sigs.k8s.io/kustomize/api/filters/imagetag"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/kustomize/kyaml/filesys"
)

// imageFields are where manifests name images.
var imageFields = types.FsSlice{
	{Path: "spec/containers[]/image"}, {Path: "spec/template/spec/containers[]/image"}, {Path: "spec/template/spec/initContainers[]/image"},
}

// writeDeployments renders every kustomization of deploy/ with the image of this release by its digest:
// deploy/enforcer to deploy-enforcer.yaml. The checkout cannot have the digest, because the image
// says which commit it was built from.
func writeDeployments(s settings) error {
	if len(s.wanted(controller)) == 0 {
		return nil
	}
	digest, err := indexDigest(s.Out, controller)
	if err != nil {
		return err
	}
	image := types.Image{Name: controller.Package, NewName: imageRegistry + "/" + controller.Package, Digest: digest.String()}
	root := filepath.Join(s.Root, "deploy")
	return filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.Name() != "kustomization.yaml" {
			return err
		}
		relative, err := filepath.Rel(s.Root, filepath.Dir(path))
		if err != nil {
			return err
		}
		rendered, err := renderDeployment(filepath.Dir(path), image)
		if err != nil {
			return fmt.Errorf("%s: %w", relative, err)
		}
		name := strings.ReplaceAll(filepath.ToSlash(relative), "/", "-") + ".yaml"
		text := fmt.Sprintf("# %s of csr-onboard %s: kubectl apply -f %s\n%s", filepath.ToSlash(relative), s.Version, name, rendered)
		return writePublic(filepath.Join(s.Out, name), []byte(text))
	})
}

func renderDeployment(directory string, image types.Image) ([]byte, error) {
	options := krusty.MakeDefaultOptions()
	options.LoadRestrictions = types.LoadRestrictionsNone
	resources, err := krusty.MakeKustomizer(options).Run(filesys.MakeFsOnDisk(), directory)
	if err != nil {
		return nil, err
	}
	if err := resources.ApplyFilter(imagetag.Filter{ImageTag: image, FsSlice: imageFields}); err != nil {
		return nil, err
	}
	rendered, err := resources.AsYaml()
	if err != nil {
		return nil, err
	}
	if bytes.Contains(rendered, []byte("image: "+image.Name)) {
		return nil, fmt.Errorf("an image %s is named where it was not replaced", image.Name)
	}
	return rendered, nil
}
