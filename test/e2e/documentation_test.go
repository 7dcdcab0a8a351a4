package e2e

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/pki"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
	"github.com/csr-onboard/kubectl-csr-onboard/test/controlplane"
	"github.com/csr-onboard/kubectl-csr-onboard/test/program"
	"github.com/csr-onboard/kubectl-csr-onboard/test/program/terminal"
)

// shellBlock is what a documentation page has people type.
var shellBlock = regexp.MustCompile("(?ms)^```sh\n(.*?)^```$")

func TestDocumentation_TheShellBlocksOfTheDocumentationRun(t *testing.T) {
	t.Parallel()
	for page, text := range pages(t, "README.md", "docs/guides/*.md") {
		t.Run(page, func(t *testing.T) {
			t.Parallel()
			blocks := shellBlock.FindAllStringSubmatch(text, -1)
			if len(blocks) == 0 {
				t.Fatal("there is no shell block")
			}
			s := newSession(t, controlplane.Start(t))
			s.env.Path = append(s.env.Path, standardTools())
			authorityOf(s)
			encryptedAuthorityOf(s)
			for _, block := range blocks {
				script := strings.ReplaceAll(block[1], "--ca-fingerprint SHA256:…", strings.Join(confirmed(t, s.plane), " "))
				// Nobody outside this machine is asked.
				s.shell(strings.ReplaceAll(script, "kubernetes.example.com:6443", "127.0.0.1:1"))
			}
		})
	}
}

// pages reads the documentation's pages that patterns name, by their paths in the
// repository.
func pages(t *testing.T, patterns ...string) map[string]string {
	t.Helper()
	root := filepath.Join("..", "..")
	found := map[string]string{}
	for _, pattern := range patterns {
		paths, err := filepath.Glob(filepath.Join(root, filepath.FromSlash(pattern)))
		if err != nil || len(paths) == 0 {
			t.Fatalf("%s names no page: %v", pattern, err)
		}
		for _, path := range paths {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			page, err := filepath.Rel(root, path)
			if err != nil {
				t.Fatal(err)
			}
			found[filepath.ToSlash(page)] = string(text)
		}
	}
	return found
}

// link is a link to a place in this repository.
var link = regexp.MustCompile(`\]\(([^)#:]+)(#[^)]*)?\)`)

func TestDocumentation_TheLinksOfTheDocumentationLeadSomewhere(t *testing.T) {
	for page, text := range pages(t, "*.md", "docs/*.md", "docs/*/*.md", "plugins/*.md") {
		for _, match := range link.FindAllStringSubmatch(text, -1) {
			if _, err := os.Stat(filepath.Join("..", "..", filepath.Dir(page), match[1])); err != nil {
				t.Errorf("%s: %v", page, err)
			}
		}
	}
}

