package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// A binary is a compiled test binary of a package with all of its mutants.
type binary struct {
	file      string
	directory string // Where its tests run.
	tests     []test
}

// A test is one of a binary's, with what it takes and the mutants that it executes.
type test struct {
	name    string
	takes   time.Duration
	reaches map[int]bool
}

// A fate is what became of a mutant.
type fate int

const (
	killed fate = iota
	survived
	notExecuted
)

// A suite is a package of tests, and the directory of its module.
type suite struct{ module, pattern string }

// judge changes one package in each of its ways and says which changes the suites notice.
func judge(root, path string, more []suite, every int) ([]mutant, []fate, error) {
	s, err := load(root, path)
	if err != nil {
		return nil, nil, err
	}
	texts, mutants, err := rewrite(s)
	if err != nil {
		return nil, nil, err
	}
	directory, err := os.MkdirTemp("", "csr-onboard-mutate-")
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = os.RemoveAll(directory) }()
	overlay, err := writeOverlay(directory, texts)
	if err != nil {
		return nil, nil, err
	}
	var binaries []binary
	for i, suite := range append([]suite{{root, s.path}}, more...) {
		built, err := build(filepath.Join(directory, strconv.Itoa(i)), overlay, suite, s.path)
		if err != nil {
			return nil, nil, err
		}
		binaries = append(binaries, built...)
	}
	for i := range binaries {
		if err := binaries[i].measure(directory); err != nil {
			return nil, nil, err
		}
	}
	mutants = slices.DeleteFunc(mutants, func(m mutant) bool { return !m.isChosen(every) })
	fates := make([]fate, len(mutants))
	var workers sync.WaitGroup
	next := make(chan int)
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for i := range next {
				fates[i] = fateOf(mutants[i].number, binaries)
			}
		})
	}
	for i := range mutants {
		next <- i
	}
	close(next)
	workers.Wait()
	return mutants, fates, nil
}

// writeOverlay writes what the compiler is to see in place of a package's files.
func writeOverlay(directory string, texts map[string][]byte) (string, error) {
	replace := map[string]string{}
	for name, text := range texts {
		replaced := filepath.Join(directory, filepath.Base(name))
		replace[name] = replaced
		if err := os.WriteFile(replaced, text, 0o600); err != nil {
			return "", err
		}
	}
	encoded, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", err
	}
	file := filepath.Join(directory, "overlay.json")
	return file, os.WriteFile(file, encoded, 0o600)
}

// build compiles the tests of a suite, if it has any that import the package.
func build(file, overlay string, s suite, path string) ([]binary, error) {
	imported, err := goCommand(s.module, "list", "-deps", "-test", s.pattern)
	if err != nil {
		return nil, err
	}
	if !slices.Contains(strings.Fields(imported), path) {
		return nil, nil
	}
	if _, err := goCommand(s.module, "test", "-c", "-vet=off", "-overlay", overlay, "-o", file, s.pattern); err != nil {
		return nil, err
	}
	if _, err := os.Stat(file); errors.Is(err, os.ErrNotExist) {
		return nil, nil // A package without tests.
	}
	directory, err := goCommand(s.module, "list", "-f", "{{.Dir}}", s.pattern)
	if err != nil {
		return nil, err
	}
	return []binary{{file: file, directory: strings.TrimSpace(directory)}}, nil
}

// measure finds what each test of a binary takes and executes, with no mutant on.
func (b *binary) measure(directory string) error {
	listed, err := exec.Command(b.file, "-test.list", ".").Output()
	if err != nil {
		return err
	}
	reached := filepath.Join(directory, "reached")
	for _, name := range strings.Fields(string(listed)) {
		if err := os.WriteFile(reached, nil, 0o600); err != nil {
			return err
		}
		began := time.Now()
		if err := b.run(time.Minute, []string{name}, "CSR_ONBOARD_MUTANTS_REACHED="+reached); err != nil {
			return fmt.Errorf("%s fails without a mutant: %w", name, err)
		}
		found := test{name, time.Since(began), map[int]bool{}}
		numbers, err := os.ReadFile(reached)
		if err != nil {
			return err
		}
		for _, number := range strings.Fields(string(numbers)) {
			n, _ := strconv.Atoi(number)
			found.reaches[n] = true
		}
		b.tests = append(b.tests, found)
	}
	return nil
}

// quick is what a test takes at most that runs before the others.
const quick = 50 * time.Millisecond

// fateOf runs the tests that execute a mutant until one fails, the quick ones first.
func fateOf(number int, binaries []binary) fate {
	result := notExecuted
	for _, isTurn := range []func(test) bool{
		func(t test) bool { return t.takes <= quick },
		func(t test) bool { return t.takes > quick },
	} {
		for _, b := range binaries {
			var names []string
			allowed := 5 * time.Second
			for _, test := range b.tests {
				if test.reaches[number] && isTurn(test) {
					names = append(names, test.name)
					allowed += 10 * test.takes
				}
			}
			if len(names) == 0 {
				continue
			}
			result = survived
			if b.run(allowed, names, fmt.Sprintf("CSR_ONBOARD_MUTANT=%d", number)) != nil {
				return killed
			}
		}
	}
	return result
}

// The most memory that tests with a mutant may use, in KiB: a mutant may well ask for all.
const memory = 4 << 20

// run runs tests by name, and stops them when they take too long.
func (b *binary) run(allowed time.Duration, names []string, variable string) error {
	pattern := "^(" + strings.Join(names, "|") + ")$"
	ctx, cancel := context.WithTimeout(context.Background(), allowed)
	defer cancel()
	command := exec.CommandContext(ctx, "sh", "-c", fmt.Sprintf(`ulimit -v %d; exec "$@"`, memory), "sh",
		b.file, "-test.failfast", "-test.run", pattern)
	command.Dir, command.WaitDelay = b.directory, time.Second
	// In CI, tests try all of their cases, which takes several times as long.
	command.Env = append(os.Environ(), "CI=", variable)
	output, err := command.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%w\n%s", err, output)
	}
	return nil
}
