package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/csr-onboard/kubectl-csr-onboard/test/controlplane"
)

// apart gives a plane one half of the machine's processors, and this process and the
// contenders that it starts the other, as if they were on two machines: what is measured
// then is how soon the one is served, and not what both do on one processor. undo takes
// that back for this process; the plane is to be stopped.
func apart(plane *controlplane.Plane) (undo func() error, _ error) {
	var before unix.CPUSet
	if err := unix.SchedGetaffinity(0, &before); err != nil {
		return nil, err
	}
	var ours, theirs unix.CPUSet
	seen := 0
	for processor := range len(before) * strconv.IntSize {
		if !before.IsSet(processor) {
			continue
		}
		if seen++; seen <= before.Count()/2 {
			theirs.Set(processor)
		} else {
			ours.Set(processor)
		}
	}
	if theirs.Count() == 0 {
		return nil, errOneProcessor
	}
	commands, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		return nil, err
	}
	for _, path := range commands {
		// A process may have ended meanwhile.
		if line, err := os.ReadFile(path); err == nil && bytes.Contains(line, []byte(plane.Directory)) {
			if err := bind(filepath.Dir(path), &theirs); err != nil {
				return nil, err
			}
		}
	}
	if err := bind("/proc/self", &ours); err != nil {
		return nil, err
	}
	return func() error { return bind("/proc/self", &before) }, nil
}

// bind gives every thread of a process a set of processors. Those that it makes later
// have it from them.
func bind(process string, processors *unix.CPUSet) error {
	threads, err := os.ReadDir(filepath.Join(process, "task"))
	if err != nil {
		return err
	}
	for _, thread := range threads {
		id, err := strconv.Atoi(thread.Name())
		if err != nil {
			return err
		}
		if err := unix.SchedSetaffinity(id, processors); err != nil {
			return err
		}
	}
	return nil
}
