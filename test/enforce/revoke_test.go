package enforce

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/access"
	"github.com/csr-onboard/kubectl-csr-onboard/test/program"
)

// expect checks how a run of the plugin ended.
func expect(t *testing.T, result program.Result, code int, texts ...string) {
	t.Helper()
	if result.Code != code {
		t.Errorf("exit code %d, want %d\n%s%s", result.Code, code, result.Stdout, result.Stderr)
	}
	for _, text := range texts {
		if !strings.Contains(result.Stdout+result.Stderr, text) {
			t.Errorf("it does not say %q:\n%s%s", text, result.Stdout, result.Stderr)
		}
	}
}

var byAll = regexp.MustCompile(`^revoked the user "erik": refused by 3 of 3 API servers in \d+\.\ds\n$`)

func TestRevoke_AUserIsRefusedByEveryAPIServerAndBackAtOnce(t *testing.T) {
	kubeconfig := shared.user(t, "erik")
	shared.untilRefused(t, kubeconfig, false)
	if result := shared.must(t, "revoke", "erik", "--reason", "left \x1b[2J"); !byAll.MatchString(result.Stdout) {
		t.Errorf("%q", result.Stdout)
	}
	for _, n := range shared.nodes {
		if !isRefusedAt(t, kubeconfig, n.server) {
			t.Errorf("%s was said to refuse, and does not", n.name)
		}
	}
	list := shared.run(t, shared.plane.Kubeconfig, "revocations")
	expect(t, list, 0, `the user "erik", `, `by "administrator": left \x1b[2J`, "in force at 3 of 3 API servers:", "node-2: in force")
	var form struct {
		Items   []struct{ User, Reason, Kind string }
		Servers []struct {
			Node    string
			InForce bool
		}
	}
	if err := json.Unmarshal([]byte(shared.must(t, "revocations", "-o", "json").Stdout), &form); err != nil || len(form.Servers) != 3 || !form.Servers[2].InForce {
		t.Errorf("%+v, %v", form, err)
	}
	expect(t, shared.must(t, "unrevoke", "erik"), 0, `unrevoked the user "erik": no longer refused by 3 of 3 API servers`)
	for _, n := range shared.nodes {
		if isRefusedAt(t, kubeconfig, n.server) {
			t.Errorf("%s was said to refuse no longer, and does", n.name)
		}
	}
	expect(t, shared.must(t, "unrevoke", "erik"), 0, `the user "erik" is not revoked`)
}

func TestRevoke_OneCertificateIsRefusedAndAnotherIsNot(t *testing.T) {
	stolen, other := shared.user(t, "frida", "dev"), shared.user(t, "frida", "dev")
	expect(t, shared.must(t, "revoke", "--certificate", stolen), 0, "revoked the certificate X509SHA256=", "3 of 3")
	shared.untilRefused(t, stolen, true)
	shared.untilRefused(t, other, false)
	expect(t, shared.must(t, "unrevoke", "--certificate", stolen), 0, "no longer refused by 3 of 3")
	shared.untilRefused(t, stolen, false)
	shared.must(t, "revoke", "--credential-id", credentialID(t, other))
	shared.untilRefused(t, other, true)
	shared.untilRefused(t, stolen, false)
	shared.must(t, "unrevoke", "--credential-id", credentialID(t, other))
	shared.untilRefused(t, other, false)
}

