//go:build !linux

package main

import "github.com/csr-onboard/kubectl-csr-onboard/test/controlplane"

// apart is Linux's alone.
func apart(*controlplane.Plane) (undo func() error, _ error) { return nil, errOneProcessor }
