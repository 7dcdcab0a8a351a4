package approve

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
)

// expected is a request and what has to come of it.
type expected struct {
	about string
	ask   ask
	want  string
	says  string
}

const hour = time.Hour

// csr is a request.
type csr = certificatesv1.CertificateSigningRequest

// hostileRenewals are requests that every policy about renewals leaves to people.
func (c *cluster) hostileRenewals(t *testing.T, prefix string, group string) []expected {
	t.Helper()
	who := func(name string) (string, string) {
		user := prefix + name
		credential, _ := c.issued(t, user, group)
		return user, credential
	}
	more, moreID := who("more")
	same := prefix + "same"
	sameID, sameKey := c.issued(t, same, group)
	victim, victimID := who("victim")
	forever, foreverID := who("forever")
	foreign, foreignID := who("foreign")
	server, serverID := who("server")
	groups := []string{group}
	return []expected{
		{"more groups", ask{user: more, groups: []string{group, "admins"}, in: groups, with: moreID, lifetime: hour}, "LeftToPeople", "renewal: it requests the group \"admins\""},
		{"the same key", ask{user: same, groups: groups, with: sameID, lifetime: hour, key: sameKey}, "LeftToPeople", "renewal: its key is that of a certificate"},
		{"by somebody else", ask{user: victim, groups: groups, by: prefix + "mallory", in: groups, with: victimID, lifetime: hour}, "LeftToPeople", "known-user: "},
		{"with an unknown certificate", ask{user: prefix + "unknown", groups: groups, with: "X509SHA256=" + strings.Repeat("ab", 32), lifetime: hour}, "LeftToPeople", "renewal: the certificate that it renews is unknown"},
		{"with somebody else's certificate", ask{user: prefix + "other", groups: groups, with: victimID, lifetime: hour}, "LeftToPeople", "renewal: "},
		{"no lifetime", ask{user: forever, groups: groups, with: foreverID}, "LeftToPeople", "lifetime: no lifetime is requested"},
		{"usages of a server, too", ask{user: foreign, groups: groups, with: foreignID, lifetime: hour, change: func(o *certificatesv1.CertificateSigningRequest) {
			o.Spec.Usages = append(o.Spec.Usages, certificatesv1.UsageServerAuth)
		}}, "LeftToPeople", "usages: wrong-usages"},
		{"a server's usages", ask{user: server, groups: groups, with: serverID, lifetime: hour, change: func(o *certificatesv1.CertificateSigningRequest) {
			o.Spec.Usages = []certificatesv1.KeyUsage{certificatesv1.UsageAny}
		}}, "LeftToPeople", "usages: wrong-usages"},
		{"a group of the system", ask{user: prefix + "node", groups: []string{"system:nodes"}, lifetime: hour}, "LeftToPeople", "identity: "},
		{"a component", ask{user: "system:" + prefix, lifetime: hour}, "LeftToPeople", "identity: "},
	}
}

