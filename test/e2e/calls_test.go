package e2e

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// callLine is a line of the log of calls (-v 6): the method, and the path with its query.
var callLine = regexp.MustCompile(`(?m)^(GET|POST|PUT|PATCH|DELETE) (/\S+): `)

// changing are the parts of a call that differ from run to run, and what stands for them.
var changing = []struct {
	pattern *regexp.Regexp
	stands  string
}{
	{regexp.MustCompile(`calls-[a-z]+-[a-z2-7]{10}`), "REQUEST"},
	{regexp.MustCompile(`calls-[a-z]+`), "USER"},
	{regexp.MustCompile(`resourceVersion=\d+`), "resourceVersion=N"},
	{regexp.MustCompile(`timeoutSeconds=\d+`), "timeoutSeconds=N"},
}

func callsIn(log string) []string {
	var calls []string
	for _, match := range callLine.FindAllStringSubmatch(log, -1) {
		if strings.Contains(match[2], "continue=") {
			// Other tests make requests too, and a further page is not a call of its own.
			continue
		}
		call := match[1] + " " + match[2]
		for _, one := range changing {
			call = one.pattern.ReplaceAllString(call, one.stands)
		}
		calls = append(calls, call)
	}
	slices.Sort(calls)
	return calls
}

// The calls of the commands below.
const (
	csrs          = "/apis/certificates.k8s.io/v1/certificatesigningrequests"
	rbac          = "/apis/rbac.authorization.k8s.io/v1/"
	mayICall      = "POST /apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
	whoAmICall    = "POST /apis/authentication.k8s.io/v1/selfsubjectreviews"
	blockListCall = "GET /api/v1/namespaces/kube-system/configmaps/csr-onboard-blocked"
	// Why pending requests were left to people.
	outcomesCall = "GET /api/v1/namespaces/kube-system/events?fieldSelector=reportingComponent%3Dcsr-onboard.github.io%2Fapprover&limit=500"
	// What the user has already, and, where nobody is named, whether there is a ledger. No cluster of
	// these tests has one, so it is asked once.
	holdingsCall = "GET /apis/csr-onboard.github.io/v1alpha1/clientcertificates?fieldSelector=spec.user%3DUSER&limit=500"
	ledgerCall   = "GET /apis/csr-onboard.github.io/v1alpha1/clientcertificates?limit=1"
	submission   = "POST " + csrs
	decision     = "PUT " + csrs + "/REQUEST/approval"
	ofSigner     = "GET " + csrs + "?fieldSelector=spec.signerName%3Dkubernetes.io%2Fkube-apiserver-client&limit=500"
	ofAll        = "GET " + csrs + "?limit=500"
	certificate  = "GET " + csrs + "?fieldSelector=metadata.name%3DREQUEST&resourceVersion=N&timeout=5m0s&timeoutSeconds=N&watch=true"
	// Role bindings are read from the API server's own cache: resourceVersion=0.
	ofCluster    = "GET " + rbac + "clusterrolebindings?limit=500&resourceVersion=N"
	ofNamespaces = "GET " + rbac + "rolebindings?limit=500&resourceVersion=N"
	clusterRoles = "GET " + rbac + "clusterroles?limit=500&resourceVersion=N"
)

// Each further call may be a round trip more to an API server that is far away: a new one is
// added here on purpose, or not at all.
func TestCalls_EachCommandMakesThese(t *testing.T) {
	s := newSession(t, shared)
	for _, test := range []struct {
		arguments []string
		prepare   [][]string
		want      []string
	}{
		{arguments: []string{"new-user", "calls-submitted", "--group", "dev"}, want: []string{blockListCall, submission}},
		{arguments: []string{"new-user", "calls-approved", "--group", "dev", "--approve"}, want: []string{blockListCall, ledgerCall, certificate, ofSigner, ofCluster, ofNamespaces, whoAmICall, mayICall, mayICall, submission, decision}},
		{prepare: [][]string{{"new-user", "calls-decided"}}, arguments: []string{"approve", "calls-decided", "--yes"}, want: []string{blockListCall, holdingsCall, "GET " + csrs + "/USER", ofAll, ofCluster, clusterRoles, ofNamespaces, whoAmICall, mayICall, mayICall, decision}},
		{
			prepare:   [][]string{{"new-user", "calls-fetched", "--approve"}, {"fetch", "calls-fetched", "--out", "-"}},
			arguments: []string{"fetch", "calls-fetched", "--overwrite"}, want: []string{"GET " + csrs + "/REQUEST", ledgerCall, whoAmICall},
		},
		{arguments: []string{"list"}, want: []string{outcomesCall, ofSigner}},
		{prepare: [][]string{{"new-user", "calls-shown"}}, arguments: []string{"show", "calls-shown"}, want: []string{blockListCall, holdingsCall, outcomesCall, "GET " + csrs + "/USER", ofAll, ofCluster, clusterRoles, ofNamespaces, whoAmICall, mayICall, mayICall}},
	} {
		for _, before := range test.prepare {
			s.must(before...)
		}
		got := s.must(append(test.arguments, "-v", "6")...)
		slices.Sort(test.want)
		if diff := cmp.Diff(test.want, callsIn(got.Stderr)); diff != "" {
			t.Errorf("%s: (-expected +made)\n%s", strings.Join(test.arguments, " "), diff)
		}
	}
}
