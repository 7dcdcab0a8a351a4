package ledger

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/ledger"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/pki"
	"github.com/csr-onboard/kubectl-csr-onboard/test/program"
)

// run runs the plugin as the administrator.
func (c *cluster) run(t *testing.T, arguments ...string) program.Result {
	t.Helper()
	return c.runAs(t, c.plane.Kubeconfig, arguments...)
}

func (c *cluster) runAs(t *testing.T, kubeconfig string, arguments ...string) program.Result {
	t.Helper()
	return program.Run(t, exec.CommandContext(t.Context(), plugin, append(arguments, "--kubeconfig", kubeconfig)...))
}

// done is run for a command that has to succeed.
func (c *cluster) done(t *testing.T, arguments ...string) string {
	t.Helper()
	result := c.run(t, arguments...)
	if result.Code != 0 {
		t.Fatalf("%q: %d\n%s%s", arguments, result.Code, result.Stdout, result.Stderr)
	}
	return result.Stdout
}

// put stores a record of a certificate that is made up.
func (c *cluster) put(t *testing.T, number int, change func(*ledger.ClientCertificate)) *ledger.ClientCertificate {
	t.Helper()
	now := time.Now().UTC().Truncate(time.Second)
	record := &ledger.ClientCertificate{
		TypeMeta:   metav1.TypeMeta{APIVersion: ledger.GroupVersion.String(), Kind: ledger.Kind},
		ObjectMeta: metav1.ObjectMeta{Name: ledger.NameOf(fmt.Appendf(nil, "%s %d", t.Name(), number))},
		Spec: ledger.Spec{
			User: "nobody", NotBefore: metav1.NewTime(now.Add(-time.Hour)), NotAfter: metav1.NewTime(now.Add(30 * 24 * time.Hour)),
			Key: ledger.Key{Fingerprint: "SHA256:x"}, Source: ledger.FromFile,
		},
	}
	change(record)
	object, err := runtime.DefaultUnstructuredConverter.ToUnstructured(record)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.any.Resource(recordsResource).Create(t.Context(), toUnstructured(object), metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	if reflect.ValueOf(record.Status).IsZero() {
		return record
	}
	patch := fmt.Appendf(nil, `{"status":%s}`, asJSON(t, record.Status))
	if _, err := c.any.Resource(recordsResource).Patch(t.Context(), record.Name, types.MergePatchType, patch, metav1.PatchOptions{}, "status"); err != nil {
		t.Fatal(err)
	}
	return record
}

func TestList_AnswersWhichUsersHaveAccess(t *testing.T) {
	day := 24 * time.Hour
	now := time.Now().UTC().Truncate(time.Second)
	within := func(begin, end time.Duration) func(*ledger.ClientCertificate) {
		return func(record *ledger.ClientCertificate) {
			record.Spec.NotBefore, record.Spec.NotAfter = metav1.NewTime(now.Add(begin)), metav1.NewTime(now.Add(end))
		}
	}
	rows := map[string]func(*ledger.ClientCertificate){
		"list-valid": func(r *ledger.ClientCertificate) {
			r.Spec.Groups, r.Spec.Decision = []string{"list-group"}, &ledger.Decision{By: "list-boss"}
		},
		"list-soon":       within(-29*day, day),
		"list-expired":    within(-30*day, -day),
		"list-superseded": func(r *ledger.ClientCertificate) { within(-29*day, day)(r); r.Status.SupersededBy = r.Name },
		"list-approved":   func(r *ledger.ClientCertificate) { r.Status.ApprovedBy = "list-boss" },
	}
	number := 0
	for user, change := range rows {
		number++
		shared.put(t, number, func(record *ledger.ClientCertificate) {
			record.Spec.User = user
			change(record)
		})
	}
	revoked := shared.put(t, 99, func(record *ledger.ClientCertificate) { record.Spec.User = "list-revoked" })
	shared.block(t, "credential:X509SHA256="+revoked.Name)
	for _, row := range []struct {
		arguments string
		users     []string
	}{
		{"", []string{"list-approved", "list-soon", "list-superseded", "list-valid"}},
		{"--for-user list-valid", []string{"list-valid"}},
		{"--group list-group", []string{"list-valid"}},
		{"--approved-by list-boss", []string{"list-approved", "list-valid"}},
		{"--expiring 7d", []string{"list-soon", "list-superseded"}},
		{"--expiring 7d --without-renewal", []string{"list-soon"}},
		{"--without-renewal", []string{"list-soon"}},
		{"--expired", []string{"list-expired"}},
		{"--revoked", []string{"list-revoked"}},
		{"--expired --revoked", []string{"list-expired", "list-revoked"}},
		{"--all", []string{"list-approved", "list-expired", "list-revoked", "list-soon", "list-superseded", "list-valid"}},
	} {
		found := usersIn(t, shared.done(t, append([]string{"ledger", "-o", "csv"}, strings.Fields(row.arguments)...)...), "list-")
		if !slices.Equal(found, row.users) {
			t.Errorf("ledger %s: %v, not %v", row.arguments, found, row.users)
		}
	}
}

// usersIn are the users of a list in CSV whose name has a prefix, sorted.
func usersIn(t *testing.T, text, prefix string) (users []string) {
	t.Helper()
	rows, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range rows[1:] {
		if strings.HasPrefix(row[1], prefix) {
			users = append(users, row[1])
		}
	}
	slices.Sort(users)
	return users
}

func TestList_EveryFormHoldsEveryCertificate(t *testing.T) {
	record := shared.put(t, 1, func(record *ledger.ClientCertificate) {
		record.Spec.User, record.Spec.Groups = "form-\x1b[31mred", []string{"=1+1"}
	})
	for _, format := range []string{"", "wide", "json", "yaml", "csv", "name"} {
		text := shared.done(t, "ledger", "--for-user", record.Spec.User, "-o", format)
		if format == "" {
			text = shared.done(t, "ledger", "--for-user", record.Spec.User, "--no-headers")
			if strings.Contains(text, "USER") || len(strings.Split(text, "\n")) != 2 {
				t.Errorf("%q", text)
			}
		}
		if strings.Contains(text, "\x1b") || !strings.Contains(text, "form-") && !strings.Contains(text, record.Name) {
			t.Errorf("-o %s: %q", format, text)
		}
		if format != "" && !strings.Contains(text, record.Name) {
			t.Errorf("-o %s has no hash: %q", format, text)
		}
	}
	var list struct {
		Kind  string
		Items []struct {
			Spec  ledger.Spec
			State string
		}
	}
	if err := json.Unmarshal([]byte(shared.done(t, "ledger", "--for-user", record.Spec.User, "-o", "json")), &list); err != nil || len(list.Items) != 1 || list.Items[0].Spec.User != record.Spec.User || list.Items[0].State != "valid" {
		t.Errorf("%+v, %v", list, err)
	}
	if err := json.Unmarshal([]byte(shared.done(t, "ledger", "--for-user", "form-nobody", "-o", "json")), &list); err != nil || len(list.Items) != 0 {
		t.Errorf("%+v, %v", list, err)
	}
	if text := shared.done(t, "ledger", "--for-user", record.Spec.User, "-o", "csv"); !strings.Contains(text, "'=1+1") {
		t.Errorf("a formula: %q", text)
	}
}

// auditLine is an event of an audit log in which a request was answered with a certificate.
func auditLine(t *testing.T, object *certificatesv1.CertificateSigningRequest, subresource, by string, at time.Time, withAnswer bool) []byte {
	t.Helper()
	event := map[string]any{
		"kind": "Event", "apiVersion": "audit.k8s.io/v1", "stage": "ResponseComplete", "verb": "update",
		"user":           map[string]any{"username": by, "groups": []string{"system:authenticated"}},
		"objectRef":      map[string]any{"resource": "certificatesigningrequests", "apiGroup": "certificates.k8s.io", "name": object.Name, "subresource": subresource},
		"responseStatus": map[string]any{"code": 200}, "stageTimestamp": metav1.NewMicroTime(at),
	}
	if withAnswer {
		event["responseObject"] = object
	}
	return append(asJSON(t, event), '\n')
}

func TestImport_AnAuditLogIsImportedOnce(t *testing.T) {
	certificates := program.Times(10_000, 300) / 3
	known := shared.clientAuthority(t)
	decidedAt := metav1.NewTime(time.Now().UTC().Truncate(time.Second))
	var log bytes.Buffer
	for i := range certificates {
		user := fmt.Sprintf("audited-%05d", i)
		object, key, err := requestFor(user, user)
		if err != nil {
			t.Fatal(err)
		}
		object.UID, object.Spec.Username = types.UID(fmt.Sprintf("uid-%d", i)), "alba"
		object.Status.Conditions = []certificatesv1.CertificateSigningRequestCondition{{Type: certificatesv1.CertificateApproved, Status: "True", Reason: "r", LastUpdateTime: decidedAt}}
		log.Write(auditLine(t, object, "approval", "audrey", decidedAt.Time, false))
		object.Status.Certificate = encode(known.sign(t, user, key.Public()))
		log.Write(auditLine(t, object, "status", "system:kube-controller-manager", decidedAt.Time, true))
		log.Write(auditLine(t, object, "status", "system:kube-controller-manager", decidedAt.Time, false))
	}
	path := filepath.Join(t.TempDir(), "audit.log")
	if err := os.WriteFile(path, log.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	first := shared.done(t, "ledger", "import", "--audit-log", path)
	if expected := fmt.Sprintf("%d certificates found, %d new; who approved was learned of %d\n", certificates, certificates, certificates); first != expected {
		t.Errorf("%q, not %q", first, expected)
	}
	before := shared.records(t, "audited-")
	second := shared.done(t, "ledger", "import", "--audit-log", path)
	if expected := fmt.Sprintf("%d certificates found, 0 new; who approved was learned of 0\n", certificates); second != expected {
		t.Errorf("%q, not %q", second, expected)
	}
	after := shared.records(t, "audited-")
	if len(before) != certificates || len(after) != certificates {
		t.Errorf("%d users, then %d", len(before), len(after))
	}
	for user, names := range after {
		if len(names) != 1 || !slices.Equal(names, before[user]) {
			t.Errorf("%s: %v, then %v", user, before[user], names)
		}
	}
	record := shared.record(t, after["audited-00000"][0])
	if record.ApprovedBy() != "audrey" || record.Spec.Requester.User != "alba" || !record.Spec.Verified || record.Spec.Source != ledger.FromAuditLog {
		t.Errorf("%+v", record)
	}
}

func TestImport_WhatWasSignedElsewhereIsRecorded(t *testing.T) {
	directory := t.TempDir()
	der := shared.clientAuthority(t).sign(t, "imported-file", newKey(t).Public())
	certificate, err := pki.ParseCertificate(encode(der))
	if err != nil {
		t.Fatal(err)
	}
	file, log := filepath.Join(directory, "jane.crt"), filepath.Join(directory, "issued.jsonl")
	other := shared.clientAuthority(t).sign(t, "imported-log", newKey(t).Public())
	signed, err := pki.ParseCertificate(encode(other))
	if err != nil {
		t.Fatal(err)
	}
	line := append(asJSON(t, pki.IssuanceOf(signed, time.Now())), '\n')
	for path, text := range map[string][]byte{file: certificate.PEM, log: line} {
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if said := shared.done(t, "ledger", "import", "--certificate", file, "--issuance-log", log); !strings.HasPrefix(said, "2 certificates found, 2 new") {
		t.Errorf("%q", said)
	}
	fromFile, fromLog := shared.record(t, ledger.NameOf(der)), shared.record(t, ledger.NameOf(other))
	if fromFile.Spec.User != "imported-file" || fromFile.Spec.Verified || !slices.Equal(fromFile.Spec.Problems, []string{ledger.RequestNotSeen}) || fromFile.Spec.Issuer.Fingerprint == "" {
		t.Errorf("%+v", fromFile.Spec)
	}
	if fromLog.Spec.User != "imported-log" || fromLog.Spec.Source != ledger.FromIssuanceLog || fromLog.Spec.Key.Fingerprint == "" {
		t.Errorf("%+v", fromLog.Spec)
	}
	if err := os.WriteFile(log, append(line, "not JSON\n"...), 0o600); err != nil {
		t.Fatal(err)
	}
	if result := shared.run(t, "ledger", "import", "--issuance-log", log); result.Code != 2 || !strings.Contains(result.Stderr, "line 2: not a line of JSON") {
		t.Errorf("%d: %s", result.Code, result.Stderr)
	}
}

func TestSeen_TheLastUseIsFilledIn(t *testing.T) {
	record := shared.put(t, 1, func(record *ledger.ClientCertificate) { record.Spec.User = "seen" })
	at := time.Date(2026, 11, 27, 9, 0, 0, 0, time.UTC)
	line := func(hash string, at time.Time) string {
		return fmt.Sprintf(`{"kind":"Event","apiVersion":"audit.k8s.io/v1","stage":"ResponseComplete","verb":"get","user":{"username":"seen","extra":{"authentication.kubernetes.io/credential-id":["X509SHA256=%s"]}},"objectRef":{"resource":"pods"},"responseStatus":{"code":200},"stageTimestamp":"%s"}`+"\n", hash, at.Format("2006-01-02T15:04:05.000000Z"))
	}
	path := filepath.Join(t.TempDir(), "audit.log")
	text := line(record.Name, at) + line(record.Name, at.Add(-time.Hour)) + line(strings.Repeat("a", 64), at)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if said := shared.done(t, "ledger", "seen", "--audit-log", path); said != "2 certificates used, 1 not on the ledger; the last use of 1 was filled in\n" {
		t.Errorf("%q", said)
	}
	if seen := shared.record(t, record.Name).Status.LastSeen; seen == nil || !seen.Time.Equal(at) {
		t.Errorf("%v", seen)
	}
	if said := shared.done(t, "ledger", "seen", "--audit-log", path); !strings.HasSuffix(said, "the last use of 0 was filled in\n") {
		t.Errorf("%q", said)
	}
}

func TestVerify_NamesTheLineThatIsNotAsItWasExported(t *testing.T) {
	for i := range 3 {
		shared.put(t, i, func(record *ledger.ClientCertificate) { record.Spec.User = "exported" })
	}
	result := shared.run(t, "ledger", "export")
	if result.Code != 0 {
		t.Fatalf("%d: %s", result.Code, result.Stderr)
	}
	lines := strings.SplitAfter(strings.TrimSuffix(result.Stdout, "\n"), "\n")
	lines[len(lines)-1] += "\n"
	last := len(lines)
	_, head, _ := strings.Cut(strings.TrimSpace(result.Stderr), "last one: ")
	path := filepath.Join(t.TempDir(), "ledger.jsonl")
	verify := func(lines []string, more ...string) program.Result {
		if err := os.WriteFile(path, []byte(strings.Join(lines, "")), 0o600); err != nil {
			t.Fatal(err)
		}
		arguments := append([]string{"ledger", "verify", path}, more...)
		if len(more) > 0 {
			return program.Run(t, exec.CommandContext(t.Context(), plugin, arguments...))
		}
		return shared.run(t, arguments...)
	}
	if result := verify(lines); result.Code != 0 || !strings.Contains(result.Stdout, `by "administrator"`) {
		t.Errorf("%d: %s%s", result.Code, result.Stdout, result.Stderr)
	}
	if result := verify(lines, "--head", head); result.Code != 0 {
		t.Errorf("%d: %s", result.Code, result.Stderr)
	}
	changed, moved := slices.Clone(lines), slices.Clone(lines)
	changed[2] = strings.Replace(changed[2], `"source"`, ` "source"`, 1)
	moved[1], moved[2] = moved[2], moved[1]
	changedEnd := slices.Clone(lines)
	changedEnd[last-1] = strings.Replace(changedEnd[last-1], `"event"`, ` "event"`, 1)
	for what, row := range map[string]struct {
		lines []string
		says  string
	}{
		"changed":     {changed, "line 3 was changed"},
		"removed":     {slices.Delete(slices.Clone(lines), 1, 2), "line 2 is missing"},
		"moved":       {moved, "line 2 is missing: line 3 of the export is in its place"},
		"cut":         {lines[:last-1], fmt.Sprintf("line %d is missing", last)},
		"changed end": {changedEnd, fmt.Sprintf("line %d, the last one, was changed", last)},
	} {
		for _, more := range [][]string{nil, {"--head", head}} {
			if result := verify(row.lines, more...); result.Code != 1 || !strings.Contains(result.Stderr, row.says) {
				t.Errorf("%s, %v: %d: %s", what, more, result.Code, result.Stderr)
			}
		}
	}
	// What the cluster keeps cannot be changed either.
	_, err := shared.admin.CoreV1().ConfigMaps("csr-onboard-system").Patch(t.Context(), ledger.ExportsName, types.MergePatchType, fmt.Appendf(nil, `{"data":{%q:"{}"}}`, head), metav1.PatchOptions{})
	if !apierrors.IsForbidden(err) {
		t.Errorf("a kept hash was changed: %v", err)
	}
}

func TestRoles_AnAuditorReadsAndExportsAndChangesNothing(t *testing.T) {
	record := shared.put(t, 1, func(record *ledger.ClientCertificate) { record.Spec.User = "read-by-auditor" })
	shared.user(t, "audrey-the-auditor")
	subject := []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: "audrey-the-auditor"}}
	if _, err := shared.admin.RbacV1().ClusterRoleBindings().Create(t.Context(), &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "auditor"}, Subjects: subject, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "csr-onboard-auditor"},
	}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := shared.admin.RbacV1().RoleBindings("csr-onboard-system").Create(t.Context(), &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "auditor"}, Subjects: subject, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: "csr-onboard-auditor"},
	}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	kubeconfig := shared.plane.KubeconfigOf("audrey-the-auditor")
	// API servers learn of roles by a watch.
	until(t, "the auditor reads", func() bool {
		return strings.Contains(shared.runAs(t, kubeconfig, "ledger", "--for-user", "read-by-auditor", "-o", "name").Stdout, record.Name)
	})
	if result := shared.runAs(t, kubeconfig, "ledger", "export"); result.Code != 0 || !strings.Contains(result.Stdout, record.Name) {
		t.Errorf("%d: %s", result.Code, result.Stderr)
	}
	file := filepath.Join(t.TempDir(), "some.crt")
	if err := os.WriteFile(file, encode(shared.clientAuthority(t).sign(t, "by-auditor", newKey(t).Public())), 0o600); err != nil {
		t.Fatal(err)
	}
	if result := shared.runAs(t, kubeconfig, "ledger", "import", "--certificate", file); result.Code != 1 || !strings.Contains(result.Stderr, "forbidden: you cannot create the client certificate") {
		t.Errorf("%d: %s", result.Code, result.Stderr)
	}
}

