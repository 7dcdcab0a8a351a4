package main

import (
	"context"
	"errors"

	certificatesv1 "k8s.io/api/certificates/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/typed/certificates/v1"
)

func one(ctx context.Context, requests v1.CertificateSigningRequestInterface, name string) error {
	approved, err := submit(ctx, requests, name)
	if err != nil {
		return err
	}
	watch, err := requests.Watch(ctx, metav1.ListOptions{
		FieldSelector: "metadata.name=" + name, ResourceVersion: approved.ResourceVersion,
	})
	if err != nil {
		return err
	}
	defer watch.Stop()
	for event := range watch.ResultChan() {
		if object, ok := event.Object.(*certificatesv1.CertificateSigningRequest); ok && len(object.Status.Certificate) > 0 {
			return nil
		}
	}
	return errEnded
}

var errEnded = errors.New("the watch ended before the certificates were there")
