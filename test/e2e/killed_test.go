package e2e

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/csr-onboard/kubectl-csr-onboard/test/program"
)

// killings is how often the program is killed at a random moment.
func killings() int { return program.Times(200, 60) }

// TestKilled_KilledAtRandomMoments kills new-user and fetch --merge and their reruns at
// random moments, and lets each user's last run end: they log in, their key is the
// first one they had, and the kubeconfig has all it had.
func TestKilled_KilledAtRandomMoments(t *testing.T) {
	s := merging(t)
	before := s.load("config")
	whole := duration(t, s, "new-user", "probe", "--dir", "D", "--approve", "--merge")

	killed := 0
	var users []string
	for killed < killings() {
		user := fmt.Sprintf("killed-%d", len(users))
		users = append(users, user)
		var key string
		for range 5 {
			if s.env.KillAfter(t, time.Duration(rand.Int64N(int64(whole/2))), "new-user", user, "--dir", "D", "--approve", "--merge") { //nolint:gosec // Nothing secret.
				killed++
			}
			switch now, exists := s.readIfThere("D", user+".key"); {
			case !exists && key != "":
				t.Fatalf("%s: the key is gone", user)
			case exists && key != "" && now != key:
				t.Fatalf("%s: the key was replaced", user)
			case exists:
				key = now
			}
		}
		s.must("new-user", user, "--dir", "D", "--approve")
		for range 5 {
			if s.env.KillAfter(t, time.Duration(rand.Int64N(int64(whole/4))), "fetch", user, "--dir", "D", "--merge") { //nolint:gosec // Nothing secret.
				killed++
			}
		}
		s.must("fetch", user, "--dir", "D", "--merge")
		if now, _ := s.readIfThere("D", user+".key"); key != "" && now != key {
			t.Fatalf("%s: the key was replaced", user)
		}
		if n := countRequestsOf(s, user+"-"); n != 1 {
			t.Errorf("%s has %d requests, want 1", user, n)
		}
		whoami := s.kubectl("--context", user+"@csr-onboard", "auth", "whoami", "-o", "jsonpath={.status.userInfo.username}")
		if whoami.Stdout != user {
			t.Errorf("%s logs in as %q\n%s", user, whoami.Stdout, whoami.Stderr)
		}
	}
	t.Logf("%d runs of %d users were killed", killed, len(users))

	after := s.load("config")
	for _, user := range append(users, "probe") {
		delete(after.AuthInfos, user+"@csr-onboard")
		delete(after.Contexts, user+"@csr-onboard")
	}
	if diff := cmp.Diff(before, after); diff != "" {
		t.Errorf("the kubeconfig lost or gained something:\n%s", diff)
	}
	for _, name := range append(temporaryFiles(t, s.path("D")), temporaryFiles(t, s.env.Directory)...) {
		if strings.HasSuffix(name, ".tmp") {
			t.Errorf("%s was left", name)
		}
	}
}

// duration is how long an undisturbed run takes.
func duration(t *testing.T, s *session, arguments ...string) time.Duration {
	t.Helper()
	begin := time.Now()
	s.must(arguments...)
	return time.Since(begin)
}
