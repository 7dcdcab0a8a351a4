//go:build unix

package store

import (
	"bytes"
	"context"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/store/guard"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/store/lock"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/store/wholefile"
)

// otherUser is somebody else on the machine.
const otherUser = 65534

// write writes a file of any kind in its kind's own way.
func (k *Kind) write(ctx context.Context, path string, data []byte) error {
	switch k.way {
	case creates:
		return CreateFile(k, path, data)
	case replaces:
		return k.replaceFile(new(wholefile.Directories), path, data)
	case updates, completes:
		return UpdateFile(ctx, k, path, to(string(data)))
	case shares:
		return updateShared(ctx, path, to(string(data)))
	case appends:
		return AppendLine(ctx, path, data)
	case locks:
		held, err := lock.Wait(ctx, strings.TrimSuffix(path, lock.Suffix))
		if err != nil {
			return err
		}
		return held.Release()
	}
	return fmt.Errorf("a %s cannot be written", k.name)
}

// readBack reads a file of a kind as the program does where that is the kind's use.
func (k *Kind) readBack(path string) error {
	if k.way == locks || k.way == appends {
		return nil
	}
	_, err := ReadFileOf(k, path)
	return err
}

// scene is a place where a file of a kind is to be, as an attacker has prepared it.
type scene struct {
	*testing.T
	kind *Kind
	// directory is where the file is to be, and path the file.
	directory, path string
	// elsewhere is a directory with a file of the effective user that is nobody else's
	// business.
	elsewhere, victim string
}

const (
	victimText = "the victim's\n"
	secret     = "the new secret"
)

func newScene(t *testing.T, k *Kind) *scene {
	t.Helper()
	base := t.TempDir()
	s := &scene{T: t, kind: k, directory: filepath.Join(base, "D"), elsewhere: filepath.Join(base, "home")}
	s.path, s.victim = filepath.Join(s.directory, "file"), filepath.Join(s.elsewhere, "config")
	if k.way == locks {
		s.path += lock.Suffix
	}
	for _, directory := range []string{s.directory, s.elsewhere} {
		s.must(os.Mkdir(directory, 0o700))
	}
	write(t, s.victim, victimText, 0o600)
	return s
}

