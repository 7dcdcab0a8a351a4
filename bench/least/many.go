package main

import (
	"context"
	"fmt"

	"golang.org/x/sync/errgroup"
	certificatesv1 "k8s.io/api/certificates/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
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
	watch, err := watchFrom(ctx, requests, list.ResourceVersion)
	if err != nil {
		return err
	}
	// One more than submit, for who listens.
	group.SetLimit(workers + 1)
	group.Go(func() error {
		missing := make(map[string]bool, users)
		for n := range users {
			missing[nameOf(prefix, n)] = true
		}
		return listen(ctx, requests, watch, missing)
	})
	for n := range users {
		group.Go(func() error {
			_, err := submit(ctx, requests, nameOf(prefix, n))
			return err
		})
	}
	return group.Wait()
}

func watchFrom(ctx context.Context, requests v1.CertificateSigningRequestInterface, version string) (watch.Interface, error) {
	return requests.Watch(ctx, metav1.ListOptions{ResourceVersion: version})
}

// listen returns once every missing request has its certificate. The API server ends a
// watch that cannot take events as fast as they come, as on a machine that has no
// processor to spare for it: it continues with another.
func listen(ctx context.Context, requests v1.CertificateSigningRequestInterface, events watch.Interface, missing map[string]bool) error {
	var version string
	for {
		for event := range events.ResultChan() {
			object, isRequest := event.Object.(*certificatesv1.CertificateSigningRequest)
			if !isRequest {
				return apierrors.FromObject(event.Object)
			}
			version = object.ResourceVersion
			if len(object.Status.Certificate) > 0 {
				if delete(missing, object.Name); len(missing) == 0 {
					events.Stop()
					return nil
				}
			}
		}
		if version == "" {
			return errEnded
		}
		events.Stop()
		var err error
		if events, err = watchFrom(ctx, requests, version); err != nil {
			return err
		}
	}
}

func nameOf(prefix string, n int) string { return fmt.Sprintf("%s-%d", prefix, n) }
