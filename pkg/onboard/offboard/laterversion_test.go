package offboard_test

import (
	"errors"
	"maps"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/access"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cluster/enforcement"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/offboard"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
)

// laterList is a list as a version that does not exist yet may write it.
func laterList() *corev1.ConfigMap {
	list := access.BlockList()
	list.Annotations = map[string]string{access.FormatAnnotation: "2"}
	list.Data = map[string]string{"v2": "what this version cannot read"}
	return list
}

func isOfLaterVersion(err error) bool {
	return errors.Is(err, outcome.ErrRefused) && strings.Contains(err.Error(), `has the format "2" of a later version`) && strings.Contains(outcome.Hint(err), "#upgrade")
}

func TestOffboard_AListOfALaterVersionIsNeitherReadNorChanged(t *testing.T) {
	w := employed(t)
	w.Server.Put(t, laterList())
	in := leaving()
	in.Block = true
	if _, err := offboard.Run(t.Context(), w.Program, in); !isOfLaterVersion(err) {
		t.Errorf("offboard --block: %v", err)
	}
	client := w.Cluster.Blocking()
	jane := access.Blocked{User: "jane"}
	entry := access.Entry{Blocked: jane, Details: access.Details{User: "jane", At: time.Now()}}
	for doing, run := range map[string]func() error{
		"list":  func() error { _, _, err := client.List(t.Context()); return err },
		"block": func() error { return client.Block(t.Context(), time.Now(), false, jane, entry) },
		"revoke": func() error {
			return client.Revoke(t.Context(), time.Now(), false, jane, func(access.List) (access.Entry, error) { return entry, nil })
		},
		"remove":  func() error { _, err := client.Unblock(t.Context(), jane, false, nil); return err },
		"enforce": func() error { _, err := w.Cluster.Enforcement().List(t.Context()); return err },
		"watch": func() error {
			return w.Cluster.Enforcement().Watch(t.Context(), "0", func() {}, func(enforcement.Listed) {})
		},
	} {
		if err := run(); !isOfLaterVersion(err) {
			t.Errorf("%s: %v", doing, err)
		}
	}
	after := corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: access.BlockNamespace}}
	if !w.Server.Find(t, access.BlockName, &after) || !maps.Equal(after.Data, laterList().Data) {
		t.Errorf("the list was changed: %v", after.Data)
	}
	if policies := w.Server.Names("validatingadmissionpolicies"); len(policies) > 0 {
		t.Errorf("the policy was replaced: %q", policies)
	}
}