func (s *scene) must(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

// giveAway makes a path somebody else's.
func (s *scene) giveAway(path string) {
	s.Helper()
	if os.Geteuid() != 0 {
		s.Skip("only root can give a file away")
	}
	s.must(os.Lchown(path, otherUser, otherUser))
}

// openTo lets others into a directory.
func (s *scene) openTo(directory string, mode fs.FileMode) {
	s.Helper()
	s.must(os.Chmod(directory, mode))
}

// attacks are what an attacker can have prepared.
var attacks = map[string]struct {
	prepare func(*scene)
	// isRefused are the kinds that must be refused there; the others are written, and safe.
	isRefused func(*Kind) bool
}{
	"a file that is not ours": {func(s *scene) {
		write(s.T, s.path, "", 0o600)
		s.giveAway(s.path)
	}, isOurs},
	"a file with content that is not ours, in a directory for everybody": {func(s *scene) {
		write(s.T, s.path, "theirs", 0o666)
		s.giveAway(s.path)
		s.openTo(s.directory, 0o777|fs.ModeSticky)
	}, func(k *Kind) bool { return k.way != locks }},
	"a symbolic link to a file": {func(s *scene) { s.must(os.Symlink(s.victim, s.path)) },
		func(k *Kind) bool { return k.way != shares }},
	"a symbolic link to nothing": {func(s *scene) { s.must(os.Symlink(filepath.Join(s.elsewhere, "new"), s.path)) },
		func(k *Kind) bool { return k.way != shares }},
	"a symbolic link that is not ours, in a directory for everybody": {func(s *scene) {
		s.must(os.Symlink(s.victim, s.path))
		s.giveAway(s.path)
		s.openTo(s.directory, 0o777|fs.ModeSticky)
	}, func(*Kind) bool { return true }},
	"a hard link": {func(s *scene) { s.must(os.Link(s.victim, s.path)) },
		func(k *Kind) bool { return k.way != shares && k.way != locks }},
	"a named pipe": {func(s *scene) { s.must(syscall.Mkfifo(s.path, 0o600)) }, func(*Kind) bool { return true }},
	"a directory":  {func(s *scene) { s.must(os.Mkdir(s.path, 0o700)) }, func(*Kind) bool { return true }},
	"a mode that lets others read and write": {func(s *scene) { write(s.T, s.path, "ours\n", 0o666) },
		func(k *Kind) bool { return k.way == appends || k.way == creates || k.isSecret && k.way != replaces }},
	"a directory that others can write to": {func(s *scene) { s.openTo(s.directory, 0o777) },
		func(k *Kind) bool { return k.place != anyPlace }},
	"a directory that the group can write to": {func(s *scene) {
		s.must(os.Chown(s.directory, -1, otherUser))
		s.openTo(s.directory, 0o770)
	}, func(k *Kind) bool { return k.place != anyPlace }},
	"a sticky directory": {func(s *scene) { s.openTo(s.directory, 0o777|fs.ModeSticky) },
		func(k *Kind) bool { return k.place == privatePlace }},
	"a directory that is not ours": {func(s *scene) { s.giveAway(s.directory) },
		func(k *Kind) bool { return k.place != anyPlace }},
	"a symbolic link to a directory": {func(s *scene) {
		s.must(os.Remove(s.directory))
		s.must(os.Symlink(s.elsewhere, s.directory))
	}, func(k *Kind) bool { return k.place == privatePlace }},
	"a symbolic link to a directory that is not ours": {func(s *scene) {
		s.must(os.Remove(s.directory))
		s.must(os.Symlink(s.elsewhere, s.directory))
		s.giveAway(s.directory)
	}, func(k *Kind) bool { return k.place != anyPlace }},
	"a directory below one that others can write to": {func(s *scene) { s.openTo(filepath.Dir(s.directory), 0o777) },
		func(k *Kind) bool { return k.place != anyPlace }},
}

// isOurs reports whether files of a kind are the program's own to create.
func isOurs(k *Kind) bool { return k.way != locks }

func TestKind_EveryFileIsRefusedOrSafeWhateverStandsInItsPlace(t *testing.T) {
	for number, k := range kinds {
		for about, attack := range attacks {
			t.Run(fmt.Sprintf("%d %s/%s", number, k.name, about), func(t *testing.T) {
				s := newScene(t, k)
				attack.prepare(s)
				wasThere := Exists(s.path)
				ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
				defer cancel()
				err := bounded(t, func() error { return k.write(ctx, s.path, []byte(secret)) })
				// A lock is waited for, whatever process has it, and what is created once is never replaced.
				wantsRefusal := attack.isRefused(k) || k.way == creates && wasThere
				if isRefused := err != nil; isRefused != wantsRefusal && k.way != locks {
					t.Errorf("refused: %v, want %v: %v", isRefused, wantsRefusal, err)
				}
				s.checkSafe(err)
				if err := bounded(t, func() error { return k.readBack(s.path) }); err == nil && k.isSecret && wasThere && !isUsable(s.path) {
					t.Error("what stands there is read")
				}
				leftovers, _ := filepath.Glob(filepath.Join(s.directory, ".*"))
				if len(leftovers) > 0 {
					t.Errorf("left: %v", leftovers)
				}
			})
		}
	}
}

// isUsable reports whether a file is the effective user's, private and with one name.
func isUsable(path string) bool {
	info, err := os.Lstat(path)
	if err != nil || !info.Mode().IsRegular() {
		return false
	}
	owner, links, _ := guard.Ownership(info)
	return owner == os.Geteuid() && links == 1 && info.Mode().Perm()&0o077 == 0
}

// bounded fails where something waits.
func bounded(t *testing.T, do func() error) error {
	t.Helper()
	done := make(chan error, 1)
	go func() { done <- do() }()
	select {
	case err := <-done:
		return err
	case <-time.After(20 * time.Second):
		t.Fatal("it waits")
		return nil
	}
}

// checkSafe asserts that nobody else can read what was written, and that nothing else was
// written to.
func (s *scene) checkSafe(err error) {
	s.Helper()
	mayChange := err == nil && s.kind.way == shares
	if data, lost := os.ReadFile(s.victim); lost != nil || string(data) != victimText && !mayChange {
		s.Errorf("the victim's file holds %q, %v", data, lost)
	}
	_ = filepath.WalkDir(filepath.Dir(s.directory), func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		data, err := os.ReadFile(path) //nolint:gosec // The test alone is here by now.
		if err != nil || !bytes.Contains(data, []byte(secret)) {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		owner, links, _ := guard.Ownership(info)
		if owner != os.Geteuid() || links != 1 {
			s.Errorf("%s holds it, belongs to %d and has %d names", path, owner, links)
		}
		if s.kind.isSecret && info.Mode().Perm() != 0o600 || info.Mode().Perm()&0o022 != 0 && s.kind.way != shares {
			s.Errorf("%s holds it, with mode %v", path, info.Mode())
		}
		return nil
	})
}

func TestKind_EveryFileIsWrittenWhereNothingIsInItsPlace(t *testing.T) {
	for _, k := range kinds {
		s := newScene(t, k)
		if err := k.write(t.Context(), s.path, []byte(secret)); err != nil {
			t.Errorf("%s: %v", k.name, err)
		}
		if mode := k.mode; k.way != locks && modeOf(t, s.path).Perm() != mode {
			t.Errorf("%s: the mode is %v, want %v", k.name, modeOf(t, s.path), mode)
		}
		if err := k.readBack(s.path); err != nil {
			t.Errorf("%s: it cannot be read again: %v", k.name, err)
		}
	}
}

// doors are the functions of the package and of those below it that open files to write to
// them, give a file a name, or have package wholefile do so. They are the ways of the kinds,
// and what those are made of.
var doors = []string{
	"store.createFile", "store.replaceFile", "store.update", "store.change", "store.replace",
	"store.open", "store.openLog", "store.tryTemporary", "store.openInPlace",
	"wholefile.Create", "wholefile.createInPlace", "wholefile.LinkTemporary", "wholefile.LinkUnnamed", "wholefile.Replace", "wholefile.writeTemporary",
	"lock.create", "lock.openFile", "lock.createTemporary", "lock.createInPlace", "lock.takeOver",
}

// TestKind_NothingIsWrittenExceptThroughAKind reads the source of the package and of those below
// it. A function that writes files in another way is not in the table above.
func TestKind_NothingIsWrittenExceptThroughAKind(t *testing.T) {
	writing := []string{"os.OpenFile", "os.Create", "os.CreateTemp", "os.WriteFile", "os.Rename", "os.Link", "os.Symlink", "unix.Open", "unix.Linkat", "unix.Rename", "windows.CreateFile", "openFile",
		"wholefile.Create", "wholefile.Replace", "wholefile.LinkTemporary", "wholefile.LinkUnnamed"}
	var sources []string
	for _, pattern := range []string{"*.go", "*/*.go"} {
		found, err := filepath.Glob(pattern)
		if err != nil || len(found) == 0 {
			t.Fatal(pattern, err)
		}
		sources = append(sources, found...)
	}
	found := map[string]bool{}
	declared := 0
	for _, source := range sources {
		if strings.HasSuffix(source, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), source, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, declaration := range file.Decls {
			ast.Inspect(declaration, func(node ast.Node) bool {
				switch node := node.(type) {
				case *ast.CallExpr:
					called := nameOfCall(node)
					function, isFunction := declaration.(*ast.FuncDecl)
					onlyReads := called == "os.OpenFile" && opensToRead(node)
					if slices.Contains(writing, called) && !onlyReads {
						door := file.Name.Name + "."
						if isFunction {
							door += function.Name.Name
						}
						if !slices.Contains(doors, door) {
							t.Errorf("%s calls %s outside of the ways of writing", source, called)
						}
						found[door] = true
					}
					if called == "kind" {
						declared++
					}
				case *ast.CompositeLit:
					if name, isName := node.Type.(*ast.Ident); isName && name.Name == "Kind" && source != "kind.go" {
						t.Errorf("%s makes a Kind that is not in the list", source)
					}
				}
				return true
			})
		}
	}
	if declared != len(kinds) || declared == 0 {
		t.Errorf("%d kinds are declared and %d are in the list", declared, len(kinds))
	}
	for _, door := range doors {
		if !found[door] {
			t.Errorf("%s writes nothing any more", door)
		}
	}
}

// nameOfCall is what a call names. The methods of wholefile.Directories that write are
// named as functions of their package, whatever their receiver is called.
func nameOfCall(call *ast.CallExpr) string {
	switch function := call.Fun.(type) {
	case *ast.Ident:
		return function.Name
	case *ast.SelectorExpr:
		receiver, isName := function.X.(*ast.Ident)
		isOfPackage := isName && slices.Contains([]string{"os", "unix", "strings", "bytes"}, receiver.Name)
		if !isOfPackage && slices.Contains([]string{"Create", "Replace", "LinkTemporary"}, function.Sel.Name) {
			return "wholefile." + function.Sel.Name
		}
		if isName {
			return receiver.Name + "." + function.Sel.Name
		}
	}
	return ""
}

// opensToRead reports whether the flags of a call of os.OpenFile begin with os.O_RDONLY.
func opensToRead(call *ast.CallExpr) bool {
	flags := call.Args[1]
	for {
		sum, isSum := flags.(*ast.BinaryExpr)
		if !isSum {
			break
		}
		flags = sum.X
	}
	selector, isSelector := flags.(*ast.SelectorExpr)
	return isSelector && selector.Sel.Name == "O_RDONLY"
}
