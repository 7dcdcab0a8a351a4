package main

import (
	"context"
	"fmt"

	"golang.org/x/sync/errgroup"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	certificatesv1 "k8s.io/client-go/kubernetes/typed/certificates/v1"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/pki"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
	"github.com/csr-onboard/kubectl-csr-onboard/test/controlplane"
)

// waiting names the nth of the users whose requests are pending.
func waiting(n int) string { return fmt.Sprintf("waiting-%d", n) }

// creators is how many requests are made at once; more than the API server's own
// fairness lets through only wait there.
const creators = 16

// populate makes pending requests as new-user does, for one key: what a list costs
// does not depend on whose they are.
func populate(ctx context.Context, plane *controlplane.Plane, requests int) error {
	config, err := plane.RESTConfig()
	if err != nil {
		return err
	}
	config.QPS = -1
	client, err := certificatesv1.NewForConfig(config)
	if err != nil {
		return err
	}
	key, err := pki.NewKey(pki.DefaultKeyAlgorithm)
	if err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(creators)
	for n := range requests {
		group.Go(func() error {
			made, err := pki.NewRequest(key, identity.User{Name: waiting(n), Groups: []string{"dev", "ops"}})
			if err != nil {
				return err
			}
			object := request.Build(made, request.Terms{Lifetime: request.DefaultLifetime})
			_, err = client.CertificateSigningRequests().Create(ctx, object.CertificateSigningRequest, metav1.CreateOptions{})
			return err
		})
	}
	return group.Wait()
}
