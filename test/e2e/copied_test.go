package e2e

import (
	"regexp"
	"strings"
	"testing"
)

// toCopy is a command that is meant to be copied, at the end of a line.
var toCopy = regexp.MustCompile(`(?m)kubectl (?:csr-onboard|--kubeconfig) .*$`)

// copied are the commands in what the program said, in a file's comment without its mark.
func copied(t *testing.T, text string, want int) []string {
	t.Helper()
	commands := toCopy.FindAllString(text, -1)
	if len(commands) != want {
		t.Fatalf("there are %d commands to copy, want %d:\n%s", len(commands), want, text)
	}
	return commands
}

// spaced is a directory that a terminal and a shell both could make something else of.
const spaced = "her  own 50%'s files"

func TestCopied_WhatIsMeantToBeCopiedRuns(t *testing.T) {
	// What the user was told over another channel: no file says it.
	told := " " + strings.Join(confirmed(t, shared), " ")
	t.Run("online", func(t *testing.T) {
		s := newSession(t, shared)
		next := copied(t, s.must("new-user", "kopie", "--dir", spaced).Stderr, 2)
		waiting := s.run("fetch", "kopie", "--dir", spaced, "--timeout", "100ms")
		s.check(waiting, expect{124, nil})
		s.shell(next[0] + " --yes")
		for _, command := range append(copied(t, waiting.Stderr, 1), next[1]) {
			s.shell(command)
		}
		untried := s.must("fetch", "kopie", "--dir", spaced, "--verify-login=false")
		if who := s.shell(copied(t, untried.Stderr, 1)[0] + " -o jsonpath={.status.userInfo.username}").Stdout; who != "kopie" {
			t.Errorf("it logs in as %q", who)
		}
	})
	t.Run("offline", func(t *testing.T) {
		s := newSession(t, shared)
		next := copied(t, s.must("new-user", "kopia", "-g", "dev team", "--offline", "--expiration", "8h", "--dir", spaced).Stderr, 2)
		s.shell(`cd "her  own 50%'s files"; ` + next[0] + " --yes")
		s.write("kopia.handoff.yaml", string(s.read(spaced, "kopia.handoff.yaml")))
		s.shell(next[1] + told)
	})
	t.Run("the handoff's comment", func(t *testing.T) {
		s := newSession(t, shared)
		s.must("new-user", "kopio", "--offline")
		approved := s.shell("kubectl csr-onboard approve -f .kube/csr-onboard/kopio/kopio.csr --yes --out kopio.handoff.yaml")
		comment := string(s.read("kopio.handoff.yaml"))
		if !strings.Contains(comment, "\n#   kubectl csr-onboard fetch kopio ") {
			t.Errorf("the comment is\n%s", comment)
		}
		s.shell(copied(t, comment, 1)[0] + told)
		// What the administrator tells the user needs nothing added.
		s.shell(copied(t, approved.Stderr, 1)[0])
	})
	t.Run("a signed handoff's comment", func(t *testing.T) {
		s := newSession(t, shared)
		authorityOf(s)
		s.must("new-user", "kopiu", "--offline")
		s.must("sign", ".kube/csr-onboard/kopiu/kopiu.csr", "--ca-cert", "ca.crt", "--ca-key", "ca.key", "--server", shared.Server, "--certificate-authority", serverAuthority(t, s), "--yes", "--out", "kopiu.handoff.yaml")
		s.shell(copied(t, string(s.read("kopiu.handoff.yaml")), 1)[0] + told)
	})
	t.Run("a team", func(t *testing.T) {
		s := newSession(t, shared)
		s.write("our  team.csv", "name\nkopi-one\nkopi-two\n")
		next := copied(t, s.must("new-user", "-f", "our  team.csv", "--dir", spaced).Stderr, 2)
		s.must("approve", "kopi-one", "kopi-two", "--yes")
		s.shell(next[1])
	})
}
