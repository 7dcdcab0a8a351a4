package render

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/version"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/access"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/ledger"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/destination"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/doctor"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/handoff"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/offboard"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/renewal"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/team"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/pki"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/render/report"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/render/screen"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
)

// inEveryFormat adds what a function writes for people, and what it writes for scripts.
func (g *golden) inEveryFormat(t *testing.T, about string, write func(out io.Writer, format string) error) {
	t.Helper()
	for _, format := range append([]string{""}, forms...) {
		g.add(t, strings.TrimSpace(about+" "+format), func(out io.Writer) error { return write(out, format) })
		var written bytes.Buffer
		if err := write(&written, format); err != nil {
			t.Error(err)
		}
		checkHidden(t, about+" "+format, written.String())
	}
}

// plans are what is taken away from users, by what is special about it.
func plans(t *testing.T) map[string]*offboard.Plan {
	t.Helper()
	group := func(name string) access.Holder { return access.Holder{IsGroup: true, Name: name} }
	view := access.Grant{Role: access.Role{IsCluster: true, Name: "view"}, Namespace: "dev"}
	impersonate := access.Grant{Role: access.Role{IsCluster: true, Name: "impersonator"}}
	tokens := access.Grant{Role: access.Role{IsCluster: true, Name: "tokens"}}
	rules := access.Rules{
		{Role: impersonate.Role}: {{Verbs: []string{"impersonate"}, APIGroups: []string{""}, Resources: []string{"users"}}},
		{Role: tokens.Role}:      {{Verbs: []string{"create"}, APIGroups: []string{""}, Resources: []string{"serviceaccounts/token"}}},
	}
	const credentialID = "X509SHA256=ab" //nolint:gosec // It names a certificate, and is not a secret.
	alive := offboard.AliveCertificate{Source: "request " + hostile, CredentialID: credentialID, NotAfter: later, Groups: []string{"developers", hostile}}
	waiting := request.ReviewOf(object(t, hostile, jane(), nil))
	crowd := access.Grants{}
	for i := range mostListed + 2 {
		crowd[access.Holder{Name: fmt.Sprint("user-", i)}] = []access.Grant{impersonate}
	}
	return map[string]*offboard.Plan{
		"nothing": {User: "jane"},
		"everything": {
			User: hostile, IsKnown: true, Block: &access.Blocked{User: hostile},
			Deny: []*request.Review{waiting}, Unissued: []*request.Review{waiting},
			TakeAway: []access.Held{held(hostile, hostile, true), held("shared", hostile, false), held("shared", hostile, false, "sam"), held("shared", hostile, true, "sam", "joe"), {Grant: tokens, Subjects: []rbacv1.Subject{}}},
			Alive:    []offboard.AliveCertificate{alive}, Groups: alive.Groups,
			GroupGrants: access.Grants{group("developers"): {view, impersonate}, group(offboard.AuthenticatedGroup): {view}, {Name: "sam"}: {impersonate}},
			Rules:       rules,
		},
		"one certificate": {
			User: "jane", IsKnown: true, CertificateOnly: true, Kept: []access.Held{held("mine", "jane", true)}, Alive: []offboard.AliveCertificate{alive},
			Block: &access.Blocked{CredentialID: credentialID}, DryRun: onboard.DryRunServer,
		},
		"what failed":       {User: "jane", IsKnown: true, Kept: []access.Held{held("mine", "jane", true)}, Groups: []string{"developers"}},
		"what is forbidden": {User: "jane", IsKnown: true, Unread: hostile, RulesUnread: hostile, Groups: []string{"developers"}, DryRun: onboard.DryRunClient},
		"many holders":      {User: "jane", IsKnown: true, GroupGrants: crowd, Rules: rules},
		"revoked":           {User: "jane", IsKnown: true, Revoke: true, RefusedBy: 2, APIServers: 3, Rules: rules},
	}
}

