package teamfile

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/access"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
)

const header = "apiVersion: csr-onboard.github.io/v1alpha1\nkind: Team\nusers:\n"

// everything is one team in each form.
var everything = map[string]string{
	"YAML": header + `- name: jane
  groups: [dev, ops]
  clusterRoles: [view]
  roles: [deployer]
  namespace: shop
  expiration: 8h
  keyAlgorithm: ed25519
  allow: [user-offboarded, other-certificate-valid]
- name: Zoë Å
  groups: []
- name: "007"
`,
	"JSON": `{"apiVersion": "csr-onboard.github.io/v1alpha1", "kind": "Team", "users": [
	{"name": "jane", "groups": ["dev", "ops"], "clusterRoles": ["view"], "roles": ["deployer"],
	 "namespace": "shop", "expiration": "8h", "keyAlgorithm": "ed25519",
	 "allow": ["user-offboarded", "other-certificate-valid"]},
	{"name": "Zoë Å", "groups": []},
	{"name": "007"}]}`,
	"CSV": "\uFEFFname,groups,clusterRoles,roles,namespace,expiration,keyAlgorithm,allow\r\n" +
		"jane,dev;ops,view,deployer,shop,8h,ed25519,user-offboarded;other-certificate-valid\r\n" +
		"\"Zoë Å\",,,,,,,\r\n" +
		"007,,,,,,,\r\n",
}

