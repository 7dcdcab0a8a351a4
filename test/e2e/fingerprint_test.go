package e2e

import (
	"strings"
	"testing"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
)

// TestFingerprint_OnlyAllOfItIsTheKeys gives parts of a fingerprint, and one of another key
// that begins alike, to every command that takes one.
func TestFingerprint_OnlyAllOfItIsTheKeys(t *testing.T) {
	s := newSession(t, shared)
	name := objectName(s.must("new-user", "exactly", "--dir", "D").Stdout)
	whole := request.ReviewOf(s.object("x/" + name)).Fingerprint
	s.as(requester).must("new-user", "offline-exactly", "--offline", "--dir", "D")
	inFile := s.byFingerprint("D/offline-exactly.csr")
	ofFile := inFile[len(inFile)-1]
	authority := authorityOf(s)
	otherwise := func(fingerprint string) string {
		// The last character of 43 has two bits that are zero; the one before is whole.
		at := len(fingerprint) - 2
		other := "A"
		if fingerprint[at:at+1] == other {
			other = "B"
		}
		return fingerprint[:at] + other + fingerprint[at+1:]
	}
	const noFingerprint = "not a SHA-256 fingerprint"
	for _, test := range []struct {
		about string
		cut   func(whole string) string
		code  int
		says  string
	}{
		{"nothing", func(string) string { return "" }, 2, "--fingerprint"},
		{"the prefix alone", func(string) string { return "SHA256:" }, 2, noFingerprint},
		{"the beginning", func(whole string) string { return whole[:20] }, 2, noFingerprint},
		{"all but one character", func(whole string) string { return whole[:len(whole)-1] }, 2, noFingerprint},
		{"one more character", func(whole string) string { return whole + "A" }, 2, noFingerprint},
		{"another one that begins alike", otherwise, 5, "SHA256:"},
	} {
		for command, arguments := range map[string][]string{
			"by user":    {"approve", "exactly", "--yes", "--fingerprint", test.cut(whole)},
			"by request": {"approve", name, "--yes", "--fingerprint", test.cut(whole)},
			"deny":       {"deny", "exactly", "--yes", "--fingerprint", test.cut(whole)},
			"from file":  {"approve", "-f", "D/offline-exactly.csr", "--yes", "--fingerprint", test.cut(ofFile)},
			"sign":       append([]string{"sign", "D/offline-exactly.csr", "--yes", "--fingerprint", test.cut(ofFile)}, authority...),
		} {
			result := s.run(arguments...)
			if result.Code != test.code || !strings.Contains(result.Stderr, test.says) {
				t.Errorf("%s, %s: exit code %d, want %d\n%s", test.about, command, result.Code, test.code, result.Stderr)
			}
		}
	}
	if state := request.StateOf(s.object("x/" + name)); state != request.Pending {
		t.Errorf("the request is %s", state)
	}
	if n := countRequestsOf(s, "offline-exactly-"); n != 0 {
		t.Errorf("%d requests of the file were submitted", n)
	}
	if _, exists := s.readIfThere("csr-onboard-issued.jsonl"); exists {
		t.Error("a certificate was signed")
	}
	// The name of the object is not another word for the key.
	create(t, s, "exactly-planted", identity.User{Name: "exactly"})
	s.check(s.run("approve", "exactly-planted", "--yes", "--fingerprint", whole), expect{5, []string{`no request of "exactly-planted" is for the key`}})
	s.must("approve", name, "--yes", "--fingerprint", " "+whole+" ")
}
