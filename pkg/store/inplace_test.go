//go:build linux

package store

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/store/guard"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/store/lock"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/store/wholefile"
)

// inNamespace runs the named test of this package again, in a mount namespace of its own
// and as root of it, with a file that is mounted by itself at the path that it gets.
func inNamespace(t *testing.T, test string) *exec.Cmd {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root can mount")
	}
	command := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+test+"$", "-test.v")
	command.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}
	command.Env = append(os.Environ(), "CSR_ONBOARD_TEST_NAMESPACE=1")
	return command
}

// mounted makes a file and mounts it over another of the given name.
func mounted(t *testing.T, name, content string) string {
	t.Helper()
	source, target := filepath.Join(t.TempDir(), "source"), filepath.Join(t.TempDir(), name)
	write(t, source, content, 0o600)
	write(t, target, "", 0o600)
	if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount(source, target, "", syscall.MS_BIND, ""); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(target, syscall.MNT_DETACH) })
	return target
}

func TestInPlace_AFileThatIsMountedByItselfIsWrittenInPlace(t *testing.T) {
	if os.Getenv("CSR_ONBOARD_TEST_NAMESPACE") == "" {
		if said, err := inNamespace(t, t.Name()).CombinedOutput(); err != nil {
			t.Errorf("%v\n%s", err, said)
		}
		return
	}
	for _, k := range []*Kind{SharedKubeconfig, UserKubeconfig, Handoff} {
		path := mounted(t, "config", "old")
		if err := CheckWritable(t.Context(), k, path); err != nil {
			t.Errorf("%s: %v", k.name, err)
		}
		if err := k.write(t.Context(), path, []byte("new, and longer")); err != nil {
			t.Errorf("%s: %v", k.name, err)
		}
		if err := k.write(t.Context(), path, []byte("short")); err != nil {
			t.Errorf("%s: %v", k.name, err)
		}
		holds(t, path, "short")
		onlyFiles(t, filepath.Dir(path), "config")
	}
	path := mounted(t, "config", "old")
	if err := syscall.Mount("", path, "", syscall.MS_BIND|syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
	if err := CheckWritable(t.Context(), SharedKubeconfig, path); err == nil || !strings.Contains(err.Error(), "read-only") {
		t.Errorf("one that is mounted read-only: %v", err)
	}
	if err := updateShared(t.Context(), path, to("new")); err == nil {
		t.Error("one that is mounted read-only was written")
	}
	holds(t, path, "old")
	onlyFiles(t, filepath.Dir(path), "config")
}

func holds(t *testing.T, path, want string) {
	t.Helper()
	if data, err := os.ReadFile(path); err != nil || string(data) != want {
		t.Errorf("%q holds %q, want %q, %v", path, data, want, err)
	}
}

// TestInPlace_AFileOfAGroupIsWrittenInPlace is a person who can write to a kubeconfig of somebody
// else's, and cannot give files away.
func TestInPlace_AFileOfAGroupIsWrittenInPlace(t *testing.T) {
	const directoryVariable = "CSR_ONBOARD_TEST_DIRECTORY"
	directory := os.Getenv(directoryVariable)
	if directory == "" {
		if os.Geteuid() != 0 {
			t.Skip("only root can be somebody else")
		}
		// Not below t.TempDir, which others cannot enter.
		directory, err := os.MkdirTemp("", "group") //nolint:usetesting // See above.
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = os.RemoveAll(directory) })
		config, guarded := filepath.Join(directory, "config"), filepath.Join(directory, "guarded")
		write(t, config, "old", 0o660)
		write(t, guarded, "old", 0o640)
		linked := filepath.Join(directory, "linked")
		write(t, linked, "old", 0o660)
		if err := os.Link(linked, filepath.Join(directory, "other")); err != nil {
			t.Fatal(err)
		}
		for path, group := range map[string]int{directory: otherUser, config: otherUser, guarded: otherUser, linked: otherUser} {
			if err := os.Chown(path, 0, group); err != nil {
				t.Fatal(err)
			}
		}
		for path, mode := range map[string]fs.FileMode{directory: 0o770, config: 0o660, guarded: 0o640} {
			if err := os.Chmod(path, mode); err != nil {
				t.Fatal(err)
			}
		}
		program := filepath.Join(directory, "test")
		if err := exec.CommandContext(t.Context(), "cp", os.Args[0], program).Run(); err != nil {
			t.Fatal(err)
		}
		command := exec.CommandContext(t.Context(), program, "-test.run=^"+t.Name()+"$", "-test.v")
		command.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: otherUser, Gid: otherUser}}
		command.Dir, command.Env = directory, append(os.Environ(), directoryVariable+"="+directory)
		if said, err := command.CombinedOutput(); err != nil {
			t.Errorf("%v\n%s", err, said)
		}
		info, err := os.Lstat(config)
		if err != nil {
			t.Fatal(err)
		}
		if owner, _, _ := guard.Ownership(info); owner != 0 || info.Mode().Perm() != 0o660 {
			t.Errorf("it belongs to %d and has mode %v", owner, info.Mode())
		}
		return
	}
	config, guarded, linked := filepath.Join(directory, "config"), filepath.Join(directory, "guarded"), filepath.Join(directory, "linked")
	if err := CheckWritable(t.Context(), SharedKubeconfig, config); err != nil {
		t.Error(err)
	}
	if err := updateShared(t.Context(), config, to("new")); err != nil {
		t.Error(err)
	}
	holds(t, config, "new")
	for path, says := range map[string]string{guarded: "permission denied", linked: "2 names"} {
		for _, change := range []func() error{
			func() error { return CheckWritable(t.Context(), SharedKubeconfig, path) },
			func() error { return updateShared(t.Context(), path, to("new")) },
		} {
			if err := change(); err == nil || !strings.Contains(err.Error(), says) {
				t.Errorf("%s: %v", path, err)
			}
		}
		holds(t, path, "old")
	}
	// A run was interrupted that had emptied the file.
	write(t, config+beforeSuffix, "new", 0o600)
	write(t, config+afterSuffix, "newest", 0o600)
	if err := os.Truncate(config, 0); err != nil {
		t.Fatal(err)
	}
	if wasIncomplete, err := RecoverFile(config); err != nil || !wasIncomplete {
		t.Errorf("%v, %v", wasIncomplete, err)
	}
	holds(t, config, "new")
	onlyFiles(t, directory, "config", "guarded", "linked", "other", "test")
}

