package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/dynamic"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/ledger"
	"github.com/csr-onboard/kubectl-csr-onboard/test/controlplane"
	"github.com/csr-onboard/kubectl-csr-onboard/test/program"
)

// ledgers is reading the whole ledger, with a tenth of the records and with all, and finding the
// certificates of one user in it.
func ledgers(b *bench) (*comparison, error) {
	plane, env, stop, err := b.plane()
	if err != nil {
		return nil, err
	}
	defer stop()
	command := func(name string, arguments ...string) func(int) *exec.Cmd {
		return func(int) *exec.Cmd { return env.Command(b.ctx, name, arguments...) }
	}
	definition, err := filepath.Abs(filepath.Join("..", "deploy", "ledger", "crd.yaml"))
	if err != nil {
		return nil, err
	}
	for _, arguments := range [][]string{{"apply", "-f", definition}, {"wait", "--for=condition=established", "-f", definition}} {
		if text, err := command(controlplane.Kubectl, arguments...)(0).CombinedOutput(); err != nil {
			return nil, fmt.Errorf("kubectl %s: %w: %s", arguments[0], err, text)
		}
	}
	c := &comparison{About: fmt.Sprintf("of %d records, and of a tenth of them", b.requests)}
	few := max(1, b.requests/10)
	fmt.Fprintf(os.Stderr, "making %d records\n", b.requests)
	if err := record(b.ctx, plane, 0, few); err != nil {
		return nil, err
	}
	before, err := measure(b.few(), contender{fmt.Sprintf("ledger -o csv, %d records", few), command(program.Name, "ledger", "-o", "csv")})
	if err != nil {
		return nil, err
	}
	if err := record(b.ctx, plane, few, b.requests); err != nil {
		return nil, err
	}
	figures, err := measure(b.few(),
		contender{"kubectl get clientcertificates", command(controlplane.Kubectl, "get", ledger.Resource)},
		contender{"ledger -o csv", command(program.Name, "ledger", "-o", "csv")},
		contender{"kubectl get of one user", command(controlplane.Kubectl, "get", ledger.Resource, "--field-selector", ledger.UserField[1:]+"="+holder(0))},
		contender{"ledger --for-user", command(program.Name, "ledger", "--for-user", holder(0))},
	)
	if err != nil {
		return nil, err
	}
	c.Figures = slices.Concat(figures, before)
	c.memoryAtMost(1.3, 1, 4)
	c.memoryAtMost(1, 1, 0)
	c.timeAtMost(1, 3, 2)
	return c, nil
}

// holder names the nth of the users who have a certificate.
func holder(n int) string { return fmt.Sprintf("holder-%d", n) }

// record makes records of certificates.
func record(ctx context.Context, plane *controlplane.Plane, from, to int) error {
	config, err := plane.RESTConfig()
	if err != nil {
		return err
	}
	config.QPS = -1
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(creators)
	now := time.Now().UTC().Truncate(time.Second)
	for n := from; n < to; n++ {
		group.Go(func() error {
			made := &ledger.ClientCertificate{
				TypeMeta:   metav1.TypeMeta{APIVersion: ledger.GroupVersion.String(), Kind: ledger.Kind},
				ObjectMeta: metav1.ObjectMeta{Name: ledger.NameOf([]byte(holder(n)))},
				Spec: ledger.Spec{
					User: holder(n), Groups: []string{"dev", "ops"}, Serial: "1234567890abcdef", Key: ledger.Key{Fingerprint: "SHA256:unknown", Algorithm: "ECDSA P-256"},
					NotBefore: metav1.NewTime(now), NotAfter: metav1.NewTime(now.Add(365 * 24 * time.Hour)),
					Requester: &ledger.Requester{User: "admin"}, Decision: &ledger.Decision{By: "admin", Reason: "ByBench"},
					Request: &ledger.Request{Name: holder(n)}, Source: ledger.FromCluster, Verified: true,
				},
			}
			fields, err := runtime.DefaultUnstructuredConverter.ToUnstructured(made)
			if err != nil {
				return err
			}
			_, err = client.Resource(ledger.GroupVersion.WithResource(ledger.Resource)).Create(ctx, &unstructured.Unstructured{Object: fields}, metav1.CreateOptions{})
			return err
		})
	}
	return group.Wait()
}