func TestTeam_TheFormsSayTheSame(t *testing.T) {
	for form, text := range everything {
		t.Run(form, func(t *testing.T) {
			members, mistakes := Parse([]byte(text))
			if mistakes != nil {
				t.Fatal(mistakes)
			}
			want := []Member{
				{
					User: identity.User{Name: "jane", Groups: []string{"dev", "ops"}}, HasGroups: true,
					KeyAlgorithm: "ed25519", Lifetime: 8 * time.Hour, HasGrants: true,
					Grants: []access.Grant{
						{Role: access.Role{IsCluster: true, Name: "view"}, Namespace: "shop"},
						{Role: access.Role{Name: "deployer"}, Namespace: "shop"},
					},
					Allow: []string{"user-offboarded", "other-certificate-valid"},
				},
				{User: identity.User{Name: "Zoë Å"}, HasGroups: form != "CSV"},
				{User: identity.User{Name: "007"}},
			}
			for i := range members {
				if members[i].Line == 0 {
					t.Errorf("%s has no line", members[i].User.Name)
				}
				members[i].Line = 0
				if len(members[i].User.Groups) == 0 {
					members[i].User.Groups = nil
				}
			}
			if diff := cmp.Diff(want, members); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestTeam_EveryMistakeHasItsLine(t *testing.T) {
	user := func(lines string) string { return header + lines }
	for name, test := range map[string]struct {
		text string
		want []string
	}{
		"nothing":             {"", []string{"0: it is empty"}},
		"no user":             {user("[]\n")[:len(header)-1] + " []\n", []string{"0: it contains no user"}},
		"no YAML":             {"a: [", []string{"1: invalid YAML"}},
		"a text":              {"jane\n", []string{"1: a team has fields"}},
		"two documents":       {user("- name: a\n") + "---\n" + user("- name: b\n"), []string{"6: it holds more than one document"}},
		"another kind":        {"apiVersion: csr-onboard.github.io/v1alpha1\nkind: Crew\nusers: [{name: a}]\n", []string{`2: kind is "Crew", not Team`}},
		"another version":     {"apiVersion: csr-onboard.github.io/v1\nkind: Team\nusers: [{name: a}]\n", []string{`1: apiVersion is "csr-onboard.github.io/v1"`}},
		"no kind":             {"apiVersion: csr-onboard.github.io/v1alpha1\nusers: [{name: a}]\n", []string{"1: kind not found: write kind: Team"}},
		"no users":            {"apiVersion: csr-onboard.github.io/v1alpha1\nkind: Team\n", []string{"1: it contains no users"}},
		"users is not a list": {header + "  jane: {}\n", []string{"4: users is not a list"}},
		"an unknown field":    {user("- name: jane\n  grups: [dev]\n"), []string{`5: a user has no field "grups"; there are name, groups`}},
		"a field of a team":   {"team: x\n" + user("- name: jane\n"), []string{`1: a team has no field "team"`}},
		"a field twice":       {user("- name: jane\n  name: bob\n"), []string{"5: name appears twice"}},
		"a user twice":        {user("- name: jane\n- name: bob\n- name: jane\n"), []string{`6: the user "jane" is named in line 4 already`}},
		"no name":             {user("- groups: [dev]\n"), []string{"4: a user has no name"}},
		"an empty name":       {user("- name: ''\n"), []string{"4: "}},
		"a number for a name": {user("- name: 007\n"), []string{`4: name is not text: write it in quotes, "007"`}},
		"a word for a list":   {user("- name: jane\n  groups: dev\n"), []string{"5: groups is not a list: write [dev]"}},
		"a list for a word":   {user("- name: [jane]\n"), []string{"4: name is not text"}},
		"a reserved name":     {user("- name: jane\n- name: system:admin\n"), []string{"5: "}},
		"a reserved group":    {user("- name: jane\n  groups:\n  - dev\n  - system:masters\n"), []string{"6: "}},
		"the group of a pin":  {user("- name: jane\n  groups: ['csr-onboard:pin:00000000000000000000000000000001']\n"), []string{"5: the group of a pin marks certificates"}},
		"a lifetime":          {user("- name: jane\n  expiration: 5m\n"), []string{"5: the lifetime 5m is shorter"}},
		"a finding that is not about users who left": {user("- name: jane\n  allow: [admin-group]\n"), []string{`5: unknown finding "admin-group"; use one of user-blocked, user-offboarded, other-certificate-valid`}},
		"a key algorithm":    {user("- name: jane\n  keyAlgorithm: dsa\n"), []string{`5: unknown key algorithm "dsa"; use one of ecdsa-p256`}},
		"a role's namespace": {user("- name: jane\n  roles: [deployer]\n"), []string{`5: the Role "deployer" is in a namespace, and none is named`}},
		"a role's name":      {user("- name: jane\n  clusterRoles: [a/b]\n"), []string{`5: "a/b" is not a valid ClusterRole name`}},
		"a namespace alone":  {user("- name: jane\n  namespace: shop\n"), []string{"5: a namespace does nothing without"}},
		"a namespace's name": {user("- name: jane\n  clusterRoles: [view]\n  namespace: Shop\n"), []string{`6: "Shop" is not a valid namespace`}},
		"several":            {user("- name: jane\n  a: b\n- name: 1\n- groups: x\n"), []string{`5: a user has no field "a"`, "6: name is not text", "7: groups is not a list"}},
		"escapes":            {user("- name: jane\n  \"\\e[2J\": x\n"), []string{`5: a user has no field "\x1b[2J"`}},

		"a table's column":       {"name,group\njane,dev\n", []string{`1: unknown column "group"; the columns are name, groups`}},
		"a table's other column": {"Name,Team\njane,dev\n", []string{`1: unknown column "Team"`}},
		"a column twice":         {"name,name\njane,bob\n", []string{"1: the column name appears twice"}},
		"no column of names":     {"groups\ndev\n", []string{"1: column name not found"}},
		"a table of nobody":      {"name\n", []string{"0: it contains no user"}},
		"a short row":            {"name,groups\njane\nbob,dev\n", []string{"2: the row has 1 cells, and there are 2 columns"}},
		"quotes that stay open":  {"name,groups\nbob,dev\n\"jane,dev\n", []string{"3: invalid CSV"}},
		"a row without a name":   {"name,groups\n,dev\n", []string{"2: a user has no name"}},
		"a table's user twice":   {"name\njane\n\njane\n", []string{`4: the user "jane" is named in line 2 already`}},
		"a table's bad lifetime": {"name,expiration\njane,soon\n", []string{`2: "soon" is not a valid lifetime`}},
		"invalid UTF-8":          {"name\n\xff\n", []string{"0: invalid UTF-8"}},
	} {
		t.Run(name, func(t *testing.T) {
			members, mistakes := Parse([]byte(test.text))
			if members != nil {
				t.Errorf("there are users: %v", members)
			}
			if len(mistakes) != len(test.want) {
				t.Fatalf("%v, want %q", mistakes, test.want)
			}
			for i, want := range test.want {
				if got := fmt.Sprintf("%d: %s", mistakes[i].Line, mistakes[i].Problem); !strings.HasPrefix(got, want) {
					t.Errorf("%q, want %q", got, want)
				}
			}
		})
	}
}

func TestTeam_AnAnchorIsWhatItStandsFor(t *testing.T) {
	members, mistakes := Parse([]byte(header + "- name: jane\n  groups: &both [dev, ops]\n- name: bob\n  groups: *both\n"))
	if mistakes != nil || !slices.Equal(members[1].User.Groups, []string{"dev", "ops"}) {
		t.Errorf("%v, %v", members, mistakes)
	}
}

func TestTeam_AnAnchorDoesNotExpandWithoutBound(t *testing.T) {
	groups := "&all [" + strings.Repeat("a-group-with-a-name, ", 5_000) + "last]"
	file := header + "- name: user-0\n  groups: " + groups + "\n"
	for i := range 300 {
		file += fmt.Sprintf("- {name: u%d, groups: *all}\n", i)
	}
	_, mistakes := Parse([]byte(file))
	if len(mistakes) != 1 || !strings.Contains(mistakes[0].Problem, "more than 16 MiB") {
		t.Errorf("%d mistakes: %.200v", len(mistakes), mistakes)
	}
	_, mistakes = Parse([]byte("name,groups\n" + strings.Repeat("a,b\n", 1_000_001)))
	if len(mistakes) != 1 || !strings.Contains(mistakes[0].Problem, "values or lines") {
		t.Errorf("%d mistakes: %.200v", len(mistakes), mistakes)
	}
}

func FuzzParse(f *testing.F) {
	for _, text := range everything {
		f.Add([]byte(text))
	}
	f.Add([]byte("name,groups\n\"a,b"))
	f.Add([]byte(header + "- &a {name: *a}\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		members, mistakes := Parse(data)
		if len(members) > 0 == (len(mistakes) > 0) {
			t.Errorf("%d users and %d mistakes", len(members), len(mistakes))
		}
		for _, mistake := range mistakes {
			if identity.PrintableSentence(mistake.Problem) != mistake.Problem {
				t.Errorf("not safe to print: %q", mistake.Problem)
			}
		}
		seen := map[string]bool{}
		for _, member := range members {
			if _, err := identity.Parse(member.User.Name, member.User.Groups); err != nil || member.Line < 1 || seen[member.User.Name] {
				t.Errorf("%+v: %v", member, err)
			}
			seen[member.User.Name] = true
		}
	})
}

func TestFields_EveryFieldOfAUserIsDocumented(t *testing.T) {
	fields := Fields()
	if len(fields) != len(userFields) {
		t.Fatalf("%d of %d fields", len(fields), len(userFields))
	}
	for i, field := range fields {
		if field.Name != userFields[i] || field.Meaning == "" || field.IsList != slices.Contains(listFields, field.Name) {
			t.Errorf("%+v", field)
		}
	}
}
