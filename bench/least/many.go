package main

import (
	"context"
	"fmt"

	"golang.org/x/sync/errgroup"
	certificatesv1 "k8s.io/api/certificates/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/typed/certificates/v1"
)

// workers is how many requests are made at once, as the program does it.
const workers = 16

// many onboards users through one watch, which is there before the first of them.
func many(ctx context.Context, requests v1.CertificateSigningRequestInterface, prefix string, users int) error {
	group, ctx := errgroup.WithContext(ctx)
	// Not those that there are already.
	list, err := requests.List(ctx, metav1.ListOptions{Limit: 1})
	if err != nil {
		return err
	}
	watch, err := requests.Watch(ctx, metav1.ListOptions{ResourceVersion: list.ResourceVersion})
	if err != nil {
		return err
	}
	defer watch.Stop()
	// One more than submit, for who listens.
	group.SetLimit(workers + 1)
	group.Go(func() error {
		missing := make(map[string]bool, users)
		for n := range users {
			missing[nameOf(prefix, n)] = true
		}
		for event := range watch.ResultChan() {
			object, isRequest := event.Object.(*certificatesv1.CertificateSigningRequest)
			if !isRequest {
				return apierrors.FromObject(event.Object)
			}
			if len(object.Status.Certificate) > 0 {
				if delete(missing, object.Name); len(missing) == 0 {
					return nil
				}
			}
		}
		return errEnded
	})
	for n := range users {
		group.Go(func() error {
			_, err := submit(ctx, requests, nameOf(prefix, n))
			return err
		})
	}
	return group.Wait()
}

func nameOf(prefix string, n int) string { return fmt.Sprintf("%s-%d", prefix, n) }