func TestResults_OffboardingsAreShownAsInTheGoldenFile(t *testing.T) {
	g := golden{name: "offboarding"}
	all := plans(t)
	for _, about := range []string{"nothing", "everything", "one certificate", "what failed", "what is forbidden", "many holders", "revoked"} {
		g.add(t, about+": the plan", func(out io.Writer) error { return OffboardingPlan(out, all[about]) })
		g.add(t, about+": the truth", func(out io.Writer) error { return OffboardingTruth(out, all[about], identity.ClusterFlags{}) })
	}
	g.compare(t)
	checkHidden(t, "offboarding", g.text.String())
	if OffboardingPlan(full{}, all["nothing"]) == nil || OffboardingTruth(full{}, all["nothing"], identity.ClusterFlags{}) == nil {
		t.Error("a full disk is not reported")
	}
}

// statuses are contexts with every kind of credentials.
func statuses(t *testing.T) []renewal.ContextStatus {
	t.Helper()
	of := func(notAfter time.Time) *pki.Certificate { return certificateOf(t, jane(), notAfter) }
	return []renewal.ContextStatus{
		{Name: "healthy", IsCurrent: true, User: jane(), Certificate: of(now.Add(300 * 24 * time.Hour)), Live: renewal.Live, Unrenewed: []*ledger.ClientCertificate{
			{ObjectMeta: metav1.ObjectMeta{Name: strings.Repeat("ab", 32)}, Spec: ledger.Spec{NotAfter: metav1.NewTime(now.Add(time.Hour))}},
		}},
		{Name: "soon", User: jane(), Certificate: of(now.Add(2 * time.Hour)), Live: renewal.Live, Renewal: request.Pending, RenewalRequest: "jane-x"},
		{Name: "renewed", User: jane(), Certificate: of(now.Add(20 * time.Hour)), Live: renewal.Live, RenewsItself: true},
		{Name: "ended", User: jane(), Certificate: of(now.Add(-time.Minute)), Live: renewal.NotLive, Problem: "the certificate has expired"},
		{Name: "endless", User: jane(), Certificate: of(now.AddDate(400, 0, 0)), Live: renewal.NotTried},
		{Name: "token", Login: "a token", Live: renewal.Live, User: identity.User{Name: "sam"}},
		{Name: hostile, Login: hostile, Live: renewal.NotLive, Problem: hostile, User: identity.User{Name: hostile, Groups: []string{hostile}}},
		{Name: "away", Login: "a token", Live: renewal.Unreachable, Problem: "connection refused"},
	}
}

func TestResults_StatusesAreWrittenAsInTheGoldenFile(t *testing.T) {
	g := golden{name: "status"}
	g.inEveryFormat(t, "contexts", func(out io.Writer, format string) error { return Statuses(out, format, false, statuses(t), now) })
	g.add(t, "contexts, wide", func(out io.Writer) error { return Statuses(out, Wide, false, statuses(t), now) })
	g.add(t, "contexts, name", func(out io.Writer) error { return Statuses(out, "name", false, statuses(t), now) })
	g.inEveryFormat(t, "no context", func(out io.Writer, format string) error { return Statuses(out, format, false, nil, now) })
	g.add(t, "at a terminal with colors", func(out io.Writer) error {
		grid := screen.NewGrid(out, statusColumns(), false, false)
		grid.IsColored, grid.Limit = true, 80
		return grid.Write(out, statusRows(statuses(t), now)...)
	})
	g.add(t, "before it is valid", func(out io.Writer) error { return Statuses(out, "", false, statuses(t)[:2], now.Add(-48*time.Hour)) })
	g.compare(t)
}

