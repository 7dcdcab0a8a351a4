package e2e

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/pki"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
	"github.com/csr-onboard/kubectl-csr-onboard/test/controlplane"
)

// hidingPlaces is how many requests there are in the test below: more than two pages of a
// list.
const hidingPlaces = 1200

func TestLabels_OffboardFindsEveryRequestWhateverItsLabels(t *testing.T) {
	t.Parallel()
	s := newSession(t, controlplane.Start(t, controlplane.WithoutControllerManager()))
	key, err := pki.NewKey(pki.DefaultKeyAlgorithm)
	if err != nil {
		t.Fatal(err)
	}
	client := requestsOf(s)
	const every = 100
	var creating sync.WaitGroup
	places := make(chan int)
	for range 16 {
		creating.Go(func() {
			for i := range places {
				user := fmt.Sprintf("crowd-%d", i)
				// Of each hundred, one is for the user, and one has only the user's label.
				label := user
				switch i % every {
				case 0:
					user = "hidden-user"
				case 1:
					label = "hidden-user"
				}
				made, err := pki.NewRequest(key, identity.User{Name: user})
				if err != nil {
					t.Error(err)
					return
				}
				object := request.Build(made, request.Terms{Lifetime: request.DefaultLifetime})
				object.Name = fmt.Sprintf("crowd-%05d", i)
				object.Labels = map[string]string{request.UserLabel: request.UserLabelValue(label)}
				if i == every {
					// A signer that is not the cluster's own may log in as well.
					object.Spec.SignerName = "example.com/login"
				}
				if _, err := client.Create(t.Context(), object.CertificateSigningRequest, metav1.CreateOptions{}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for i := range hidingPlaces {
		places <- i
	}
	close(places)
	creating.Wait()
	of := hidingPlaces / every

	begin := time.Now()
	plan := s.must("offboard", "hidden-user", "--dry-run=client").Stdout
	t.Logf("among %d requests, offboard looked for a user's for %s", hidingPlaces, time.Since(begin))
	if n := strings.Count(plan, "deny the pending request crowd-"); n != of {
		t.Errorf("it would deny %d requests, want %d:\n%s", n, of, plan)
	}
	begin = time.Now()
	result := s.run("approve", "crowd-2", "--yes")
	t.Logf("among %d requests, approving one by its user's name took %s", hidingPlaces, time.Since(begin))
	s.check(result, expect{0, nil})
	s.check(s.run("approve", "hidden-user", "--yes"), expect{2, []string{fmt.Sprintf("%d pending requests claim the name", of-1)}})

	s.must("offboard", "hidden-user", "--yes")
	list, err := client.List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	denied := 0
	for i := range list.Items {
		object := &list.Items[i]
		isDenied := request.StateOf(request.Of(object)) == request.Denied
		if isDenied {
			denied++
		}
		if isOfUser := request.ReviewOf(request.Of(object)).User.Name == "hidden-user"; isOfUser != isDenied {
			t.Errorf("%s: denied is %t", object.Name, isDenied)
		}
	}
	if denied != of {
		t.Errorf("%d requests were denied, want %d", denied, of)
	}
	s.must("approve", "-l", request.UserLabel+"="+request.UserLabelValue("crowd-100"), "--yes")
	if state := request.StateOf(s.object("x/crowd-00100")); state != request.Denied {
		t.Errorf("a request of an offboarded user is %s", state)
	}
}

func TestLabels_FetchFindsARequestWithAnotherLabel(t *testing.T) {
	s := newSession(t, shared)
	s.must("new-user", "relabelled", "--offline", "--dir", "D")
	parsed, err := pki.ParseRequest(s.read("D", "relabelled.csr"))
	if err != nil {
		t.Fatal(err)
	}
	object := request.Build(parsed, request.Terms{Lifetime: request.DefaultLifetime, Name: "under-another-name"})
	object.Labels = map[string]string{request.UserLabel: request.UserLabelValue("mallory")}
	if _, err := requestsOf(s).Create(t.Context(), object.CertificateSigningRequest, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	s.must("approve", "under-another-name", "--yes")
	s.must("fetch", "relabelled", "--dir", "D")
}

func TestLabels_ATeamsWaitOutlivesALabelThatIsTaken(t *testing.T) {
	s := newSession(t, shared)
	s.write("team.yaml", "apiVersion: csr-onboard.github.io/v1alpha1\nkind: Team\nusers:\n- name: unlabelled\n  groups: []\n")
	client := s.client()
	watchesRequests(t, client, func(ctx context.Context, object *certificatesv1.CertificateSigningRequest) error {
		switch {
		case !strings.HasPrefix(object.Name, "unlabelled-"):
			return nil
		case len(object.Labels) > 0:
			object.Labels = nil
			_, err := client.CertificatesV1().CertificateSigningRequests().Update(ctx, object, metav1.UpdateOptions{})
			return err
		case request.StateOf(request.Of(object)) == request.Pending:
			return approveObject(ctx, client, object)
		}
		return nil
	})
	s.must("new-user", "-f", "team.yaml", "--wait", "--dir", "team", "--timeout", "20s")
}
