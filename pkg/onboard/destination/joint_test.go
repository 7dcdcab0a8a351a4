package destination_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/kubeconfig"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/destination"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/event"
)

// part delivers jane's kubeconfig for a cluster to a file of its own.
func (d *delivering) part(t *testing.T, cluster string) destination.Part {
	t.Helper()
	written, err := d.deliver(t, destination.Input{Path: filepath.Join(t.TempDir(), cluster), ClusterName: cluster})
	if err != nil {
		t.Fatal(err)
	}
	return destination.Part{Path: written.Path, LoggedIn: true}
}

// join checks first, as the use case does.
func (d *delivering) join(t *testing.T, in destination.Input, parts ...destination.Part) (string, error) {
	t.Helper()
	joint := destination.NewJoint(in, d.directory, "jane")
	if err := joint.CheckEarly(t.Context()); err != nil {
		return joint.Path, err
	}
	return joint.Path, joint.Deliver(t.Context(), destination.Run{Now: time.Now, Tell: func(e event.Event) { d.told = append(d.told, e) }}, parts)
}

func TestJoint_ContextsAreAddedAndStay(t *testing.T) {
	d := newDelivering(t)
	dev, prod := d.part(t, "dev"), d.part(t, "prod")
	path, err := d.join(t, destination.Input{}, dev)
	if err != nil || path != d.directory.KubeconfigPath() {
		t.Fatal(path, err)
	}
	if _, err := d.join(t, destination.Input{}, prod); err != nil {
		t.Fatal(err)
	}
	both := read(t, path)
	config, err := kubeconfig.Decode(both)
	if err != nil || len(config.Contexts) != 2 || config.CurrentContext != "jane@dev" {
		t.Fatalf("%v:\n%s", err, both)
	}
	if _, err := d.join(t, destination.Input{}, dev, prod); err != nil || !bytes.Equal(read(t, path), both) {
		t.Errorf("the second time changes something: %v", err)
	}
}

func TestJoint_APairThatExpiresLaterIsKept(t *testing.T) {
	d := newDelivering(t)
	older := d.part(t, "dev")
	d.issued = d.pair(t, 2*time.Hour, "jane")
	if _, err := d.join(t, destination.Input{}, d.part(t, "dev")); err != nil {
		t.Fatal(err)
	}
	if _, err := d.join(t, destination.Input{}, older); err == nil || !strings.Contains(err.Error(), "expires later") {
		t.Errorf("got %v", err)
	}
	if _, err := d.join(t, destination.Input{Overwrite: true}, older); err != nil {
		t.Error(err)
	}
}

func TestJoint_WhatIsNotTheUsersAloneIsNotChanged(t *testing.T) {
	d := newDelivering(t)
	dev := d.part(t, "dev")
	other := filepath.Join(t.TempDir(), "other")
	d.issued = d.pair(t, time.Hour, "joe")
	config := kubeconfig.Assemble(d.server.Endpoint, d.issued.Credentials, kubeconfig.Names{Cluster: "c", Context: "joe@c"}, "")
	encoded, err := kubeconfig.Encode(config)
	if err != nil {
		t.Fatal(err)
	}
	for about, text := range map[string][]byte{"another user": encoded, "no kubeconfig": []byte("text")} {
		if err := os.WriteFile(other, text, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := d.join(t, destination.Input{Path: other}, dev); err == nil || !bytes.Equal(read(t, other), text) {
			t.Errorf("%s: %v", about, err)
		}
	}
	if err := os.WriteFile(other, encoded, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := d.join(t, destination.Input{Path: other, Merge: true, Visible: clientcmdapi.NewConfig()}, dev); err != nil {
		t.Error(err)
	}
	if merged, err := kubeconfig.Decode(read(t, other)); err != nil || len(merged.Contexts) != 2 || merged.CurrentContext != "joe@c" {
		t.Errorf("merged: %v, %v", err, merged)
	}
}
