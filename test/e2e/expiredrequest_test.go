package e2e

import (
	"context"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/pki"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
	"github.com/csr-onboard/kubectl-csr-onboard/test/controlplane"
)

// signsWithEnds signs approved requests in place of a controller manager. notAfter says for
// each when its certificate expires.
func signsWithEnds(s *session, notAfter func() time.Time) {
	s.t.Helper()
	client, authority := s.client(), authorityFor(s.t, s.plane)
	watchesRequests(s.t, client, func(ctx context.Context, object *certificatesv1.CertificateSigningRequest) error {
		if request.StateOf(request.Of(object)) != request.Approved {
			return nil
		}
		parsed, err := pki.ParseRequest(object.Spec.Request)
		if err != nil {
			return err
		}
		object.Status.Certificate = authority.sign(s.t, parsed.User(), parsed.PublicKey, time.Now().Add(-time.Hour), notAfter())
		_, err = client.CertificatesV1().CertificateSigningRequests().UpdateStatus(ctx, object, metav1.UpdateOptions{})
		return err
	})
}

func TestExpiredRequest_ANewRequestTakesThePlaceOfOneWhoseCertificateHasExpired(t *testing.T) {
	t.Parallel()
	plane := controlplane.Start(t, controlplane.WithoutControllerManager())
	for _, test := range []struct {
		user string
		// again is what is run while the expired request is on the cluster.
		again []string
	}{
		{"expired-new-user", []string{"new-user", "expired-new-user", "-g", "dev", "--dir", "."}},
		{"expired-approve", []string{"new-user", "expired-approve", "-g", "dev", "--dir", ".", "--approve"}},
		{"expired-team", []string{"new-user", "-f", "team.csv", "--dir", ".", "--approve"}},
	} {
		t.Run(test.user, func(t *testing.T) {
			s := newSession(t, plane)
			s.write("team.csv", "name,groups\n"+test.user+",dev\n")
			var isSecond atomic.Bool
			signsWithEnds(s, func() time.Time {
				if isSecond.Load() {
					return time.Now().Add(time.Hour)
				}
				return time.Now().Add(-time.Minute)
			})
			fetch := []string{"fetch", test.user, "--dir", "."}
			first := s.must("new-user", test.user, "-g", "dev", "--dir", ".")
			s.must("approve", test.user, "--yes", "--wait=false")
			s.check(s.run(fetch...), expect{1, []string{"the certificate expired", "hint: nothing was written; request another, with a new key: run new-user again"}})
			key := string(s.read(test.user + ".key"))

			isSecond.Store(true)
			s.must(test.again...)
			if string(s.read(test.user+".key")) == key {
				t.Error("the key of the expired certificate is still in use")
			}
			retired, err := filepath.Glob(s.path(test.user + "-*.key"))
			if err != nil || len(retired) != 1 || string(s.read(filepath.Base(retired[0]))) != key {
				t.Errorf("the key before is not kept: %q, %v", retired, err)
			}
			if !strings.Contains(strings.Join(test.again, " "), "--approve") {
				s.must("approve", test.user, "--yes", "--wait=false")
			}
			s.must(fetch...)
			whoami := s.kubectl("--kubeconfig", test.user+".kubeconfig", "auth", "whoami", "-o", "jsonpath={.status.userInfo.username}")
			if whoami.Stdout != test.user {
				t.Errorf("logged in as %q\n%s", whoami.Stdout, whoami.Stderr)
			}
			if n := countRequestsOf(s, test.user+"-"); n != 2 {
				t.Errorf("there are %d requests, the first %s", n, first.Stdout)
			}
			// Run again, the new request is found.
			s.must("new-user", test.user, "-g", "dev", "--dir", ".")
			if n := countRequestsOf(s, test.user+"-"); n != 2 {
				t.Errorf("there are %d requests after another run", n)
			}
		})
	}
}

func TestExpiredRequest_WhatWasNamedIsNotReplacedByANewRequest(t *testing.T) {
	t.Parallel()
	plane := controlplane.Start(t, controlplane.WithoutControllerManager())
	s := newSession(t, plane)
	signsWithEnds(s, func() time.Time { return time.Now().Add(-time.Minute) })
	s.must("new-user", "expired-named", "--dir", ".", "--request-name", "my-request")
	key := string(s.read("expired-named.key"))
	s.must("approve", "my-request", "--yes", "--wait=false")
	s.check(s.run("fetch", "expired-named", "--dir", ".", "--request-name", "my-request"), expect{1, []string{"the certificate expired"}})
	s.check(s.run("new-user", "expired-named", "--dir", ".", "--request-name", "my-request"), expect{2, []string{`"my-request" has been issued, and its certificate expired`, "leave out --request-name"}})
	dry := s.must("new-user", "expired-named", "--dir", ".", "--request-name", "my-request", "--dry-run=server")
	if string(s.read("expired-named.key")) != key || strings.Contains(dry.Stdout, " created") {
		t.Errorf("it was replaced all the same:\n%s%s", dry.Stdout, dry.Stderr)
	}
}