func TestResults_ReportsAreWrittenAsInTheGoldenFile(t *testing.T) {
	g := golden{name: "report"}
	fetched := &onboard.Fetched{
		Written: destination.Written{Path: hostile, Context: hostile}, User: identity.User{Name: hostile, Groups: []string{hostile}},
		Request: hostile, Certificate: certificateOf(t, jane(), later), LoggedIn: true,
	}
	alone := *fetched
	alone.CertificateOnly = true
	results := []team.Result{
		{User: jane(), Line: 2, State: team.MemberFetched, Request: "jane-x", Path: hostile, NotAfter: later, LoggedIn: true},
		{User: identity.User{Name: "sam"}, State: team.MemberMade, Path: "sam.csr"},
		{User: identity.User{Name: hostile, Groups: []string{hostile}}, Line: 3, State: team.MemberFailed, Err: errHostile},
	}
	checks := []doctor.Check{
		{Name: "identity", Verdict: doctor.Pass, Sentence: "you are jane", Advice: "none"},
		{Name: "clock", Verdict: doctor.Warn, Sentence: hostile, Advice: hostile},
		{Name: "signer", Verdict: doctor.Fail, Sentence: "requests are not signed"},
		{Name: "lifetimes", Verdict: doctor.Unknown, Sentence: "unknown"},
	}
	client := report.ClientVersion{GitVersion: "v0.1.0", GitCommit: "abc", BuildDate: "2026-03-01T12:00:00Z", GoVersion: "go1.25", Platform: "linux/amd64"}
	for _, format := range forms {
		g.add(t, "fetched "+format, func(out io.Writer) error { return report.Fetched(out, format, fetched) })
		g.add(t, "certificate only "+format, func(out io.Writer) error { return report.Fetched(out, format, &alone) })
		g.add(t, "fetched from several clusters "+format, func(out io.Writer) error {
			return report.FetchedOnClusters(out, format, []report.OnCluster[*onboard.Fetched]{{Cluster: hostile, Value: fetched}})
		})
		g.add(t, "team on several clusters "+format, func(out io.Writer) error {
			return report.TeamOnClusters(out, format, []report.OnCluster[[]team.Result]{{Cluster: hostile, Value: results[:1]}})
		})
		g.add(t, "team "+format, func(out io.Writer) error { return report.Team(out, format, results) })
		g.add(t, "versions "+format, func(out io.Writer) error {
			return report.Versions(out, format, client, &version.Info{GitVersion: hostile})
		})
		g.add(t, "versions without a server "+format, func(out io.Writer) error {
			return report.Versions(out, format, report.ClientVersion{GitVersion: "v0.0.0-dev"}, nil)
		})
	}
	signed := &handoff.HandedOff{User: fetched.User, Certificate: fetched.Certificate, Path: hostile}
	renewed := report.RenewalResult{Context: hostile, Renewed: &renewal.Renewed{Context: hostile, State: renewal.RenewalDone, NotAfter: later}}
	for _, format := range forms {
		g.add(t, "signed "+format, func(out io.Writer) error { return report.Signed(out, format, signed) })
		g.add(t, "renewal "+format, func(out io.Writer) error { return report.Renewal(out, format, renewed) })
		g.add(t, "renewals "+format, func(out io.Writer) error {
			return report.Renewals(out, format, []report.RenewalResult{renewed, {Context: "other", Err: errHostile}})
		})
		for _, about := range []string{"nothing", "everything", "one certificate", "what is forbidden", "revoked"} {
			g.add(t, "offboarding "+about+" "+format, func(out io.Writer) error { return report.Offboarding(out, format, plans(t)[about]) })
		}
	}
	for _, format := range forms {
		g.add(t, "offboarding on several clusters "+format, func(out io.Writer) error {
			return report.Offboardings(out, format, []report.OnCluster[*offboard.Plan]{{Cluster: hostile, Value: plans(t)["nothing"]}})
		})
	}
	g.inEveryFormat(t, "doctor", func(out io.Writer, format string) error { return Checks(out, format, checks) })
	g.inEveryFormat(t, "doctor of several clusters", func(out io.Writer, format string) error {
		return ChecksOfClusters(out, format, []report.OnCluster[[]doctor.Check]{{Cluster: hostile, Value: checks[:1]}, {Cluster: "other"}})
	})
	g.add(t, "an error", func(out io.Writer) error { Failure(out, errHostile); return nil })
	g.compare(t)
	checkHidden(t, "reports", g.text.String())
}

// TestResults_EveryFormIsInAGoldenFile is for a kind of document that is added.
func TestResults_EveryFormIsInAGoldenFile(t *testing.T) {
	paths, err := filepath.Glob(filepath.Join("testdata", "*.golden"))
	if err != nil {
		t.Fatal(err)
	}
	var written []byte
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		written = append(written, text...)
	}
	for kind := range report.Forms() {
		if !bytes.Contains(written, []byte(`"kind": "`+kind+`"`)) {
			t.Errorf("no golden file shows a %s", kind)
		}
	}
}