// masks are what differs between two runs of the same commands.
var masks = []struct {
	pattern *regexp.Regexp
	with    string
}{
	{regexp.MustCompile(`SHA256:[A-Za-z0-9+/]{43}`), "SHA256:…"},
	{regexp.MustCompile(`jane-[a-z0-9]{10}`), "jane-…"},
	{regexp.MustCompile(`127\.0\.0\.1:\d+`), "127.0.0.1:…"},
	{regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ`), "…"},
	{regexp.MustCompile(`(?m)^  age +\d+s$`), "  age …"},
	// What is said of the address of a control plane on the same machine, and of a
	// signer that takes a moment.
	{regexp.MustCompile(`(?m)^warning: the server address .*\n`), ""},
	{regexp.MustCompile(`(?m)^jane-… is approved, waiting for its certificate\n`), ""},
}

func masked(text string) string {
	for _, mask := range masks {
		text = mask.pattern.ReplaceAllString(text, mask.with)
	}
	return text
}

func TestDocumentation_TheRecordedSessionIsWhatTheProgramSays(t *testing.T) {
	t.Parallel()
	_, rest, found := strings.Cut(pages(t, "README.md")["README.md"], "The same as text:\n\n```console\n")
	recorded, _, _ := strings.Cut(rest, "```\n")
	if !found {
		t.Fatal("there is no recorded session")
	}
	s := newSession(t, controlplane.Start(t))
	for step := range strings.SplitSeq(strings.TrimPrefix(recorded, "$ "), "\n$ ") {
		command, want, _ := strings.Cut(step, "\n")
		got := s.shell("exec 2>&1; " + command).Stdout
		if strings.TrimSpace(masked(got)) != strings.TrimSpace(masked(want)) {
			t.Errorf("%s says\n%s\nand the README\n%s", command, masked(got), masked(want))
		}
	}
}

// standardTools is where the machine has what every POSIX shell finds, such as cat, also
// where PATH has nothing but Go.
func standardTools() string {
	cat, err := exec.LookPath("cat")
	if err != nil {
		return "/bin"
	}
	return filepath.Dir(cat)
}

// shell runs a script and expects it to succeed. What it exports does not reach
// the next one, as in another terminal.
func (s *session) shell(script string) program.Result {
	s.t.Helper()
	result := program.Run(s.t, s.env.Command(s.t.Context(), "/bin/sh", "-euc", script))
	if result.Code != 0 {
		s.t.Fatalf("exit code %d\n%s\n%s%s", result.Code, script, result.Stdout, result.Stderr)
	}
	return result
}

func TestDocumentation_TheExamplesOfTheHelpRun(t *testing.T) {
	t.Parallel()
	plane := controlplane.Start(t)
	for _, command := range []string{"", "new-user", "approve", "completion", "completion install", "credential", "deny", "doctor", "fetch", "grant", "list", "offboard", "options", "renew", "show", "sign", "status", "version"} {
		for _, example := range examplesOf(newSession(t, plane), command) {
			t.Run(example, func(t *testing.T) {
				s := newSession(t, plane)
				err := s.client().CertificatesV1().CertificateSigningRequests().DeleteCollection(context.Background(), metav1.DeleteOptions{}, metav1.ListOptions{})
				if err != nil {
					t.Fatal(err)
				}
				// Nor is anybody remembered as blocked or offboarded.
				err = s.client().CoreV1().ConfigMaps("kube-system").Delete(context.Background(), "csr-onboard-blocked", metav1.DeleteOptions{})
				if err != nil && !apierrors.IsNotFound(err) {
					t.Fatal(err)
				}
				example = prepared(s, example)
				words := wordsOf(strings.TrimPrefix(example, "kubectl csr-onboard "))
				on := ""
				if strings.Contains(example, onContexts) {
					on = " on administrator@csr-onboard"
				}
				switch question := (terminal.Turn{When: "the request of jane (dev)" + on + "?", Typed: "y\r"}); {
				case strings.Contains(example, "--watch"):
					rows := follow(s, words...)
					rows.next("NAME ", "FINDINGS")
					rows.next("jane-", "Pending")
					rows.interrupt()
					return
				case words[0] == "offboard" && strings.Contains(example, "--block"):
					question.When = "Remove this from jane" + on + "?"
					s.answer([]terminal.Turn{question}, words)
					return
				case !slices.Contains([]string{"approve", "deny", "sign"}, words[0]), strings.Contains(example, "--yes"), strings.Contains(example, "--dry-run"):
				case len(words) == 1:
					s.answer([]terminal.Turn{
						{Menu: true, When: "jane (dev)", Typed: arrowRight, Until: "[x]"},
						{Menu: true, When: "jane (dev)", Typed: "\r", Until: question.When},
						question,
					}, words)
					return
				default:
					s.answer([]terminal.Turn{question}, words)
					return
				}
				s.shell(example)
			})
		}
	}
}

// onContexts names the one cluster that there is as examples name several: test/clusters has three.
const onContexts = "--contexts administrator@csr-onboard"

// prepared makes what an example takes for granted, and fills in what it leaves
// open.
func prepared(s *session, example string) string {
	s.t.Helper()
	does := func(command string) bool { return strings.HasPrefix(example, "kubectl csr-onboard "+command) }
	example = strings.ReplaceAll(example, "--contexts dev,prod", onContexts)
	switch {
	case does("approve -f jane.csr"), does("show -f jane.csr"), does("sign jane.csr"):
		authorityOf(s)
		encryptedAuthorityOf(s)
		s.shell("kubectl csr-onboard new-user jane -g dev --offline --dir .")
	case does("fetch jane --from"):
		path := strings.TrimSpace(s.shell("kubectl csr-onboard new-user jane -g dev --offline").Stdout)
		encoded, err := os.ReadFile(path)
		if err != nil {
			s.t.Fatal(err)
		}
		parsed, err := pki.ParseRequest(encoded)
		if err != nil {
			s.t.Fatal(err)
		}
		// Bindings of the examples before make jane known, and a file does not say who sent it.
		s.shell("kubectl csr-onboard approve -f " + path + " --yes --fingerprint " + parsed.Fingerprint() + " --out jane.handoff.yaml")
		example = strings.ReplaceAll(example, "--ca-fingerprint SHA256:…", strings.Join(confirmed(s.t, s.plane), " "))
	case does("fetch jane --key"):
		s.shell("kubectl csr-onboard new-user jane -g dev --dir . --request-name jane; kubectl csr-onboard approve jane --yes")
		if err := os.Rename(s.path("jane.key"), s.path("jane.pem")); err != nil {
			s.t.Fatal(err)
		}
	case does("renew"):
		may := "--renewable"
		if strings.Contains(example, "--approve") {
			may = "--clusterrole cluster-admin"
		}
		s.shell("kubectl csr-onboard new-user jane -g dev --approve --out jane.kubeconfig " + may)
		if !strings.Contains(example, "--approve") {
			approvesRequestsOf(s.t, s.client(), "jane")
		}
		s.env.Kubeconfig = s.path("jane.kubeconfig")
	case does("credential"):
		s.shell("kubectl csr-onboard new-user jane -g dev --approve --exec")
		found, err := filepath.Glob(s.path(".kube", "csr-onboard", "jane", "credential-*"))
		if err != nil || len(found) != 1 {
			s.t.Fatalf("the credential caches are %q, %v", found, err)
		}
		example = strings.ReplaceAll(example, "credential-…", filepath.Base(found[0]))
	case does("status"):
		s.shell("kubectl csr-onboard new-user jane -g dev --approve --out jane.kubeconfig")
		s.env.Kubeconfig = s.path("jane.kubeconfig")
	case strings.Contains(example, "--filename team.yaml"):
		s.write("team.yaml", teamHeader+"- name: jane\n- name: bob\n")
	case does("new-user jane --group dev --wait"):
		approvesRequestsOf(s.t, s.client(), "administrator")
	case does("grant"):
		s.shell("kubectl csr-onboard new-user jane -g dev --approve")
	case does("offboard"):
		s.shell("kubectl csr-onboard new-user jane -g dev --approve --out jane.kubeconfig")
	case strings.Contains(example, "--context staging"):
		return strings.ReplaceAll(example, "--context staging", "--context administrator@csr-onboard")
	case strings.Contains(example, "--require-other-approver"):
		s.shell("kubectl csr-onboard new-user jane -g dev --as=other --as-group=system:masters")
	case does("approve"), does("deny"), does("fetch"), does("list"), does("show"):
		directory := ""
		if strings.Contains(example, "--dir ./jane") {
			directory = " --dir ./jane"
		}
		if does("fetch") && strings.Contains(example, onContexts) {
			s.shell("kubectl csr-onboard new-user jane -g dev " + onContexts + "; kubectl csr-onboard approve jane --yes")
			return example
		}
		printed := s.shell("kubectl csr-onboard new-user jane -g dev" + directory).Stdout
		example = strings.ReplaceAll(example, "SHA256:…", request.ReviewOf(s.object(printed)).Fingerprint)
		if does("fetch") {
			s.shell("kubectl csr-onboard approve jane --yes")
		}
	}
	return example
}

// answer runs a command at a terminal and expects it to succeed.
func (s *session) answer(turns []terminal.Turn, words []string) {
	s.t.Helper()
	if screen, code := terminal.Run(s.t, s.env, turns, words...); code != 0 {
		s.t.Errorf("exit code %d\n%s", code, screen)
	}
}

func TestDocumentation_TheGuideNamesEveryFinding(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "guides", "review.md"))
	if err != nil {
		t.Fatal(err)
	}
	refused, warnings, found := strings.Cut(string(text), "\nWarnings do not stop")
	for _, kind := range request.Catalogue() {
		section := warnings
		if kind.Severity == identity.Refused {
			section = refused
		}
		if !found || !strings.Contains(section, "\n| `"+kind.Name+"` | ") {
			t.Errorf("%s is not among the findings of its severity", kind.Name)
		}
	}
}

// quotedWord is a word of a shell command, in double quotes or without.
var quotedWord = regexp.MustCompile(`"([^"]*)"|(\S+)`)

// wordsOf splits a command as a shell would.
func wordsOf(command string) []string {
	var words []string
	for _, match := range quotedWord.FindAllStringSubmatch(command, -1) {
		words = append(words, match[1]+match[2])
	}
	return words
}

// examplesOf reads the commands under "Examples:" in a command's help.
func examplesOf(s *session, command string) []string {
	s.t.Helper()
	_, rest, found := strings.Cut(s.must(append(strings.Fields(command), "--help")...).Stdout, "\nExamples:\n")
	if !found {
		s.t.Fatalf("the help of %q has no examples", command)
	}
	section := regexp.MustCompile(`\n\n[A-Z][A-Za-z ]*:\n`).Split(rest, 2)[0]
	// An example that is wider than the terminal continues in the next line.
	section = regexp.MustCompile(` \\\n +`).ReplaceAllString(section, " ")
	var examples []string
	for _, line := range strings.Split(section, "\n") {
		if line = strings.TrimSpace(line); strings.HasPrefix(line, "kubectl ") {
			examples = append(examples, line)
		}
	}
	return examples
}
