package e2e

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/csr-onboard/kubectl-csr-onboard/test/program"
)

// neighbor is another user of the machine, who is nobody in particular.
const neighbor = 65534

// sharedDirectory is one that everybody can write to, as /tmp.
func (s *session) sharedDirectory() string {
	s.t.Helper()
	directory := s.path("shared")
	if err := os.Mkdir(directory, 0o700); err != nil {
		s.t.Fatal(err)
	}
	if err := os.Chmod(directory, 0o777|os.ModeSticky); err != nil {
		s.t.Fatal(err)
	}
	return directory
}

// plants has the neighbor run commands in a directory.
func (s *session) plants(directory, script string) {
	s.t.Helper()
	if os.Geteuid() != 0 {
		s.t.Skip("only root can act as another user")
	}
	command := exec.CommandContext(s.t.Context(), "/bin/sh", "-ec", script)
	command.Dir = directory
	command.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: neighbor, Gid: neighbor}}
	if output, err := command.CombinedOutput(); err != nil {
		s.t.Fatalf("%v\n%s", err, output)
	}
}

// reachable lets the neighbor into the session's home, as /home/jane often does.
func (s *session) reachable() *session {
	s.t.Helper()
	for directory := s.env.Home; directory != os.TempDir() && directory != "/"; directory = filepath.Dir(directory) {
		if err := os.Chmod(directory, 0o755); err != nil { //nolint:gosec // What is in it protects itself.
			s.t.Fatal(err)
		}
	}
	return s
}

// refuses expects a command to fail with the words, before any request is submitted for a
// user.
func (s *session) refuses(user string, words []string, arguments ...string) {
	s.t.Helper()
	s.check(s.run(arguments...), expect{1, words})
	if n := countRequestsOf(s, user+"-"); n != 0 {
		s.t.Errorf("%q: there are %d requests of %s", arguments, n, user)
	}
}

