// Command least is the least that a client can do to give users certificates: one
// process that makes keys, creates the requests, approves them, and watches until the
// certificates are there. It checks nothing, asks nobody, logs in as nobody and writes
// nothing; the benchmarks measure the real program against it. Its objects hold what
// the program's do, because what they hold is the API server's work and not the
// client's.
//
// usage: least KUBECONFIG NAME [USERS]
//
// With USERS, that many are onboarded at once, and NAME is what their names begin with.
package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"os"
	"strconv"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/typed/certificates/v1"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
)

func main() {
	if err := run(context.Background(), os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, arguments []string) error {
	config, err := clientcmd.BuildConfigFromFlags("", arguments[0])
	if err != nil {
		return err
	}
	config.ContentType = "application/vnd.kubernetes.protobuf"
	config.QPS = -1
	client, err := v1.NewForConfig(config)
	if err != nil {
		return err
	}
	requests := client.CertificateSigningRequests()
	if len(arguments) < 3 {
		return one(ctx, requests, arguments[1])
	}
	users, err := strconv.Atoi(arguments[2])
	if err != nil {
		return err
	}
	return many(ctx, requests, arguments[1], users)
}

// submit makes a user's key and request, creates the request and approves it.
func submit(ctx context.Context, requests v1.CertificateSigningRequestInterface, name string) (*certificatesv1.CertificateSigningRequest, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{
		Subject: pkix.Name{CommonName: name, Organization: []string{"dev"}},
	}, key)
	if err != nil {
		return nil, err
	}
	lifetime := int32(request.DefaultLifetime / time.Second)
	created, err := requests.Create(ctx, &certificatesv1.CertificateSigningRequest{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{request.UserLabel: request.UserLabelValue(name)}},
		Spec: certificatesv1.CertificateSigningRequestSpec{
			Request:           pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}),
			SignerName:        certificatesv1.KubeAPIServerClientSignerName,
			Usages:            []certificatesv1.KeyUsage{certificatesv1.UsageClientAuth},
			ExpirationSeconds: &lifetime,
		},
	}, metav1.CreateOptions{})
	if err != nil {
		return nil, err
	}
	created.Status.Conditions = []certificatesv1.CertificateSigningRequestCondition{{
		Type: certificatesv1.CertificateApproved, Status: corev1.ConditionTrue, Reason: "Least", Message: "least",
	}}
	return requests.UpdateApproval(ctx, name, created, metav1.UpdateOptions{})
}
