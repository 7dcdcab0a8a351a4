package script

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	clientauthentication "k8s.io/client-go/pkg/apis/clientauthentication/v1"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/answer"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/test/fixture"
	"github.com/csr-onboard/kubectl-csr-onboard/test/program"
)

// cache is a credential cache and the program that answers from it.
type cache struct {
	*testing.T
	directory string
	info      string
}

// newCache has given one answer already, which it keeps.
func newCache(t *testing.T) *cache {
	t.Helper()
	now := time.Now()
	return newCacheOf(t, now.Add(-time.Hour), now.Add(24*time.Hour))
}

// newCacheOf is newCache with a certificate of other times.
func newCacheOf(t *testing.T, notBefore, notAfter time.Time) *cache {
	t.Helper()
	directory := filepath.Join(t.TempDir(), "credential")
	if err := fixture.CredentialCache(directory, identity.User{Name: "jane", Groups: []string{"dev"}}, notBefore, notAfter); err != nil {
		t.Fatal(err)
	}
	c := &cache{T: t, directory: directory}
	c.answers(c.run())
	if _, err := os.Stat(c.file()); err != nil {
		t.Fatal(err)
	}
	return c
}

// file is where the answer is kept.
func (c *cache) file() string { return filepath.Join(c.directory, answer.File) }

// run runs the program as kubectl does, or with other arguments. A run that hangs is
// killed.
func (c *cache) run(arguments ...string) program.Result {
	c.Helper()
	if len(arguments) == 0 {
		arguments = []string{"credential", "--cache", c.directory}
	}
	ctx, cancel := context.WithTimeout(c.Context(), 30*time.Second)
	defer cancel()
	home := filepath.Dir(c.directory)
	command := program.Environment{Path: []string{binaries}, Home: home, Directory: home}.Command(ctx, program.Name, arguments...)
	if c.info != "" {
		command.Env = append(command.Env, answer.InfoVariable+"="+c.info)
	}
	return program.Run(c.T, command)
}

// answers asserts that a run gave the pair of the cache, and nothing else.
func (c *cache) answers(result program.Result) *clientauthentication.ExecCredential {
	c.Helper()
	var given clientauthentication.ExecCredential
	if err := json.Unmarshal([]byte(result.Stdout), &given); err != nil || result.Code != 0 || result.Stderr != "" || given.Status == nil {
		c.Fatalf("exit code %d: %v in %q\n%s", result.Code, err, result.Stdout, result.Stderr)
	}
	pair, err := tls.X509KeyPair([]byte(given.Status.ClientCertificateData), []byte(given.Status.ClientKeyData))
	if err != nil {
		c.Fatal(err)
	}
	if again := given.Status.ExpirationTimestamp; again == nil || !again.Time.Before(pair.Leaf.NotAfter) || !again.After(time.Now()) {
		c.Errorf("it is to be asked again at %v, and the certificate ends %s", again, pair.Leaf.NotAfter)
	}
	return &given
}

// replace puts other bytes where the answer is kept.
func (c *cache) replace(data []byte, mode os.FileMode) {
	c.Helper()
	if err := os.Remove(c.file()); err != nil {
		c.Fatal(err)
	}
	if err := os.WriteFile(c.file(), data, mode); err != nil {
		c.Fatal(err)
	}
	if err := os.Chmod(c.file(), mode); err != nil {
		c.Fatal(err)
	}
}

// planted is a kept answer with which nobody can log in: a command that gets it was given it
// without a look at the pair.
func planted(from, until time.Time) []byte {
	return answer.Encode([]byte(`"status":{"token":"planted"}}`), from.Unix(), until.Unix())
}

func TestCachedAnswer_AKeptAnswerIsGivenAsItIs(t *testing.T) {
	c := newCache(t)
	now := time.Now()
	c.replace(planted(now.Add(-time.Hour), now.Add(time.Hour)), 0o600)
	for _, test := range []struct{ info, version string }{
		{"", answer.V1},
		{`{"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/v1","spec":{"interactive":false}}`, answer.V1},
		{`{"apiVersion": "client.authentication.k8s.io/v1beta1", "kind": "ExecCredential", "spec": {"interactive": true}}`, answer.V1beta1},
	} {
		c.info = test.info
		want := `{"kind":"ExecCredential","apiVersion":"` + test.version + `","status":{"token":"planted"}}` + "\n"
		if result := c.run(); result.Code != 0 || result.Stdout != want || result.Stderr != "" {
			t.Errorf("%s: exit code %d: %q, want %q\n%s", test.info, result.Code, result.Stdout, want, result.Stderr)
		}
	}
}

