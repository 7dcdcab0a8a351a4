package e2e

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/csr-onboard/kubectl-csr-onboard/test/controlplane"
)

func TestShow_TheReviewWithoutADecision(t *testing.T) {
	s := newSession(t, shared)
	s.must("new-user", "showy", "-g", "show-dev", "--approve", "--dir", "first")
	pending := objectName(s.must("new-user", "showy", "-g", "show-ops", "--expiration", "8h", "--dir", "second").Stdout)

	// All requests of a user, in whatever state.
	all := s.must("show", "showy").Stdout
	for _, text := range []string{"groups        show-dev\n", "groups        show-ops\n", "state         issued", "issuer        CN=csr-onboard test client-ca\n", "submitted by  administrator, who can approve it\n"} {
		if !strings.Contains(all, text) {
			t.Errorf("show does not say %q:\n%s", text, all)
		}
	}
	// A user who cannot approve is told what could not be read.
	own := s.as(requester).must("show", pending)
	if !strings.Contains(own.Stdout, "not checked: ") || !strings.Contains(own.Stdout, "showy") {
		t.Errorf("a requester sees %s%s", own.Stdout, own.Stderr)
	}
	var one struct{ Kind string }
	var list struct {
		Kind  string
		Items []struct{ State string }
	}
	for _, form := range []struct {
		words []string
		into  any
	}{{[]string{"show", pending, "-o", "json"}, &one}, {[]string{"show", "showy", "-o", "json"}, &list}} {
		if err := json.Unmarshal([]byte(s.must(form.words...).Stdout), form.into); err != nil {
			t.Fatal(err)
		}
	}
	if one.Kind != "RequestReview" || list.Kind != "RequestReviewList" || len(list.Items) != 2 {
		t.Errorf("the forms are %+v and %+v", one, list)
	}
	file := s.must("show", "--filename", "second/showy.csr", "-o", "jsonpath={.source} {.user.name}").Stdout
	if file != "second/showy.csr showy" {
		t.Errorf("of a file it shows %q", file)
	}
	if after := s.must("show", pending, "-o", "jsonpath={.state}").Stdout; after != "Pending" {
		t.Errorf("the request is %s afterwards", after)
	}
	s.check(s.run("show", "nobody-such"), expect{4, []string{`"nobody-such", or with that name, not found`}})
	s.check(s.run("show"), expect{2, []string{"what to show is missing"}})
	s.check(s.run("show", "second/showy.csr"), expect{2, []string{"show -f second/showy.csr"}})
	s.check(s.run("show", "showy", "-f", "second/showy.csr"), expect{2, []string{"exclude each other"}})
	s.check(s.as(nobody).run("show", "showy"), expect{1, []string{"forbidden"}})

	sorted := s.must("list", "-o", "name", "--sort-by", ".request.createdAt").Stdout
	if strings.Index(sorted, pending) < strings.Index(sorted, "showy-") {
		t.Errorf("sorted by age:\n%s", sorted)
	}
	s.check(s.run("list", "--sort-by", "{.a[}"), expect{2, []string{`--sort-by "{.a[}" is not a valid JSONPath`}})
}

// TestShow_OnlyAPlantedRequestIsWarnedOf is for a list in which nobody would see a warning among as
// many that mean nothing.
func TestShow_OnlyAPlantedRequestIsWarnedOf(t *testing.T) {
	t.Parallel()
	const users = 100
	plane := controlplane.Start(t, controlplane.WithoutControllerManager(), controlplane.WithUser("mallory", nil, requestRule("create", "get")))
	s := newSession(t, plane)
	var team strings.Builder
	team.WriteString("name,groups\n")
	for i := range users {
		fmt.Fprintf(&team, "ordinary-%03d,dev\n", i)
	}
	s.write("team.csv", team.String())
	s.must("new-user", "-f", "team.csv", "--dir", "T")
	ordinary := s.must("list").Stdout
	if strings.Contains(ordinary, "warned") || strings.Count(ordinary, "\n") != users+1 {
		t.Errorf("of ordinary requests, the list says\n%s", ordinary)
	}
	s.as("mallory").must("new-user", "administrator", "--dir", "M")
	var warned []string
	for line := range strings.Lines(s.must("list").Stdout) {
		if strings.Contains(line, "warned") {
			warned = append(warned, line)
		}
	}
	if len(warned) != 1 || !strings.HasPrefix(warned[0], "administrator-") {
		t.Errorf("warned of are %q", warned)
	}
	if review := s.must("show", "administrator").Stdout; !strings.Contains(review, `warning: requested-by-other: it was submitted by "mallory", who is neither the user nor known to be able to approve it`) {
		t.Errorf("the review is\n%s", review)
	}
}
