package revocation

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/access"
)

var update = flag.Bool("update", false, "write the golden files")

const kubeconfigPath = "/etc/kubernetes/csr-onboard/denier.kubeconfig"

func nodeAndRBAC(t *testing.T) Base {
	t.Helper()
	base, err := BaseOfModes("Node,RBAC")
	if err != nil {
		t.Fatal(err)
	}
	return base
}

func rendered(t *testing.T, options Options, entries ...access.Entry) File {
	t.Helper()
	options.Kubeconfig = kubeconfigPath
	file, err := Render(nodeAndRBAC(t), entries, options)
	if err != nil {
		t.Fatal(err)
	}
	return file
}

func TestRender_TheFileIsThatOfTheGoldenFile(t *testing.T) {
	everybody := []access.Entry{
		of("jane"), of("a'] || true || request.user in ['\\"), of("\n\x00\u202e佐藤😀"), of("system:node:worker"),
		certificateOf("bob", idOf(1)), certificateOf("", "JTI=2f6f0a44-6d5e-4a0c-9a3c-3a3b6f0d8a11"),
		pinOf("kim", groupOf(2)), pinOf("lee", ""),
	}
	for name, file := range map[string]File{
		"nobody":    rendered(t, Options{}),
		"everybody": rendered(t, Options{}, everybody...),
		"denier":    rendered(t, Options{Denier: "0a1b2c3d", Attempt: 2}, everybody...),
	} {
		path := filepath.Join("testdata", name+".golden.yaml")
		if *update {
			if err := os.WriteFile(path, file.Text, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(file.Text, want) {
			t.Errorf("%s: run go test -update, and read the difference:\n%s", name, file.Text)
		}
	}
}

func TestRender_TheFileDependsOnWhatIsOnTheListAndOnNothingElse(t *testing.T) {
	one := rendered(t, Options{}, of("jane"), certificateOf("bob", idOf(1)))
	explained := of("jane")
	explained.Details.Reason, explained.Details.By = "left", "another"
	if again := rendered(t, Options{}, certificateOf("bob", idOf(1)), explained, of("jane")); !bytes.Equal(one.Text, again.Text) || one.Mark != again.Mark {
		t.Error("the order or the details of the entries change the file")
	}
	marks := map[string]string{}
	for about, file := range map[string]File{
		"one": one, "more": rendered(t, Options{}, of("jane")), "none": rendered(t, Options{}),
		"the denier": rendered(t, Options{Denier: "0a1b2c3d"}, of("jane"), certificateOf("bob", idOf(1))),
		"a retry":    rendered(t, Options{Attempt: 1}, of("jane"), certificateOf("bob", idOf(1))),
	} {
		if other, taken := marks[file.Mark]; taken {
			t.Errorf("%s and %s have one mark", about, other)
		}
		marks[file.Mark] = about
		if MarkOf(file.Text) != file.Mark || !strings.Contains(string(file.Text), "'"+file.Mark+"'") {
			t.Errorf("%s: the mark %q is not in the file", about, file.Mark)
		}
	}
}

func TestRender_NoExpressionIsLongerThanTheAPIServerReads(t *testing.T) {
	var entries []access.Entry
	for i := range 5000 {
		entries = append(entries, certificateOf("jane", idOf(i)))
	}
	for i := range 5000 {
		entries = append(entries, of(fmt.Sprintf("%d%s", i, strings.Repeat("\x01", 100))))
	}
	for i := range 2000 {
		entries = append(entries, pinOf(fmt.Sprintf("pinned-%d", i), groupOf(byte(i))))
	}
	file := rendered(t, Options{}, entries...)
	parsed, err := parse(file.Text)
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range parsed.Authorizers {
		if a.Webhook == nil {
			continue
		}
		if size := len(a.Webhook.MatchConditions[0].Expression); size > largestExpression {
			t.Errorf("%s has an expression of %d characters", a.Name, size)
		}
	}
	for _, entry := range entries {
		name := quote(entry.Blocked.User)
		if entry.Blocked.User == "" {
			name = quote(entry.Blocked.CredentialID)
		}
		if encoded := strings.ReplaceAll(name, `\`, `\\`); !bytes.Contains(file.Text, []byte(encoded)) {
			t.Fatalf("%s is not in the file", name)
		}
	}
}

func TestRender_WhatWasNotCheckedIsNotRendered(t *testing.T) {
	for about, entry := range map[string]access.Entry{
		"the control plane": of("system:kube-scheduler"), "an invalid id": certificateOf("jane", "X509SHA256='"), "nobody": {},
	} {
		if _, err := Render(nodeAndRBAC(t), []access.Entry{entry}, Options{Kubeconfig: kubeconfigPath}); err == nil {
			t.Errorf("%s was rendered", about)
		}
	}
	if _, err := Render(nodeAndRBAC(t), nil, Options{Kubeconfig: "denier.kubeconfig"}); err == nil {
		t.Error("a relative path was rendered")
	}
	if _, err := Render(Base{}, nil, Options{Kubeconfig: kubeconfigPath}); err == nil {
		t.Error("no base was rendered")
	}
}

// TestRender_ANameWithAMarkInItIsRevokedLikeAnyOther is for names that a user can choose: the mark of a file stays
// what it is, and nobody else on the list is less revoked.
func TestRender_ANameWithAMarkInItIsRevokedLikeAnyOther(t *testing.T) {
	mark := markPrefix + strings.Repeat("0", markDigits)
	for _, name := range []string{"jane " + mark, "a" + markPrefix, " " + mark + mark} {
		for about, entries := range map[string][]access.Entry{
			"a user": {of(name)}, "a pin": {pinOf(name, groupOf(1))}, "both, and others": {of(name), pinOf(name, ""), of("mallory"), certificateOf(name, idOf(1))},
		} {
			if err := Check(entries[0]); err != nil {
				t.Fatal(err)
			}
			for _, options := range []Options{{Kubeconfig: kubeconfigPath}, {Kubeconfig: kubeconfigPath, Denier: "0a1b2c3d", Attempt: 2}} {
				file, err := Render(nodeAndRBAC(t), entries, options)
				if err != nil {
					t.Errorf("%s, %q: %v", about, name, err)
					continue
				}
				if err := CheckFile(file.Text); err != nil || MarkOf(file.Text) != file.Mark || RefusesNobody(file.Text) || bytes.Count(file.Text, []byte(markPrefix)) != 1 {
					t.Errorf("%s, %q: %v, the mark is %q, not %q", about, name, err, MarkOf(file.Text), file.Mark)
				}
			}
		}
	}
	if _, err := Render(nodeAndRBAC(t), nil, Options{Kubeconfig: "/" + mark}); err == nil || !strings.Contains(err.Error(), "must not contain") {
		t.Errorf("a path with a mark: %v", err)
	}
	if !RefusesNobody(rendered(t, Options{}).Text) {
		t.Error("a file without entries refuses somebody")
	}
}

func TestRender_AFileThatWasChangedIsNotOurs(t *testing.T) {
	whole := string(rendered(t, Options{}, of("jane"), certificateOf("bob", idOf(1))).Text)
	if err := CheckFile([]byte(whole)); err != nil {
		t.Fatal(err)
	}
	for i := range whole {
		if CheckFile([]byte(whole[:i])) == nil {
			t.Errorf("a file that is cut off after %d bytes is taken for whole", i)
		}
	}
	for about, text := range map[string]string{
		"another user":       strings.Replace(whole, "'jane'", "'joan'", 1),
		"no RBAC":            strings.Replace(whole, `"type": "RBAC"`, `"type": "AlwaysAllow"`, 1),
		"a comment":          whole + "# more\n",
		"another file":       "apiVersion: apiserver.config.k8s.io/v1\nkind: AuthorizationConfiguration\nauthorizers: [{type: RBAC, name: rbac}]\n",
		"an unknown field":   strings.Replace(whole, `"name": "rbac"`, `"name": "rbac", "x": 1`, 1),
		"another mark":       strings.Replace(whole, MarkOf([]byte(whole)), markPrefix+strings.Repeat("0", 32), 1),
		"something else":     "hello",
		"an authorizer less": strings.Split(whole, `"authorizers"`)[0] + `"authorizers": [{"type": "RBAC","name": "rbac"}]}`,
	} {
		if CheckFile([]byte(text)) == nil {
			t.Errorf("%s: the file is taken for ours", about)
		}
	}
}

func TestBase_WhatTheAPIServerHasIsKept(t *testing.T) {
	const text = `apiVersion: apiserver.config.k8s.io/v1beta1
kind: AuthorizationConfiguration
authorizers:
- type: Webhook
  name: policy.example.com
  webhook:
    authorizedTTL: 1m
    cacheUnauthorizedRequests: false
    timeout: 3s
    subjectAccessReviewVersion: v1
    matchConditionSubjectAccessReviewVersion: v1
    failurePolicy: NoOpinion
    connectionInfo: {type: KubeConfigFile, kubeConfigFile: /etc/policy.kubeconfig}
    matchConditions:
    - expression: "request.user != 'x' && has(request.resourceAttributes) /* é\t */"
- {type: Node, name: node}
- {type: RBAC, name: rbac}
`
	base, err := ParseBase([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	file, err := Render(base, []access.Entry{of("jane")}, Options{Kubeconfig: kubeconfigPath})
	if err != nil {
		t.Fatal(err)
	}
	again, err := ParseBase(file.Text)
	if err != nil {
		t.Fatal(err)
	}
	for _, one := range []Base{base, again} {
		encoded, err := one.Encode()
		if err != nil {
			t.Fatal(err)
		}
		for _, kept := range []string{"v1beta1", "policy.example.com", `"1m0s"`, `"cacheUnauthorizedRequests": false`, `request.user != 'x' && has(request.resourceAttributes) /* é\t */`, "/etc/policy.kubeconfig", `"node"`, `"rbac"`} {
			if !bytes.Contains(encoded, []byte(kept)) {
				t.Errorf("%s is missing from\n%s", kept, encoded)
			}
		}
		if bytes.Contains(encoded, []byte("jane")) {
			t.Errorf("the base has an entry:\n%s", encoded)
		}
	}
	if missing := nodeAndRBAC(t).Missing(base); len(missing) != 0 {
		t.Errorf("missing %q", missing)
	}
	if missing := (Base{authorizers: base.authorizers[:2]}).Missing(base); fmt.Sprint(missing) != "[RBAC]" {
		t.Errorf("missing %q", missing)
	}
}

// TestRender_TheHeaderIsTrueWithoutAnEnforcer is for files that administrators distribute with their own tools, and for
// base.yaml, which nothing replaces.
func TestRender_TheHeaderIsTrueWithoutAnEnforcer(t *testing.T) {
	encoded, err := nodeAndRBAC(t).Encode()
	if err != nil {
		t.Fatal(err)
	}
	for text, unwanted := range map[string]string{string(rendered(t, Options{}).Text): "Written by csr-onboard-controller enforce", string(encoded): "replace"} {
		if header, _, _ := strings.Cut(text, "{"); strings.Contains(header, unwanted) || !strings.HasPrefix(header, "# ") {
			t.Errorf("%q", header)
		}
	}
	if !nodeAndRBAC(t).IsIn(append([]byte("# Written by an earlier version.\n"), encoded...)) || nodeAndRBAC(t).IsIn([]byte("{")) {
		t.Error("a base is not told from another one")
	}
}

func TestBase_WhatTheAPIServerWouldRejectIsRefused(t *testing.T) {
	webhookWith := func(change string) string {
		fields := map[string]string{
			"timeout": "3s", "subjectAccessReviewVersion": "v1", "failurePolicy": "Deny",
			"connectionInfo": "{type: KubeConfigFile, kubeConfigFile: /k}", "matchConditionSubjectAccessReviewVersion": "v1",
		}
		name, value, _ := strings.Cut(change, "=")
		fields[name] = value
		text := "- type: Webhook\n  name: w\n  webhook:\n"
		for field, content := range fields {
			text += "    " + field + ": " + content + "\n"
		}
		return text
	}
	for about, authorizers := range map[string]string{
		"none":                        "[]",
		"an unknown type":             "[{type: Magic, name: magic}]",
		"another name":                "[{type: RBAC, name: other}]",
		"one twice":                   "[{type: RBAC, name: rbac}, {type: RBAC, name: rbac}]",
		"a field that is not known":   "[{type: RBAC, name: rbac, x: y}]",
		"a field twice":               "[{type: RBAC, name: rbac, name: rbac}]",
		"a webhook without a webhook": "[{type: Webhook, name: w}]",
		"a name that is not one":      "[{type: Webhook, name: W_}]",
	} {
		text := "apiVersion: apiserver.config.k8s.io/v1\nkind: AuthorizationConfiguration\nauthorizers: " + authorizers
		if base, err := ParseBase([]byte(text)); err == nil {
			t.Errorf("%s: accepted as %s", about, base)
		}
	}
	for change, want := range map[string]string{
		"timeout=0s":                    "the timeout must be more than 0s and at most 30s",
		"timeout=31s":                   "the timeout must be more than 0s and at most 30s",
		"authorizedTTL=-1s":             "a TTL must be more than 0s",
		"unauthorizedTTL=0s":            "a TTL must be more than 0s",
		"subjectAccessReviewVersion=v2": "subjectAccessReviewVersion must be v1 or v1beta1",
		"matchConditionSubjectAccessReviewVersion=v2":                                       "matchConditionSubjectAccessReviewVersion must be v1",
		`failurePolicy=""`:                                                                  "failurePolicy must be NoOpinion or Deny",
		"connectionInfo={type: InClusterConfig}":                                            "connectionInfo must have the type KubeConfigFile and an absolute path",
		"connectionInfo={type: KubeConfigFile, kubeConfigFile: k}":                          "connectionInfo must have the type KubeConfigFile and an absolute path",
		`connectionInfo={type: KubeConfigFile, kubeConfigFile: "/k\u0085"}`:                 "an expression or a path has an invalid character",
		`matchConditions=[{expression: " "}]`:                                               "an expression is empty, or is written twice",
		`matchConditions=[{expression: "true"}, {expression: "true"}]`:                      "an expression is empty, or is written twice",
		`matchConditions=[{expression: "'\ufeff' == ''"}]`:                                  "an expression or a path has an invalid character",
		"matchConditions=[" + strings.Repeat(`{expression: "true"}, `, 65) + "]":            "at most 64 matchConditions are possible",
		"matchConditionSubjectAccessReviewVersion=\n    matchConditions: [{expression: a}]": "matchConditionSubjectAccessReviewVersion must be v1",
	} {
		text := "apiVersion: apiserver.config.k8s.io/v1\nkind: AuthorizationConfiguration\nauthorizers:\n" + webhookWith(change)
		if base, err := ParseBase([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %s, %v", change, base, err)
		}
	}
	if base, err := ParseBase([]byte("apiVersion: apiserver.config.k8s.io/v1\nkind: AuthorizationConfiguration\nauthorizers:\n" + webhookWith("timeout=3s"))); err != nil || base.String() != "Webhook w" {
		t.Errorf("%s, %v", base, err)
	}
	for _, text := range []string{"", "x", "kind: AuthorizationConfiguration", "apiVersion: apiserver.config.k8s.io/v1alpha1\nkind: AuthorizationConfiguration\nauthorizers: [{type: RBAC, name: rbac}]"} {
		if _, err := ParseBase([]byte(text)); err == nil {
			t.Errorf("%q is accepted", text)
		}
	}
	for _, modes := range []string{"", "Node,Node", "Node,RBAC,Webhook", "node", "Node, RBAC"} {
		if base, err := BaseOfModes(modes); err == nil {
			t.Errorf("the modes %q are accepted as %s", modes, base)
		}
	}
}

func TestReport_WhatIsReportedIsRead(t *testing.T) {
	list := listWith(t, nil, of("jane"))
	report := Report{Node: "one", Version: "v1", List: list.Digest(), File: "abc", Entries: 1, ProvenUntil: now, APIServer: "sha256:1", Renewed: now,
		Problems: []string{strings.Repeat("é", 400)}}
	for range 30 {
		report.Problems = append(report.Problems, "more")
	}
	lease, err := report.Lease()
	if err != nil {
		t.Fatal(err)
	}
	read, isReport := ReportOf(lease)
	if !isReport || len(read.Problems) != mostReported || len(read.Problems[0]) > longestReported || !proves(read, list, now) {
		t.Fatalf("%v %+v", isReport, read)
	}
	if proves(read, listWith(t, nil, of("bob")), now) || proves(read, list, now.Add(time.Hour)) {
		t.Error("a report proves another list, or for ever")
	}
	lease.Annotations = nil
	if read, isReport := ReportOf(lease); !isReport || proves(read, list, now) || len(read.Problems) == 0 {
		t.Errorf("a report that cannot be read: %v %+v", isReport, read)
	}
	lease.Labels = nil
	if _, isReport := ReportOf(lease); isReport {
		t.Error("somebody else's Lease is taken for a report")
	}
}

func proves(report Report, list access.List, at time.Time) bool {
	return InForce(Coverage(list, []Report{report}, nil, at)) == 1
}

func TestCoverage_AnAPIServerWithoutAProofIsNotCovered(t *testing.T) {
	list, jane := listWith(t, nil, of("jane")), access.Blocked{User: "jane"}
	good := Report{Node: "one", APIServer: "sha256:1", List: list.Digest(), ProvenUntil: now, Renewed: now}
	with := func(change func(*Report)) []Report {
		report := good
		change(&report)
		return []Report{report}
	}
	one, two := APIServer{Name: "a", ID: "sha256:1", Host: "host-1", Seen: now}, APIServer{Name: "b", ID: "sha256:2", Host: "two", Seen: now}
	for about, test := range map[string]struct {
		reports []Report
		servers []APIServer
		why     []string
	}{
		"in force":                        {[]Report{good}, []APIServer{one}, []string{""}},
		"no API server says that it runs": {[]Report{good}, nil, []string{""}},
		"an API server without enforcer":  {[]Report{good}, []APIServer{one, two}, []string{"", "no enforcer reports"}},
		"one that is silent":              {[]Report{good}, []APIServer{one, {Name: "b", ID: "sha256:2", Host: "two", Seen: now.Add(-time.Hour)}}, []string{"", "; the API server was last seen 1h0m0s ago"}},
		"an enforcer by the node's name":  {with(func(r *Report) { r.APIServer, r.Node = "", "two" }), []APIServer{two}, []string{""}},
		"an enforcer of no known one":     {with(func(r *Report) { r.APIServer = "" }), []APIServer{one}, []string{""}},
		"one for two":                     {with(func(r *Report) { r.APIServer = "" }), []APIServer{one, two}, []string{"", "no enforcer reports"}},
		"a dead enforcer":                 {with(func(r *Report) { r.Renewed = now.Add(-time.Hour) }), []APIServer{one}, []string{"has not reported for 1h0m0s"}},
		"a wrong clock here":              {with(func(r *Report) { r.Renewed = now.Add(time.Hour) }), []APIServer{{ID: "sha256:1", Seen: now.Add(time.Hour)}}, []string{""}},
		"nothing proven":                  {with(func(r *Report) { r.ProvenUntil = time.Time{}; r.Problems = []string{"disk full\x1b"} }), []APIServer{one}, []string{`not proven: disk full\x1b`}},
		"another list":                    {with(func(r *Report) { r.List = "x" }), []APIServer{one}, []string{"another version"}},
		"another entry has a problem":     {with(func(r *Report) { r.Problems = []string{"user-00: x"} }), []APIServer{one}, []string{""}},
		"the entry has a problem":         {with(func(r *Report) { r.Problems = []string{jane.Key() + ": never"} }), []APIServer{one}, []string{"never"}},
		"more problems than are reported": {with(func(r *Report) { r.Problems = make([]string, mostReported) }), []APIServer{one}, []string{"too many problems"}},
	} {
		servers := Coverage(list, test.reports, test.servers, now, jane)
		if len(servers) != len(test.why) {
			t.Errorf("%s: %+v", about, servers)
			continue
		}
		for i, server := range servers {
			if (test.why[i] == "") != (server.Why == "") || !strings.Contains(server.Why, test.why[i]) {
				t.Errorf("%s: %q, want %q", about, server.Why, test.why[i])
			}
		}
	}
}