// TestInPlace_WhatAnInterruptedRunLeftIsRecovered has every state in which a run can end that
// writes a file in place.
func TestInPlace_WhatAnInterruptedRunLeftIsRecovered(t *testing.T) {
	const before, after = "the content before", "the content after, which is longer"
	for about, test := range map[string]struct {
		now, before, after string
		want               string
		refused            bool
	}{
		"nothing":                                {"now", "", "", "now", false},
		"before the old content is kept":         {before, "", after, before, false},
		"before the file is emptied":             {before, before, after, before, false},
		"when the file is empty":                 {"", before, after, before, false},
		"in the middle":                          {after[:20], before, after, before, false},
		"in the middle of being undone":          {before[:5], before, after, before, false},
		"before the old content is removed":      {after, before, after, after, false},
		"and the file was changed since then":    {"something else", before, after, "something else", true},
		"and the new content is not kept":        {before[:7], before, "", before, false},
		"and the file is empty, without the new": {"", before, "", before, false},
		"and it was changed, and nothing after":  {"something else", before, "", "something else", true},
	} {
		t.Run(about, func(t *testing.T) {
			for name, run := range map[string]func(string) error{
				"on reading": func(path string) error {
					_, err := RecoverFile(path)
					return err
				},
				"on checking": func(path string) error { return CheckWritable(t.Context(), SharedKubeconfig, path) },
				"on changing": func(path string) error {
					return updateShared(t.Context(), path, func(existing []byte) ([]byte, error) { return existing, nil })
				},
				"on changing one's own": func(path string) error {
					return UpdateFile(t.Context(), UserKubeconfig, path, func(existing []byte) ([]byte, error) { return existing, nil })
				},
			} {
				path := filepath.Join(t.TempDir(), "config")
				write(t, path, test.now, 0o600)
				for suffix, content := range map[string]string{beforeSuffix: test.before, afterSuffix: test.after} {
					if content != "" {
						write(t, path+suffix, content, 0o600)
					}
				}
				err := run(path)
				holds(t, path, test.want)
				if !test.refused {
					if err != nil {
						t.Errorf("%s: %v", name, err)
					}
					if name != "on reading" && (Exists(path+beforeSuffix) || Exists(path+afterSuffix)) {
						t.Errorf("%s: content is left", name)
					}
					continue
				}
				if err == nil || !strings.Contains(err.Error(), "was changed after csr-onboard was interrupted") {
					t.Errorf("%s: %v", name, err)
				}
				holds(t, path+beforeSuffix, before)
			}
		})
	}
}

func TestInPlace_ContentThatSomebodyElsePutThereIsNotRecovered(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can give a file away")
	}
	path := filepath.Join(t.TempDir(), "config")
	write(t, path, "", 0o600)
	write(t, path+beforeSuffix, "planted", 0o600)
	if err := os.Chown(path+beforeSuffix, otherUser, otherUser); err != nil {
		t.Fatal(err)
	}
	if err := updateShared(t.Context(), path, to("new")); err == nil || !strings.Contains(err.Error(), "belongs to") {
		t.Error(err)
	}
	holds(t, path, "")
}

