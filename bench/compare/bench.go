package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/csr-onboard/kubectl-csr-onboard/test/controlplane"
	"github.com/csr-onboard/kubectl-csr-onboard/test/program"
)

// settings are what a person may change.
type settings struct {
	runs, users, requests int
	picture               string
}

// few is how often something is measured that takes seconds.
func (s settings) few() int { return max(1, s.runs/10) }

// bench is where comparisons take place.
type bench struct {
	settings
	ctx  context.Context //nolint:containedctx // One run is one bench.
	home string
	// ours, least and smallest are the built programs.
	ours, least, smallest string
}

func newBench(ctx context.Context, s settings) (*bench, error) {
	home, err := os.MkdirTemp("", "csr-onboard-bench-")
	if err != nil {
		return nil, err
	}
	b := &bench{settings: s, ctx: ctx, home: home}
	if err := b.build(); err != nil {
		return nil, fmt.Errorf("%w, and %w", err, b.close())
	}
	return b, nil
}

func (b *bench) close() error { return os.RemoveAll(b.home) }

func (b *bench) build() (err error) {
	programs := filepath.Join(b.home, "bin")
	if err := os.Mkdir(programs, 0o700); err != nil {
		return err
	}
	if b.ours, err = program.Build(b.ctx, "..", programs); err != nil {
		return err
	}
	for name, path := range map[string]*string{"least": &b.least, "smallest": &b.smallest} {
		*path = filepath.Join(programs, name)
		build := exec.CommandContext(b.ctx, "go", "build", "-trimpath", "-ldflags=-s -w", "-o", *path, "./"+name)
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		if text, err := build.CombinedOutput(); err != nil {
			return fmt.Errorf("go build: %w\n%s", err, text)
		}
	}
	return nil
}

// plane starts a control plane, and makes an administrator of it with their own directory
// own. stop ends the plane; the keeper does at this process's end at the latest.
func (b *bench) plane(options ...controlplane.Option) (_ *controlplane.Plane, administrator program.Environment, stop func(), _ error) {
	plane, err := controlplane.Launch(b.ctx, append(options, controlplane.WithProgress(os.Stderr))...)
	if err != nil {
		return nil, administrator, nil, err
	}
	stop = func() { _ = plane.Stop() }
	directory, err := os.MkdirTemp(b.home, "administrator-")
	if err != nil {
		stop()
		return nil, administrator, nil, err
	}
	return plane, program.Environment{
		Path: []string{filepath.Dir(b.ours), filepath.Dir(plane.Binary(controlplane.Kubectl))},
		Home: directory, Kubeconfig: plane.Kubeconfig, Directory: directory,
	}, stop, nil
}
