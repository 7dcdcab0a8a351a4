package destination_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/destination"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/event"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
)

func put(t *testing.T, path string, text []byte, mode os.FileMode) {
	t.Helper()
	err := os.WriteFile(path, text, mode)
	if err == nil {
		err = os.Chmod(path, mode)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestJoint_APartThatCannotBeUsedChangesNothing has one thing at a time be wrong with what is joined.
func TestJoint_APartThatCannotBeUsedChangesNothing(t *testing.T) {
	t.Parallel()
	replaced := func(old, with string) func(*testing.T, destination.Part) {
		return func(t *testing.T, part destination.Part) {
			t.Helper()
			text := read(t, part.Path)
			if !bytes.Contains(text, []byte(old)) {
				t.Fatalf("%q is missing in\n%s", old, text)
			}
			put(t, part.Path, bytes.ReplaceAll(text, []byte(old), []byte(with)), 0o600)
		}
	}
	for about, test := range map[string]struct {
		change func(*testing.T, destination.Part)
		says   string
	}{
		"the part is gone": {func(t *testing.T, part destination.Part) {
			if err := os.Remove(part.Path); err != nil {
				t.Fatal(err)
			}
		}, "prod"},
		"the part is not a kubeconfig":    {func(t *testing.T, part destination.Part) { put(t, part.Path, []byte("garbled"), 0o600) }, "prod"},
		"it has no current context":       {replaced("current-context: jane@prod", "current-context: joe@prod"), "is not complete"},
		"its certificate cannot be used":  {replaced("client-certificate-data: ", "client-certificate-data: AAAA"), "has no certificate that can be used"},
		"it has the certificate, no key":  {replaced("client-key-data: ", "tokenFile: "), "has no certificate that can be used"},
		"it names a cluster it has not":   {replaced("cluster: prod", "cluster: dev"), "is not complete"},
		"it names a user whom it has not": {replaced("user: jane@prod", "user: joe@prod"), "is not complete"},
	} {
		t.Run(about, func(t *testing.T) {
			t.Parallel()
			d := newDelivering(t)
			dev, prod := d.part(t, "dev"), d.part(t, "prod")
			path, err := d.join(t, destination.Input{}, dev)
			if err != nil {
				t.Fatal(err)
			}
			before := read(t, path)
			test.change(t, prod)
			if _, err := d.join(t, destination.Input{}, dev, prod); err == nil || !strings.Contains(err.Error(), test.says) || !bytes.Equal(before, read(t, path)) {
				t.Errorf("%v", err)
			}
		})
	}
}

// TestJoint_WhereItCannotBeWrittenTheOthersAreNamed is for a place below a regular file, and for a file that
// becomes another between the look at it and the change.
func TestJoint_WhereItCannotBeWrittenTheOthersAreNamed(t *testing.T) {
	t.Parallel()
	d := newDelivering(t)
	dev := d.part(t, "dev")
	file := filepath.Join(t.TempDir(), "file")
	put(t, file, nil, 0o600)
	for about, in := range map[string]destination.Input{
		"a place below a file":            {Path: filepath.Join(file, "config")},
		"a place below a file, to add to": {Path: filepath.Join(file, "config"), Merge: true, Visible: clientcmdapi.NewConfig()},
	} {
		if _, err := d.join(t, in, dev); err == nil || !strings.Contains(err.Error(), filepath.Base(file)) {
			t.Errorf("%s: %v", about, err)
		}
	}
	joint := destination.NewJoint(destination.Input{}, d.directory, "jane")
	if err := joint.CheckEarly(t.Context()); err != nil {
		t.Fatal(err)
	}
	put(t, joint.Path, []byte("garbled"), 0o600)
	err := joint.Deliver(t.Context(), destination.Run{Tell: func(event.Event) { t.Error("it is told as done") }}, []destination.Part{dev})
	if err == nil || !strings.Contains(err.Error(), "the kubeconfig of all clusters was not written: ") || !strings.Contains(outcome.Hint(err), "move it away") || string(read(t, joint.Path)) != "garbled" {
		t.Errorf("%v (%s)", err, outcome.Hint(err))
	}
}

// TestJoint_AFileThatOthersCanReadIsNamed is for a kubeconfig that is added to.
func TestJoint_AFileThatOthersCanReadIsNamed(t *testing.T) {
	t.Parallel()
	for mode, want := range map[os.FileMode]int{0o600: 0, 0o644: 1} {
		d := newDelivering(t)
		dev := d.part(t, "dev")
		path := filepath.Join(t.TempDir(), "config")
		put(t, path, []byte("apiVersion: v1\nkind: Config\n"), mode)
		d.told = nil
		if _, err := d.join(t, destination.Input{Path: path, Merge: true, Visible: clientcmdapi.NewConfig()}, dev); err != nil {
			t.Fatal(err)
		}
		open := 0
		for _, one := range d.told {
			if told, isOpen := one.(destination.KubeconfigNotPrivate); isOpen && told.Path == path {
				open++
			}
		}
		if open != want {
			t.Errorf("mode %04o: %+v", mode, d.told)
		}
	}
}