// tokenUser makes a service account that may read config maps, and returns two tokens of it as
// files, with a kubeconfig for each.
func tokenUser(t *testing.T, c *cluster, name string) (tokens, kubeconfigs [2]string) {
	t.Helper()
	admin := c.admin(t)
	if _, err := admin.CoreV1().ServiceAccounts("default").Create(t.Context(), &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: name}}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	binding := &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "test-" + name},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "edit"},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: "default", Name: name}},
	}
	if _, err := admin.RbacV1().ClusterRoleBindings().Create(t.Context(), binding, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	for i := range tokens {
		made, err := admin.CoreV1().ServiceAccounts("default").CreateToken(t.Context(), name, &authenticationv1.TokenRequest{}, metav1.CreateOptions{})
		if err != nil {
			t.Fatal(err)
		}
		directory := t.TempDir()
		tokens[i], kubeconfigs[i] = filepath.Join(directory, "token"), filepath.Join(directory, "kubeconfig")
		if err := program.WriteWithToken(kubeconfigs[i], c.plane.Kubeconfig, made.Status.Token); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(tokens[i], []byte(made.Status.Token), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return tokens, kubeconfigs
}

func TestRevoke_OneServiceAccountTokenIsRefusedAndAnotherIsNot(t *testing.T) {
	tokens, kubeconfigs := tokenUser(t, shared, "robot")
	result := shared.must(t, "revoke", "--service-account-token", tokens[0])
	expect(t, result, 0, "revoked the service account token JTI=", "3 of 3")
	shared.untilRefused(t, kubeconfigs[0], true)
	shared.untilRefused(t, kubeconfigs[1], false)
	secret, err := os.ReadFile(tokens[0])
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range strings.Split(string(secret), ".") {
		if strings.Contains(result.Stdout+result.Stderr, part) {
			t.Error("a part of the token is printed")
		}
	}
	shared.must(t, "unrevoke", "--service-account-token", tokens[0])
	shared.untilRefused(t, kubeconfigs[0], false)
}

func TestRevoke_ARevocationEndsAtItsTime(t *testing.T) {
	kubeconfig := shared.user(t, "gerd")
	shared.must(t, "revoke", "gerd", "--until", "4s")
	shared.untilRefused(t, kubeconfig, true)
	shared.untilRefused(t, kubeconfig, false)
	expect(t, shared.run(t, shared.plane.Kubeconfig, "revoke", "gerd", "--until", "-1s"), 2, "in the past")
	expect(t, shared.run(t, shared.plane.Kubeconfig, "revoke", "gerd", "--until", "tomorrow"), 2, "neither a time nor a duration")
}

func TestRevoke_ADryRunChangesNothing(t *testing.T) {
	kubeconfig := shared.user(t, "hella")
	before := shared.listData(t)
	for _, command := range [][]string{{"revoke", "hella", "--dry-run=client"}, {"revoke", "hella", "--dry-run=server"}, {"unrevoke", "hella", "--dry-run=client"}, {"unrevoke", "hella", "--dry-run=server"}} {
		expect(t, shared.must(t, command...), 0, "dry run)")
	}
	if _, blocked := access.ListOf(shared.listData(t)).Blocks(access.Blocked{User: "hella"}); blocked {
		t.Errorf("%q became %q", before, shared.listData(t))
	}
	shared.untilRefused(t, kubeconfig, false)
}

func TestRevoke_WhoCannotBeRevokedIsRefused(t *testing.T) {
	admin := shared.plane.Kubeconfig
	boss := shared.user(t, "boss")
	if err := shared.plane.AddUser(t.Context(), "nobody", nil); err != nil {
		t.Fatal(err)
	}
	for about, test := range map[string]struct {
		kubeconfig string
		arguments  []string
		code       int
		text       string
	}{
		"nobody":                        {admin, []string{"revoke"}, 2, "exactly one of"},
		"two":                           {admin, []string{"revoke", "x", "--certificate", boss}, 2, "exactly one of"},
		"the administrator who does it": {admin, []string{"revoke", "administrator"}, 6, "would revoke yourself"},
		"the controller manager":        {admin, []string{"revoke", "system:kube-controller-manager"}, 6, "never refused"},
		"a member of system:masters":    {admin, []string{"revoke", "--certificate", admin}, 6, "system:masters"},
		"an id that is not one":         {admin, []string{"revoke", "--credential-id", "X509SHA256=1"}, 2, "invalid credential id"},
		"a file that is not a token":    {admin, []string{"revoke", "--service-account-token", boss}, 2, "not a service account token"},
		"by somebody who cannot":        {shared.plane.KubeconfigOf("nobody"), []string{"revoke", "x"}, 1, "forbidden"},
	} {
		t.Run(about, func(t *testing.T) {
			expect(t, shared.run(t, test.kubeconfig, test.arguments...), test.code, test.text)
		})
	}
}

func TestRevoke_ARevokedUserCannotEscape(t *testing.T) {
	kubeconfig := shared.user(t, "ilse")
	binding := &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "test-ilse-admin"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "cluster-admin"},
		Subjects: []rbacv1.Subject{
			{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: "ilse"},
			// So that ilse is not the last.
			{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: "another"},
		},
	}
	if _, err := shared.admin(t).RbacV1().ClusterRoleBindings().Create(t.Context(), binding, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	// What an administrator made before.
	_, robots := tokenUser(t, shared, "ilses-robot")
	shared.must(t, "revoke", "ilse")
	for about, arguments := range map[string][]string{
		"by unrevoking":                        {"unrevoke", "ilse"},
		"by another user":                      {"unrevoke", "ilse", "--as", "another"},
		"by a group":                           {"unrevoke", "ilse", "--as", "another", "--as-group", "system:masters"},
		"by a new request":                     {"new-user", "ilse2", "--approve"},
		"by a role":                            {"grant", "ilse2", "--clusterrole", "cluster-admin"},
		"by the identity of the control plane": {"unrevoke", "ilse", "--as", "system:kube-controller-manager"},
	} {
		// An impersonation that is refused says no reason on earlier releases.
		isSaid := func(text string) bool {
			return strings.Contains(text, "revoked by an administrator") || strings.Contains(text, "cannot impersonate")
		}
		if result := shared.run(t, kubeconfig, arguments...); result.Code == 0 || !isSaid(result.Stderr) {
			t.Errorf("%s: exit code %d: %s", about, result.Code, result.Stderr)
		}
	}
	// A token of a service account is another identity: it is told, and revoked by itself.
	shared.untilRefused(t, robots[0], false)
}

func TestRevoke_ANodeWithoutItsEnforcerIsNamed(t *testing.T) {
	c := on(t, 2)
	kubeconfig := c.user(t, "jonas")
	until(t, "two reports", func() bool { return len(c.reports(t)) == 2 })
	c.must(t, "revoke", "somebody")
	c.nodes[1].kill()
	result := c.run(t, c.plane.Kubeconfig, "revoke", "jonas", "--timeout", "2s")
	expect(t, result, 1, "not known to be in force at 1 of 2 API servers: node-2", "not in force at node-2: another version of the list is in force")
	if !isRefusedAt(t, kubeconfig, c.nodes[0].server) {
		t.Error("the other node does not refuse")
	}
	expect(t, c.run(t, c.plane.Kubeconfig, "revocations"), 1, "node-2: NOT in force", "node-1: in force")
	if err := c.nodes[1].start(); err != nil {
		t.Fatal(err)
	}
	expect(t, c.must(t, "revoke", "jonas", "--timeout", "20s"), 0, "refused by 2 of 2 API servers")
}

func TestRevoke_OffboardRevokesAsWell(t *testing.T) {
	kubeconfig := shared.user(t, "petra")
	expect(t, shared.must(t, "offboard", "petra", "--revoke", "--dry-run=client"), 0, `revoke the user "petra"`)
	shared.untilRefused(t, kubeconfig, false)
	result := shared.must(t, "offboard", "petra", "--revoke", "--yes")
	expect(t, result, 0, `revoked the user "petra": refused by 3 of 3 API servers`, "removed the user from clusterrolebinding")
	for _, n := range shared.nodes {
		if !isRefusedAt(t, kubeconfig, n.server) {
			t.Errorf("%s does not refuse", n.name)
		}
	}
	expect(t, shared.run(t, shared.plane.Kubeconfig, "new-user", "petra"), 6, "user-")
}

func TestRevoke_APinnedNameComesBackWithNewCertificatesOnly(t *testing.T) {
	stolen := shared.user(t, "quinn", "dev")
	shared.must(t, "revoke", "quinn", "--reason", "stolen laptop")
	refused := shared.run(t, shared.plane.Kubeconfig, "new-user", "quinn")
	expect(t, refused, 6, "user-blocked", "new-user quinn --approve --pin")
	expect(t, shared.run(t, shared.plane.Kubeconfig, "new-user", "quinn", "--approve"), 6, "user-blocked", "--approve --pin")
	expect(t, shared.run(t, shared.plane.Kubeconfig, "new-user", "quinn", "--pin"), 2, "--approve")
	fresh := filepath.Join(t.TempDir(), "quinn.kubeconfig")
	expect(t, shared.must(t, "new-user", "quinn", "-g", "dev", "--approve", "--pin", "--out", fresh), 0, "logged in")
	shared.untilRefused(t, fresh, false)
	for _, n := range shared.nodes {
		if !isRefusedAt(t, stolen, n.server) {
			t.Errorf("%s accepts the old certificate", n.name)
		}
	}
	second := filepath.Join(t.TempDir(), "quinn.kubeconfig")
	shared.must(t, "new-user", "quinn", "-g", "dev", "--approve", "--pin", "--out", second)
	shared.untilRefused(t, second, false)
	shared.untilRefused(t, fresh, false)
	expect(t, shared.must(t, "revocations"), 0, `the user "quinn" except with pinned certificates, which are in the group csr-onboard:pin:`, "stolen laptop")
	// Revoked again, none of them is of use.
	shared.must(t, "revoke", "quinn")
	for _, kubeconfig := range []string{stolen, fresh, second} {
		shared.untilRefused(t, kubeconfig, true)
	}
}

// TestRevoke_TheExamplesOfTheHelpRun runs what the help of the commands has people type.
func TestRevoke_TheExamplesOfTheHelpRun(t *testing.T) {
	home := t.TempDir()
	if err := withServer(shared.user(t, "jane"), filepath.Join(home, "jane.kubeconfig"), shared.plane.Server); err != nil {
		t.Fatal(err)
	}
	config, err := clientcmd.LoadFromFile(shared.plane.Kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	ran, context := 0, config.CurrentContext
	write(t, filepath.Join(home, "base.yaml"), read(t, shared.nodes[0].file("base.yaml")))
	for _, command := range []string{"revoke", "unrevoke", "revocations", "revocations accept", "revocations render"} {
		help := shared.must(t, append(strings.Fields(command), "--help")...).Stdout
		_, examples, _ := strings.Cut(help, "Examples:\n")
		examples, _, _ = strings.Cut(examples, "\n\n\n")
		for line := range strings.Lines(strings.ReplaceAll(examples, " \\\n      ", " ")) {
			typed, isCommand := strings.CutPrefix(strings.TrimSpace(line), "kubectl csr-onboard ")
			if !isCommand {
				continue
			}
			ran++
			typed = strings.ReplaceAll(typed, "--contexts dev,prod", "--contexts "+context)
			env := program.Environment{Path: []string{filepath.Dir(plugin), "/bin", "/usr/bin"}, Home: home, Kubeconfig: shared.plane.Kubeconfig, Directory: home}
			if result := program.Run(t, env.Command(t.Context(), "/bin/sh", "-euc", program.Name+" "+typed)); result.Code != 0 {
				t.Errorf("%s: exit code %d: %s%s", typed, result.Code, result.Stdout, result.Stderr)
			}
		}
	}
	if ran != 14 {
		t.Errorf("%d examples ran", ran)
	}
	shared.must(t, "unrevoke", "--credential-id", "JTI=9e0c7a2b-5d53-4a6f-8f3e-0f6f0c1d2e3f")
}