// TestCachedAnswer_AnAnswerThatIsNotGoodIsMadeAnew puts every kind of thing where the kept answer
// is. None of it is given, and none keeps a person from their answer.
func TestCachedAnswer_AnAnswerThatIsNotGoodIsMadeAnew(t *testing.T) {
	now := time.Now()
	good := planted(now.Add(-time.Hour), now.Add(time.Hour))
	for name, spoil := range map[string]func(*cache){
		"missing":         func(c *cache) { c.replaceBy(func(string) error { return nil }) },
		"empty":           func(c *cache) { c.replace(nil, 0o600) },
		"cut off":         func(c *cache) { c.replace(good[:len(good)-1], 0o600) },
		"ended":           func(c *cache) { c.replace(planted(now.Add(-2*time.Hour), now.Add(-time.Hour)), 0o600) },
		"to begin later":  func(c *cache) { c.replace(planted(now.Add(time.Hour), now.Add(2*time.Hour)), 0o600) },
		"another version": func(c *cache) { c.replace(bytes.Replace(good, []byte("answer 1"), []byte("answer 2"), 1), 0o600) },
		"too large": func(c *cache) {
			c.replace(bytes.Replace(good, []byte("planted"), bytes.Repeat([]byte("x"), answer.Largest), 1), 0o600)
		},
		"open to others":        func(c *cache) { c.replace(good, 0o644) },
		"writable by the group": func(c *cache) { c.replace(good, 0o620) },
		"a directory":           func(c *cache) { c.replaceBy(func(path string) error { return os.Mkdir(path, 0o700) }) },
		"a link to nowhere":     func(c *cache) { c.replaceBy(func(path string) error { return os.Symlink("nowhere", path) }) },
		"a link in a circle":    func(c *cache) { c.replaceBy(func(path string) error { return os.Symlink(answer.File, path) }) },
		"a named pipe":          func(c *cache) { c.replaceBy(makePipe) },
	} {
		t.Run(name, func(t *testing.T) {
			c := newCache(t)
			spoil(c)
			for range 2 {
				if result := c.run(); strings.Contains(result.Stdout, "planted") {
					t.Errorf("it is %q", result.Stdout)
				} else {
					c.answers(result)
				}
			}
		})
	}
}

// replaceBy has something else made where the answer is kept.
func (c *cache) replaceBy(create func(path string) error) {
	c.Helper()
	if err := os.Remove(c.file()); err != nil {
		c.Fatal(err)
	}
	if err := create(c.file()); err != nil {
		c.Fatal(err)
	}
}

func TestCachedAnswer_OtherArgumentsThanKubectls(t *testing.T) {
	c := newCache(t)
	c.answers(c.run("credential", "--cache="+c.directory))
	c.answers(c.run("credential", "--cache", c.directory+"/"))
	c.answers(c.run("credential", "--cache", c.directory, "--cache", c.directory))
	for _, test := range []struct {
		code      int
		arguments []string
		says      string
	}{
		{0, []string{"credential", "--help"}, "credential plugin"},
		{2, []string{"credential", "--cache", ""}, "--cache is missing"},
		{2, []string{"credential", "--cache"}, "--cache"},
		{2, []string{"credential", "--cache", c.directory, "jane"}, "accepts no arguments"},
		{2, []string{"credential", "--cache", c.directory, "--output", "json"}, "unknown flag"},
		{1, []string{"credential", "--cache", c.directory + "-not"}, "credential not found in the cache"},
		{1, []string{"credential", "--cache", c.file()}, "credential not found in the cache"},
	} {
		result := c.run(test.arguments...)
		if result.Code != test.code || !strings.Contains(result.Stdout+result.Stderr, test.says) {
			t.Errorf("%q: exit code %d, want %d and %q\n%s%s", test.arguments, result.Code, test.code, test.says, result.Stdout, result.Stderr)
		}
		if strings.Contains(result.Stdout+result.Stderr, "PRIVATE KEY") {
			t.Errorf("%q: the key is shown", test.arguments)
		}
	}
}

func TestCachedAnswer_AnotherFormThanIsKnownIsRefused(t *testing.T) {
	c := newCache(t)
	for info, says := range map[string]string{
		`{"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/v1alpha1"}`: "neither client.authentication.k8s.io/v1 nor",
		`{"kind":"ExecCredential"`: "cannot be read as JSON",
	} {
		c.info = info
		if result := c.run(); result.Code != 2 || result.Stdout != "" || !strings.Contains(result.Stderr, says) {
			t.Errorf("%s: exit code %d: %q\n%s", info, result.Code, result.Stdout, result.Stderr)
		}
	}
	c.info = `{"apiVersion":"client.authentication.k8s.io\/v1beta1"}`
	if given := c.answers(c.run()); given.APIVersion != answer.V1beta1 {
		t.Errorf("it is %s", given.APIVersion)
	}
}

// TestCachedAnswer_ACacheThatOthersCanReadIsRefused spoils the pair itself, without which a new
// answer cannot be made.
func TestCachedAnswer_ACacheThatOthersCanReadIsRefused(t *testing.T) {
	for _, kept := range []bool{true, false} {
		c := newCache(t)
		if !kept {
			c.replaceBy(func(string) error { return nil })
		}
		if err := os.Chmod(filepath.Join(c.directory, "kubeconfig"), 0o644); err != nil { //nolint:gosec // Too open is what it is to be.
			t.Fatal(err)
		}
		result := c.run()
		if kept {
			c.answers(result)
		} else if result.Code != 1 || result.Stdout != "" || !strings.Contains(result.Stderr, "can be read by others") {
			t.Errorf("exit code %d: %q\n%s", result.Code, result.Stdout, result.Stderr)
		}
	}
}

func TestCachedAnswer_ACacheWithACertificateOfAnyTimesAnswers(t *testing.T) {
	for about, notBefore := range map[string]time.Time{
		"from 1960": time.Date(1960, 1, 1, 0, 0, 0, 0, time.UTC),
		"from 1950": time.Date(1950, 1, 1, 0, 0, 0, 0, time.UTC),
		"from 1800": time.Date(1800, 1, 1, 0, 0, 0, 0, time.UTC),
	} {
		for _, notAfter := range []time.Time{time.Date(2400, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)} {
			t.Run(about, func(t *testing.T) {
				c := newCacheOf(t, notBefore, notAfter)
				c.answers(c.run())
			})
		}
	}
}
