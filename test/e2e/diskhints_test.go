package e2e

import (
	"os"
	"strings"
	"testing"
)

func TestDiskHints_APlaceThatCannotBeWrittenIsSaidAsWhatItIs(t *testing.T) {
	s := ending(t, "unwritable")
	if err := os.Mkdir(s.path("open"), 0o755); err != nil { //nolint:gosec // Others may read it.
		t.Fatal(err)
	}
	directory := s.admin().run("new-user", "unwritable-out", "--approve", "--dir", "D", "--out", "open")
	s.check(directory, expect{1, []string{`"open" is a directory`, "hint: it is a directory: name a file in it"}})
	s.saysNot(directory.Stderr, "chmod")
	if left := s.admin().must("list", "-o", "name").Stdout; strings.Contains(left, "unwritable-out") {
		t.Errorf("a request was made: %s", left)
	}

	s.env.Home = s.path("home")
	if err := os.MkdirAll(s.path("home", ".kube"), 0o700); err != nil {
		t.Fatal(err)
	}
	s.write("home/.kube/csr-onboard", "a file where the directory belongs")
	home := s.run("renew")
	s.check(home, expect{1, []string{"not a directory", "hint: a part of that path is a file"}})
	s.saysNot(home.Stderr, "another run")
}