// bind gives a user a role of deploy: a ClusterRole, or a Role in a namespace.
func (c *cluster) bind(t *testing.T, user, role string, namespaces ...string) {
	t.Helper()
	subjects := []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: user}}
	if len(namespaces) == 0 {
		binding := &rbacv1.ClusterRoleBinding{
			ObjectMeta: metav1.ObjectMeta{Name: "test:" + role + ":" + user}, Subjects: subjects,
			RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role},
		}
		if _, err := c.admin.RbacV1().ClusterRoleBindings().Create(t.Context(), binding, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	for _, namespace := range namespaces {
		binding := &rbacv1.RoleBinding{
			ObjectMeta: metav1.ObjectMeta{Name: "test:" + role + ":" + user, Namespace: namespace}, Subjects: subjects,
			RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: role},
		}
		if _, err := c.admin.RbacV1().RoleBindings(namespace).Create(t.Context(), binding, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
}

// TestNewUser_RecordsAtOnceWhereNoRecorderRuns is run by a person with exactly the roles of deploy.
func TestNewUser_RecordsAtOnceWhereNoRecorderRuns(t *testing.T) {
	const administrator, told = "once-admin", "on the ledger: no recorder runs"
	shared.user(t, administrator, approver...)
	onboards := func(t *testing.T, user string, recorded bool) {
		t.Helper()
		got := shared.runAs(t, shared.plane.KubeconfigOf(administrator), "new-user", user, "--approve", "--dir", t.TempDir())
		if got.Code != 0 || strings.Contains(got.Stderr, told) != recorded {
			t.Errorf("%s: %d\n%s%s", user, got.Code, got.Stdout, got.Stderr)
		}
	}
	awaitLeader(t, 0)
	shared.bind(t, administrator, "csr-onboard-ledger-administrator")
	shared.bind(t, administrator, "csr-onboard-ledger-administrator", ledger.Namespace, metav1.NamespaceSystem)
	until(t, administrator+" is permitted", func() bool {
		return shared.runAs(t, shared.plane.KubeconfigOf(administrator), "ledger", "--for-user", "nobody-at-all").Code == 0
	})
	onboards(t, "once-running", false)
	shared.stopped(t)
	if err := shared.admin.CoordinationV1().Leases(ledger.Namespace).Delete(t.Context(), ledger.RecorderLease, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	onboards(t, "once-absent", true)
	if err := shared.start(); err != nil {
		t.Fatal(err)
	}
	awaitLeader(t, 0)
	// The recorder finds the record of the one, and makes that of the other.
	onboards(t, "once-again", false)
	specs := map[string]ledger.Spec{}
	for _, user := range []string{"once-running", "once-absent", "once-again"} {
		until(t, "a record of "+user, func() bool { return len(shared.records(t, user)[user]) > 0 })
		names := shared.records(t, user)[user]
		if len(names) != 1 {
			t.Errorf("%s has %d records", user, len(names))
		}
		spec := shared.record(t, names[0]).Spec
		// What differs from certificate to certificate.
		spec.User, spec.Serial, spec.Key.Fingerprint, spec.NotBefore, spec.NotAfter = "", "", "", metav1.Time{}, metav1.Time{}
		spec.Request = nil
		specs[user] = spec
	}
	if !specs["once-absent"].Verified || !reflect.DeepEqual(specs["once-absent"], specs["once-running"]) || !reflect.DeepEqual(specs["once-absent"], specs["once-again"]) {
		t.Errorf("%+v", specs)
	}
}
