// Command generate writes what is generated of the documentation: a page for each
// command in docs/commands, a manual page in docs/man, and in docs/schema a JSON schema for
// each form of data. With -check it writes nothing, and fails where a page is stale or missing,
// or where its command does not exist any more.
//
//	go -C docs/generate run . [-check]
package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/buildinfo"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cmd"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/controller/command"
)

func main() {
	check := flag.Bool("check", false, "write nothing, and fail where a page is stale")
	docs := flag.String("docs", "..", "the directory of the documentation")
	flag.Parse()
	if err := run(*docs, *check); err != nil {
		fmt.Fprintln(os.Stderr, "generate:", err)
		os.Exit(1)
	}
}

func run(docs string, check bool) error {
	// Defaults that depend on the machine would be in the pages.
	root, controller := cmd.Tree(buildinfo.Build{Version: "v0.0.0"}), command.Tree("v0.0.0")
	for _, one := range []*cobra.Command{root, controller} {
		one.DisableAutoGenTag = true
		one.InitDefaultHelpCmd()
	}
	stale := []string{}
	for _, kind := range []struct {
		directory string
		pages     func() (map[string][]byte, error)
	}{
		{"commands", func() (map[string][]byte, error) { return markdownPages(root) }},
		{"man", func() (map[string][]byte, error) { return manPages(root, controller) }},
		{"schema", schemas},
	} {
		pages, err := kind.pages()
		if err != nil {
			return err
		}
		directory := filepath.Join(docs, kind.directory)
		different, err := compare(directory, pages)
		if err != nil {
			return err
		}
		stale = append(stale, different...)
		if !check {
			if err := write(directory, pages); err != nil {
				return err
			}
		}
	}
	if check && len(stale) > 0 {
		return fmt.Errorf("stale, run make docs: %s", strings.Join(stale, ", "))
	}
	return nil
}

// documented are the commands that have a page.
func documented(command *cobra.Command) []*cobra.Command {
	found := []*cobra.Command{command}
	for _, child := range command.Commands() {
		if child.IsAvailableCommand() && child.Name() != "help" {
			found = append(found, documented(child)...)
		}
	}
	return found
}

func markdownPages(root *cobra.Command) (map[string][]byte, error) {
	pages := map[string][]byte{}
	var index bytes.Buffer
	index.WriteString("# Commands\n\nGenerated from the commands' own help by `make docs`.\n\n")
	for _, command := range documented(root) {
		name := strings.ReplaceAll(command.CommandPath(), " ", "_") + ".md"
		var page bytes.Buffer
		if err := doc.GenMarkdown(command, &page); err != nil {
			return nil, err
		}
		pages[name] = page.Bytes()
		fmt.Fprintf(&index, "- [%s](%s): %s\n", command.CommandPath(), name, command.Short)
	}
	pages["README.md"] = index.Bytes()
	return pages, nil
}

func manPages(roots ...*cobra.Command) (map[string][]byte, error) {
	pages := map[string][]byte{}
	var all []*cobra.Command
	for _, root := range roots {
		all = append(all, documented(root)...)
	}
	for _, command := range all {
		var page bytes.Buffer
		// The library wants a date; the page has none, so that it changes with its text only.
		undated := time.Time{}
		header := &doc.GenManHeader{
			Title: strings.ToUpper(strings.ReplaceAll(command.CommandPath(), " ", "-")), Section: "1",
			Date: &undated, Source: "kubectl csr-onboard", Manual: "kubectl plugins",
		}
		if err := doc.GenMan(command, header, &page); err != nil {
			return nil, err
		}
		name := strings.ReplaceAll(command.CommandPath(), " ", "-") + ".1"
		pages[name] = bytes.Replace(page.Bytes(), []byte(`"`+undated.Format("Jan 2006")+`"`), []byte(`""`), 1)
	}
	return pages, nil
}

// compare lists the pages of a directory that are not what they are to be.
func compare(directory string, pages map[string][]byte) ([]string, error) {
	var different []string
	for _, name := range slices.Sorted(maps.Keys(pages)) {
		path := filepath.Join(directory, name)
		switch there, err := os.ReadFile(path); {
		case errors.Is(err, fs.ErrNotExist), err == nil && !bytes.Equal(there, pages[name]):
			different = append(different, path)
		case err != nil:
			return nil, err
		}
	}
	entries, err := os.ReadDir(directory)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	for _, entry := range entries {
		if pages[entry.Name()] == nil {
			different = append(different, filepath.Join(directory, entry.Name()))
		}
	}
	return different, nil
}

// write makes a directory hold the pages and nothing else.
func write(directory string, pages map[string][]byte) error {
	if err := os.RemoveAll(directory); err != nil {
		return err
	}
	if err := os.MkdirAll(directory, 0o755); err != nil { //nolint:gosec // Documentation is for everybody.
		return err
	}
	for name, page := range pages {
		if err := os.WriteFile(filepath.Join(directory, name), page, 0o644); err != nil { //nolint:gosec // As above.
			return err
		}
	}
	return nil
}