// TestInPlace_AWriteInPlaceThatIsKilledLosesNothing kills a process at random moments while it
// writes in place, and has another one continue.
func TestInPlace_AWriteInPlaceThatIsKilledLosesNothing(t *testing.T) {
	const pathVariable = "CSR_ONBOARD_TEST_PATH"
	contents := func(n int) string { return strings.Repeat(fmt.Sprintf("entry %d\n", n), 20_000) }
	if path := os.Getenv(pathVariable); path != "" {
		for n := 0; ; n++ {
			if err := updateShared(t.Context(), path, to(contents(n%10))); err != nil {
				t.Fatal(err)
			}
		}
	}
	if os.Getenv("CSR_ONBOARD_TEST_NAMESPACE") == "" {
		if said, err := inNamespace(t, t.Name()).CombinedOutput(); err != nil {
			t.Errorf("%v\n%s", err, said)
		}
		return
	}
	path := mounted(t, "config", contents(0))
	interrupted := 0
	for moment := range 100 {
		ctx, cancel := context.WithCancel(t.Context())
		command := exec.CommandContext(ctx, os.Args[0], "-test.run=^"+t.Name()+"$")
		command.Env = append(os.Environ(), pathVariable+"="+path)
		if err := command.Start(); err != nil {
			t.Fatal(err)
		}
		// Each process is given a little longer than the one before, from its first write on.
		began := time.Now()
		for !Exists(path+lock.Suffix) && time.Since(began) < 10*time.Second {
			<-time.After(time.Millisecond)
		}
		<-time.After(time.Duration(moment*137%1000) * 20 * time.Microsecond)
		cancel()
		_ = command.Wait()
		if Exists(path + beforeSuffix) {
			interrupted++
		}
		if err := updateShared(t.Context(), path, func(existing []byte) ([]byte, error) { return existing, nil }); err != nil {
			t.Fatalf("after kill %d: %v", moment, err)
		}
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		isWhole := false
		for n := range 10 {
			isWhole = isWhole || string(data) == contents(n)
		}
		if !isWhole {
			t.Fatalf("after kill %d the file holds %d bytes, %.20q", moment, len(data), data)
		}
	}
	if interrupted == 0 {
		t.Error("no process was killed while it was writing")
	}
	t.Logf("%d of 100 were killed while they were writing", interrupted)
	wholefile.RemoveAbandoned(filepath.Dir(path))
	onlyFiles(t, filepath.Dir(path), "config")
}

func TestInPlace_AFileThatWasExchangedIsNotWrittenInPlace(t *testing.T) {
	path := filepath.Join(t.TempDir(), "config")
	write(t, path, "old", 0o600)
	opened, err := readShared(path)
	if err != nil {
		t.Fatal(err)
	}
	defer opened.close()
	write(t, path+".other", "somebody else's", 0o600)
	if err := os.Rename(path+".other", path); err != nil {
		t.Fatal(err)
	}
	if err := opened.rewrite([]byte("new")); err == nil || !strings.Contains(err.Error(), "exchanged") {
		t.Error(err)
	}
	holds(t, path, "somebody else's")
	onlyFiles(t, filepath.Dir(path), "config")
}

func TestInPlace_ALockThatIsNoneIsFoundBeforeItIsTaken(t *testing.T) {
	for about, prepare := range map[string]func(path string) error{
		"a named pipe":    func(path string) error { return syscall.Mkfifo(path, 0o600) },
		"a directory":     func(path string) error { return os.Mkdir(path, 0o700) },
		"a symbolic link": func(path string) error { return os.Symlink("elsewhere", path) },
	} {
		for _, isOfLink := range []bool{false, true} {
			directory := t.TempDir()
			path, link := filepath.Join(directory, "config"), filepath.Join(directory, "link")
			write(t, path, "old", 0o600)
			if err := os.Symlink(path, link); err != nil {
				t.Fatal(err)
			}
			held := path + lock.Suffix
			if isOfLink {
				held = link + lock.Suffix
			}
			if err := prepare(held); err != nil {
				t.Fatal(err)
			}
			if err := CheckWritable(t.Context(), SharedKubeconfig, link); err == nil || !strings.Contains(err.Error(), "is not a regular file") {
				t.Errorf("%s, of the link: %v: %v", about, isOfLink, err)
			}
		}
	}
}

func TestInPlace_ALockThatIsHeldIsFoundBeforeAnythingIsSubmitted(t *testing.T) {
	path := filepath.Join(t.TempDir(), "config")
	write(t, path, "old", 0o600)
	write(t, path+lock.Suffix, "", 0o600)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := CheckWritable(ctx, SharedKubeconfig, path); err == nil || !strings.Contains(err.Error(), "config.lock") {
		t.Errorf("%v", err)
	}
	onlyFiles(t, filepath.Dir(path), "config", "config.lock")
}

// TestInPlace_ALinkIsNotFollowedToRecover has another user of a shared directory put a link where
// the file was.
func TestInPlace_ALinkIsNotFollowedToRecover(t *testing.T) {
	directory := t.TempDir()
	path, victim := filepath.Join(directory, "config"), filepath.Join(directory, "victim")
	write(t, victim, "", 0o600)
	write(t, path+beforeSuffix, "before", 0o600)
	if err := os.Symlink(victim, path); err != nil {
		t.Fatal(err)
	}
	if err := UpdateFile(t.Context(), Handoff, path, to("new")); err == nil {
		t.Error("the link was followed")
	}
	holds(t, victim, "")
}