// examples are the examples of deploy/, each with a table of requests.
func (c *cluster) examples(t *testing.T) map[string][]expected {
	t.Helper()
	renews := func(user string, groups []string, lifetime time.Duration, want, says string, in ...string) expected {
		credential, _ := c.issued(t, user, append(groups, in...)...)
		return expected{"a renewal of " + user, ask{user: user, groups: groups, in: append(groups, in...), with: credential, lifetime: lifetime}, want, says}
	}
	lead := func(about, user string, groups []string, lifetime time.Duration, want, says string) expected {
		return expected{about, ask{user: user, groups: groups, by: "lead", in: []string{"dev-leads"}, lifetime: lifetime}, want, says}
	}
	known, _ := c.issued(t, "tl-known", "dev")
	tables := map[string][]expected{
		"renewals": append(c.hostileRenewals(t, "r-", "dev"),
			renews("r-jane", []string{"dev"}, 8*hour, "Approved", `approved by policy "renewals" (generation 1, sha256:`),
			renews("r-john", nil, 24*hour, "Approved", "renewals"),
			renews("r-fewer", []string{"dev"}, hour, "Approved", "renewals", "ops"),
			renews("r-long", []string{"dev"}, 25*hour, "LeftToPeople", "maximumLifetime: the lifetime is 1d1h"),
			expected{"a new user", ask{user: "r-new", groups: []string{"dev"}, lifetime: hour}, "LeftToPeople", "only renewals are approved"},
			expected{"a new user by an administrator", ask{user: "r-new-2", by: "admin", in: []string{"system:masters"}, lifetime: hour}, "LeftToPeople", "requested-by-other"},
		),
		"team-leads": {
			lead("a new member", "tl-anna", []string{"dev"}, 24*hour, "Approved", `policy "team-leads"`),
			lead("another new member", "tl-bert", []string{"dev"}, 30*24*hour, "Approved", "team-leads"),
			lead("too long", "tl-carl", []string{"dev"}, 31*24*hour, "LeftToPeople", "maximumLifetime"),
			lead("without a lifetime", "tl-dora", []string{"dev"}, 0, "LeftToPeople", "lifetime: "),
			lead("another group", "tl-emil", []string{"ops"}, hour, "LeftToPeople", `not among its groups: "ops"`),
			lead("a second group", "tl-fred", []string{"dev", "ops"}, hour, "LeftToPeople", "subject.groups"),
			lead("no group", "tl-gina", nil, hour, "LeftToPeople", "the user has to be in the group dev"),
			lead("a user who exists", "tl-known", []string{"dev"}, hour, "LeftToPeople", "known-user: "),
			lead("a component", "system:kube-scheduler", []string{"dev"}, hour, "LeftToPeople", "identity: "),
			lead("system:nodes", "tl-node", []string{"dev", "system:nodes"}, hour, "LeftToPeople", "identity: "),
			lead("kubeadm's administrators", "tl-admin", []string{"kubeadm:cluster-admins"}, hour, "LeftToPeople", "administrators: "),
			lead("a confusable name", "tl-аnna", []string{"dev"}, hour, "LeftToPeople", "confusable-name"),
			{"by somebody who leads nothing", ask{user: "tl-hans", groups: []string{"dev"}, by: "dave", in: []string{"dev"}, lifetime: hour}, "LeftToPeople", "only leads of the team can request for it"},
			{"by the user, who leads nothing", ask{user: "tl-ida", groups: []string{"dev"}, lifetime: hour}, "LeftToPeople", "only leads"},
			{"a renewal by the user", ask{user: "tl-known", groups: []string{"dev"}, with: known, lifetime: hour}, "LeftToPeople", "only leads"},
			{"with an RSA key", ask{user: "tl-jill", groups: []string{"dev"}, by: "lead", in: []string{"dev-leads"}, lifetime: hour, key: rsaKey(t)}, "LeftToPeople", "keyAlgorithms: the key is RSA-2048"},
		},
		"contractors": append(c.hostileRenewals(t, "c-", "contractors"),
			renews("c-kim", []string{"contractors"}, 8*hour, "Approved", `policy "contractors"`),
			renews("c-lee", []string{"contractors"}, hour, "Approved", "contractors"),
			renews("c-max", []string{"contractors"}, 8*hour+time.Second, "Denied", "contractors get certificates for at most 8 hours (denied by policy \"contractors-at-most-8-hours\""),
			renews("c-ned", []string{"contractors"}, 24*hour, "Denied", "at most 8 hours"),
			renews("c-ola", []string{"contractors"}, 24*hour, "Denied", "at most 8 hours", "dev"),
			renews("c-dev", []string{"dev"}, hour, "LeftToPeople", "subject.groups"),
			expected{"a new contractor", ask{user: "c-new", groups: []string{"contractors"}, lifetime: hour}, "LeftToPeople", "the first certificate of a contractor is approved by a person"},
			expected{"a new contractor, for too long", ask{user: "c-new-2", groups: []string{"contractors"}, lifetime: 9 * hour}, "Denied", "at most 8 hours"},
		),
		"second-device": append(c.hostileRenewals(t, "s-", "dev"),
			renews("s-jane", []string{"dev"}, 7*24*hour, "Approved", `policy "second-device"`),
			renews("s-john", []string{"dev"}, hour, "Approved", "second-device"),
			renews("s-long", []string{"dev"}, 8*24*hour, "LeftToPeople", "maximumLifetime"),
			expected{"a first device", ask{user: "s-new", groups: []string{"dev"}, lifetime: hour}, "LeftToPeople", "log in with the certificate of the first device"},
		),
		"office-hours": {
			expected{"a new user", ask{user: "o-new", lifetime: hour}, "LeftToPeople", "only renewals are approved"},
			renews("o-long", []string{"dev"}, 13*hour, "LeftToPeople", "maximumLifetime"),
		},
	}
	// The fifth certificate of a user.
	for range 3 {
		c.issued(t, "s-many", "dev")
	}
	tables["second-device"] = append(tables["second-device"], renews("s-many", []string{"dev"}, hour, "LeftToPeople", "maximumCertificates: the user would have 5 valid certificates"))
	now := time.Now().UTC()
	isOpen := now.Weekday() >= time.Monday && now.Weekday() <= time.Friday && now.Hour() >= 8 && now.Hour() < 18
	if isOpen {
		tables["office-hours"] = append(tables["office-hours"], renews("o-jane", []string{"dev"}, hour, "Approved", "office-hours"))
	} else {
		tables["office-hours"] = append(tables["office-hours"], renews("o-jane", []string{"dev"}, hour, "LeftToPeople", "requests are approved"))
	}
	return tables
}