// TestPlanted_APlantedCacheDirectoryIsNotUsed plants what the cache of a user is going to be called,
// which follows from what everybody knows: with a link to a kubeconfig that is to be lost,
// or to be given away.
func TestPlanted_APlantedCacheDirectoryIsNotUsed(t *testing.T) {
	s := merging(t).reachable()
	directory := s.sharedDirectory()
	victims := s.read("config")
	// The directory's name, as anybody finds it out.
	name := func(user string) string {
		t.Helper()
		probe := s.path("probe-" + user)
		s.must("new-user", user, "--dir", probe, "--approve", "--exec")
		found, err := filepath.Glob(filepath.Join(probe, "credential-*"))
		if err != nil || len(found) != 1 {
			t.Fatal(found, err)
		}
		return filepath.Base(found[0])
	}
	for about, plant := range map[string]string{
		"a-link-to-a-kubeconfig":          "mkdir -m 777 NAME && ln -s VICTIM NAME/kubeconfig",
		"a-link-in-a-private-directory":   "mkdir -m 700 NAME && ln -s VICTIM NAME/kubeconfig",
		"a-link-to-a-directory":           "ln -s $(dirname VICTIM) NAME",
		"a-directory-with-a-pipe-as-lock": "mkdir -m 777 NAME && mkfifo NAME/kubeconfig.lock",
	} {
		t.Run(about, func(t *testing.T) {
			user := "planted-" + about
			script := strings.NewReplacer("NAME", name(user), "VICTIM", s.path("config")).Replace(plant)
			s.plants(directory, script)
			// The key and the request are the user's; the cache is not.
			for _, file := range []string{user + ".key", user + ".csr"} {
				if err := os.WriteFile(filepath.Join(directory, file), s.read("probe-"+user, file), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			refused := s.run("fetch", user, "--exec", "--dir", directory, "--out", "planted.kubeconfig")
			s.check(refused, expect{1, []string{"the credential cache could not be written", "directory"}})
			if _, exists := s.readIfThere("planted.kubeconfig"); exists {
				t.Error("a kubeconfig was written that logs in from it")
			}
		})
	}
	if !bytes.Equal(s.read("config"), victims) {
		t.Error("the victim's kubeconfig was changed")
	}
}

// TestPlanted_TheCacheOfAnotherPairIsNotKept has a cache that is private, and holds a pair that is
// valid for longer: of another user, or of other groups.
func TestPlanted_TheCacheOfAnotherPairIsNotKept(t *testing.T) {
	s := newSession(t, shared)
	s.must("new-user", "kept-pair", "-g", "dev", "--dir", "D-kept-pair", "--approve", "--exec", "--expiration", "30d")
	cacheOf := func(user string) string {
		found, err := filepath.Glob(s.path("D-"+user, "credential-*", "kubeconfig"))
		if err != nil || len(found) != 1 {
			t.Fatal(found, err)
		}
		return found[0]
	}
	s.must("new-user", "kept-pair", "-g", "dev", "-g", "ops", "--dir", "D-longer", "--approve", "--exec", "--expiration", "300d")
	longer, err := os.ReadFile(cacheOf("longer"))
	if err != nil {
		t.Fatal(err)
	}
	s.must("new-user", "admin-pair", "-g", "dev", "--dir", "D-admin", "--approve", "--exec", "--expiration", "300d")
	admins, err := os.ReadFile(cacheOf("admin"))
	if err != nil {
		t.Fatal(err)
	}
	for about, pair := range map[string][]byte{"another user": admins, "other groups": longer} {
		t.Run(about, func(t *testing.T) {
			if err := os.WriteFile(cacheOf("kept-pair"), pair, 0o600); err != nil {
				t.Fatal(err)
			}
			result := s.must("fetch", "kept-pair", "--exec", "--dir", "D-kept-pair")
			if strings.Contains(result.Stderr, "valid for longer") {
				t.Errorf("it is kept:\n%s", result.Stderr)
			}
			certificate := s.certificate(filepath.Join("D-kept-pair", "kept-pair.kubeconfig"))
			if who := certificate.User(); who.Name != "kept-pair" || len(who.Groups) != 1 {
				t.Errorf("the user logs in as %v", who)
			}
		})
	}
}

// TestPlanted_AFileThatSomebodyElseCreatedGetsNoKey is about sudo in a directory for everybody.
func TestPlanted_AFileThatSomebodyElseCreatedGetsNoKey(t *testing.T) {
	s := newSession(t, shared).reachable()
	directory := s.sharedDirectory()
	s.plants(directory, "umask 077; : > x.kubeconfig; : > merged; : > c.crt; : > ln-target; ln -s ln-target x.link")
	for file, flags := range map[string][]string{
		"x.kubeconfig": {"--out", filepath.Join(directory, "x.kubeconfig")},
		"x.link":       {"--out", filepath.Join(directory, "x.link")},
		"c.crt":        {"--certificate-only", "--out", filepath.Join(directory, "c.crt")},
	} {
		words := []string{"belongs to", "uid 65534"}
		if file == "x.link" {
			words = []string{"is a symbolic link"}
		}
		s.refuses("given-away", words, append([]string{"new-user", "given-away", "--dir", "D", "--approve"}, flags...)...)
	}
	// Merged into by the person's own choice of kubeconfig: KUBECONFIG names it first.
	s.env.Kubeconfig = filepath.Join(directory, "merged") + string(os.PathListSeparator) + s.env.Kubeconfig
	s.refuses("given-away", []string{"is empty and belongs to", "uid 65534"}, "new-user", "given-away", "--dir", "D", "--approve", "--merge")
	entries, err := os.ReadDir(directory)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		info, err := entry.Info()
		if err != nil || info.Mode().IsRegular() && info.Size() != 0 {
			t.Errorf("%s: %v, %v", entry.Name(), info, err)
		}
	}
}

// A hint to change a mode would be followed by the victim, as root perhaps, and through the
// neighbor's link.
func TestPlanted_NoModeIsToBeChangedOfWhatSomebodyElseCreated(t *testing.T) {
	s := newSession(t, shared).reachable()
	directory := s.sharedDirectory()
	s.write("precious", "the victim's own")
	if err := os.Chmod(s.path("precious"), 0o644); err != nil { //nolint:gosec // Others may read it.
		t.Fatal(err)
	}
	s.plants(directory, "umask 0; ln -s "+s.path("precious")+" link; echo x > file; mkfifo pipe; echo x > mode.key; ln -s "+s.path("precious")+" link.key")
	for _, file := range []string{"link", "file", "pipe"} {
		result := s.run("new-user", "mode-of-others", "--dir", "D", "--approve", "--out", filepath.Join(directory, file))
		s.check(result, expect{1, nil})
		s.saysNot(result.Stderr, "chmod")
	}
	for _, user := range []string{"mode", "link"} {
		result := s.run("new-user", user, "--dir", directory)
		s.check(result, expect{1, nil})
		s.saysNot(result.Stderr, "chmod")
	}
	given := s.run("new-user", "mode-given", "--dir", "D", "--key", filepath.Join(directory, "mode.key"))
	s.check(given, expect{2, []string{"belongs to"}})
	s.saysNot(given.Stderr, "chmod")
	// What is the person's own gets the hint.
	s.check(s.run("new-user", "mode-own", "--dir", "D", "--approve", "--out", "precious"), expect{1, []string{"can be read by others than its owner", "chmod 600 precious"}})
}

// TestPlanted_APlantedKeyIsNotUsed puts keys that somebody else knows, or that are somebody else's,
// where the user's key is going to be.
func TestPlanted_APlantedKeyIsNotUsed(t *testing.T) {
	s := newSession(t, shared).reachable()
	directory := s.sharedDirectory()
	s.must("new-user", "attacker", "--dir", "A", "--offline")
	attackers := string(s.read("A", "attacker.key"))
	s.write("ca.key", attackers)
	s.plants(directory, "umask 077; cat > planted-key.key <<'EOF'\n"+attackers+"EOF\n")
	s.plants(directory, "ln -s "+s.path("ca.key")+" linked-key.key")
	s.refuses("planted-key", []string{"planted-key.key", "belongs to", "uid 65534"}, "new-user", "planted-key", "--dir", directory, "--approve")
	s.refuses("linked-key", []string{"linked-key.key", "is a symbolic link"}, "new-user", "linked-key", "--dir", directory, "--approve")

	// Links of one's own, by mistake: to the key of a certificate authority.
	if err := os.Mkdir(s.path("D"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("../ca.key", s.path("D", "own-link.key")); err != nil {
		t.Fatal(err)
	}
	if err := os.Link(s.path("ca.key"), s.path("D", "own-name.key")); err != nil {
		t.Fatal(err)
	}
	s.refuses("own-link", []string{"is a symbolic link"}, "new-user", "own-link", "--dir", "D", "--approve")
	s.refuses("own-name", []string{"has 2 names"}, "new-user", "own-name", "--dir", "D", "--approve")
	if err := os.Remove(s.path("D", "own-name.key")); err != nil {
		t.Fatal(err)
	}

	// A key that is named may be behind a link, and not another user's.
	s.must("new-user", "by-link", "--key", "D/own-link.key", "--dir", "E")
	if err := os.Chown(s.path("ca.key"), neighbor, -1); err != nil {
		t.Fatal(err)
	}
	s.check(s.run("new-user", "by-theft", "--key", "ca.key", "--dir", "E"), expect{2, []string{"belongs to", "uid 65534"}})

	// A directory in which others can exchange the keys of two users.
	if err := os.Chmod(directory, 0o777); err != nil { //nolint:gosec // What it is about.
		t.Fatal(err)
	}
	s.refuses("exchanged", []string{"others than its owner can write to the directory", "chmod go-w"}, "new-user", "exchanged", "--dir", directory, "--approve")
}

// TestPlanted_AnUnprivilegedUserIsNotLedByLinks is the same machine the other way round: the victim
// is not root, and the attacker's links lead into the victim's home.
func TestPlanted_AnUnprivilegedUserIsNotLedByLinks(t *testing.T) {
	s := newSession(t, shared).reachable()
	if os.Geteuid() != 0 {
		t.Skip("only root can act as two users")
	}
	const victim = 65533
	home, directory := s.path("victim"), s.sharedDirectory()
	for _, path := range []string{home, filepath.Join(home, ".kube")} {
		if err := os.Mkdir(path, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Chown(path, victim, victim); err != nil {
			t.Fatal(err)
		}
	}
	data, err := os.ReadFile(shared.Kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(home, ".kube", "config")
	if err := os.WriteFile(config, data, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(config, victim, victim); err != nil {
		t.Fatal(err)
	}
	s.plants(directory, "ln -s "+config+" led.kubeconfig; ln -s "+home+" led")
	copied := filepath.Join(directory, program.Name)
	text, err := os.ReadFile(binary)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(copied, text, 0o755); err != nil { //nolint:gosec // A program.
		t.Fatal(err)
	}
	for _, flags := range [][]string{
		{"--dir", filepath.Join(home, "D"), "--out", filepath.Join(directory, "led.kubeconfig")},
		{"--dir", filepath.Join(directory, "led")},
	} {
		environment := s.env
		environment.Home, environment.Kubeconfig, environment.Directory = home, config, home
		command := environment.Command(t.Context(), copied, append([]string{"new-user", "led", "--approve"}, flags...)...)
		command.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: victim, Gid: victim}}
		result := program.Run(t, command)
		s.check(result, expect{1, []string{"symbolic link"}})
		if now, err := os.ReadFile(config); err != nil || !bytes.Equal(now, data) {
			t.Fatalf("the victim's kubeconfig was changed: %v", err)
		}
	}
	if n := countRequestsOf(s, "led-"); n != 0 {
		t.Errorf("there are %d requests", n)
	}
}