// leadName is a lead of its own for each request, since one requester waits for others of theirs.
func leadName(i int) string { return fmt.Sprintf("lead-%d", i) }

// TestExamples_EachDecidesAsItSaysAndAsACheckHasSaid submits a table of requests for each example
// policy, asks policy check what would be decided, starts the approver, and compares.
func TestExamples_EachDecidesAsItSaysAndAsACheckHasSaid(t *testing.T) {
	c := shared
	count := 0
	for name, table := range c.examples(t) {
		count += len(table)
		t.Run(name, func(t *testing.T) {
			c.end()
			c.apply(t, example(t, name))
			var objects []*certificatesv1.CertificateSigningRequest
			for i, one := range table {
				if one.ask.by == "lead" {
					one.ask.by = leadName(i)
				}
				objects = append(objects, c.submit(t, one.ask))
			}
			t.Cleanup(func() { c.deleteAfter(t, objects) })
			checked := c.check(t)
			fromFile := c.check(t, "-f", "../../deploy/examples/"+name+".yaml")
			if err := c.start(); err != nil {
				t.Fatal(err)
			}
			for i, one := range table {
				got := c.await(t, objects[i])
				if got.what != one.want || !strings.Contains(got.says, one.says) {
					t.Errorf("%s (%s): %s: %s", one.about, objects[i].Name, got.what, got.says)
				}
				for from, outcomes := range map[string]map[string]string{"the cluster": checked, "the file": fromFile} {
					if said := outcomes[objects[i].Name]; said != got.what {
						t.Errorf("%s: policy check of %s said %q, and it was %q", one.about, from, said, got.what)
					}
				}
			}
		})
	}
	if count < 60 {
		t.Errorf("the tables have %d requests", count)
	}
}

// check is what policy check says of the requests, by their names.
func (c *cluster) check(t *testing.T, arguments ...string) map[string]string {
	t.Helper()
	result := c.runPlugin(t, append([]string{"policy", "check", "-o", "json"}, arguments...)...)
	var form struct {
		Items []struct{ Request, Outcome string }
	}
	if err := json.Unmarshal([]byte(result.Stdout), &form); err != nil || result.Code != 0 {
		t.Fatalf("%d, %v: %s%s", result.Code, err, result.Stdout, result.Stderr)
	}
	outcomes := map[string]string{}
	for _, one := range form.Items {
		outcomes[one.Request] = one.Outcome
	}
	return outcomes
}
