package sign_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/kubeconfig"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/destination"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/event"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/handoff"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/sign"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/pki"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/requestfile"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/store"
)

// desk is where a certificate authority signs: its files, and what was told.
type desk struct {
	in   sign.Input
	told []event.Event
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	directory := t.TempDir()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "kubernetes"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(1000 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	encoded, err := pki.EncodeKey(key)
	if err != nil {
		t.Fatal(err)
	}
	d := &desk{in: sign.Input{
		Source: "jane.csr", Lifetime: time.Hour, CertificateFile: filepath.Join(directory, "ca.crt"), KeyFile: filepath.Join(directory, "ca.key"),
		Inputs: store.Inputs{Stdin: strings.NewReader("")}, Log: filepath.Join(directory, "issued.log"), Path: filepath.Join(directory, "jane.crt"),
		Confirm: func(context.Context, *request.Review) error { return nil },
		Fetch:   func(user, file string, _ handoff.Trust) string { return "fetch " + user + " " + file },
	}}
	d.in.Object = objectOf(t, identity.User{Name: "jane", Groups: []string{"dev"}})
	d.write(t, d.in.CertificateFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	d.write(t, d.in.KeyFile, encoded)
	return d
}

func objectOf(t *testing.T, user identity.User) *request.Request {
	t.Helper()
	key, err := pki.NewKey(pki.DefaultKeyAlgorithm)
	if err != nil {
		t.Fatal(err)
	}
	made, err := pki.NewRequest(key, user)
	if err != nil {
		t.Fatal(err)
	}
	imported, err := requestfile.Parse(made.PEM(), time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	return imported[0]
}

func (d *desk) write(t *testing.T, path string, text []byte) {
	t.Helper()
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
}

func (d *desk) run(t *testing.T) (*handoff.HandedOff, error) {
	t.Helper()
	p := &onboard.Program{Version: "v0.1.0", UserAgent: "test", Now: time.Now, Tell: func(e event.Event) { d.told = append(d.told, e) }}
	return sign.Run(t.Context(), p, d.in)
}

// hears reports whether an event of a type was told.
func hears[E event.Event](d *desk) bool {
	return slices.ContainsFunc(d.told, func(e event.Event) bool { _, isOfType := e.(E); return isOfType })
}

// isUntouched reports whether nothing was signed: no certificate, no line in the log.
func (d *desk) isUntouched(t *testing.T) {
	t.Helper()
	for _, path := range []string{d.in.Log, d.in.Path} {
		if _, err := os.Stat(path); d.in.Path != "-" && !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s is written: %v", path, err)
		}
	}
}

func TestSign_ACertificateIsSignedAndLogged(t *testing.T) {
	d := newDesk(t)
	signed, err := d.run(t)
	if err != nil || signed.User.Name != "jane" || signed.Path != d.in.Path || !hears[destination.CertificateWritten](d) {
		t.Fatalf("%+v, %v", signed, err)
	}
	text, err := os.ReadFile(d.in.Path)
	if err != nil || !bytes.Equal(text, signed.Certificate.PEM) {
		t.Errorf("%v", err)
	}
	line, err := os.ReadFile(d.in.Log)
	if err != nil || bytes.Count(line, []byte("\n")) != 1 || !bytes.Contains(line, []byte(`"jane"`)) {
		t.Errorf("%s, %v", line, err)
	}
	if _, err := d.run(t); err == nil || !strings.Contains(err.Error(), "already exists") {
		t.Errorf("a certificate is overwritten: %v", err)
	}
	d.in.Path = "-"
	if signed, err := d.run(t); err != nil || !bytes.Equal(signed.Handoff, signed.Certificate.PEM) {
		t.Errorf("%v", err)
	}
}

func TestSign_NothingIsSignedThatIsRefused(t *testing.T) {
	for about, test := range map[string]struct {
		change func(*testing.T, *desk)
		want   error
		says   string
	}{
		"another key": {func(_ *testing.T, d *desk) { d.in.Fingerprint = "SHA256:" + strings.Repeat("A", 43) }, outcome.ErrChanged, "key"},
		"a finding": {func(t *testing.T, d *desk) {
			t.Helper()
			d.in.Object = objectOf(t, identity.User{Name: "system:admin"})
		}, outcome.ErrRefused, "system-user"},
		"declined": {func(_ *testing.T, d *desk) {
			d.in.Confirm = func(context.Context, *request.Review) error { return errNo }
		}, errNo, ""},
		"no authority":         {func(_ *testing.T, d *desk) { d.in.CertificateFile += "x" }, outcome.ErrUsage, "--ca-cert"},
		"no key":               {func(_ *testing.T, d *desk) { d.in.KeyFile += "x" }, outcome.ErrUsage, "--ca-key"},
		"the key of another":   {func(t *testing.T, d *desk) { t.Helper(); d.in.KeyFile = newDesk(t).in.KeyFile }, nil, ""},
		"no passphrase needed": {func(_ *testing.T, d *desk) { d.in.PassphraseFile = d.in.KeyFile }, outcome.ErrUsage, "--passphrase-file does nothing"},
		"no directory":         {func(t *testing.T, d *desk) { t.Helper(); d.in.Path = filepath.Join(t.TempDir(), "no", "jane.crt") }, nil, "not found"},
		"no log":               {func(t *testing.T, d *desk) { t.Helper(); d.in.Log = filepath.Join(t.TempDir(), "no", "log") }, nil, "so none was issued"},
	} {
		t.Run(about, func(t *testing.T) {
			d := newDesk(t)
			test.change(t, d)
			if _, err := d.run(t); err == nil || test.want != nil && !errors.Is(err, test.want) || !strings.Contains(err.Error(), test.says) {
				t.Errorf("%v, want %q", err, test.says)
			}
			d.isUntouched(t)
		})
	}
}

var errNo = errors.New("no")

func TestSign_AnInterruptionBehindTheQuestionSignsNothing(t *testing.T) {
	d := newDesk(t)
	ctx, cancel := context.WithCancel(t.Context())
	d.in.Confirm = func(context.Context, *request.Review) error { cancel(); return nil }
	p := &onboard.Program{Now: time.Now, Tell: func(event.Event) {}}
	if _, err := sign.Run(ctx, p, d.in); !errors.Is(err, outcome.ErrInterrupted) {
		t.Errorf("%v", err)
	}
	d.isUntouched(t)
}

func TestSign_ACertificateDoesNotOutliveItsAuthority(t *testing.T) {
	d := newDesk(t)
	d.in.Lifetime = 100_000 * time.Hour
	signed, err := d.run(t)
	if err != nil || signed.Certificate.Leaf.NotAfter.After(time.Now().Add(1000*time.Hour)) {
		t.Errorf("%v", err)
	}
	for _, told := range d.told {
		if issued, isIssued := told.(onboard.CertificateIssued); isIssued && !issued.IsOtherThanAsked() {
			t.Errorf("%+v does not tell it", issued)
		}
	}
}

func TestSign_FilesThatOthersReadAreWarnedOf(t *testing.T) {
	d := newDesk(t)
	if err := os.Chmod(d.in.KeyFile, 0o644); err != nil { //nolint:gosec // It is what is warned of.
		t.Fatal(err)
	}
	if _, err := d.run(t); err != nil || !hears[sign.AuthorityKeyNotPrivate](d) {
		t.Errorf("%v", err)
	}
}

func TestSign_AHandoffTrustsTheSignerWhereNoOtherIsNamed(t *testing.T) {
	other := newDesk(t)
	otherPEM, err := os.ReadFile(other.in.CertificateFile)
	if err != nil {
		t.Fatal(err)
	}
	for about, test := range map[string]struct {
		endpoint kubeconfig.Endpoint
		trusts   bool
	}{
		"no authority":   {kubeconfig.Endpoint{Cluster: "c", Server: "https://k8s.example.com"}, true},
		"an authority":   {kubeconfig.Endpoint{Cluster: "c", Server: "https://k8s.example.com", CertificateAuthority: otherPEM}, false},
		"nothing at all": {kubeconfig.Endpoint{Cluster: "c", Server: "https://k8s.example.com", InsecureSkipVerify: true}, false},
	} {
		d := newDesk(t)
		d.in.Endpoint = &test.endpoint
		signed, err := d.run(t)
		if err != nil {
			t.Errorf("%s: %v", about, err)
			continue
		}
		if hears[sign.SignerTrustedForServer](d) != test.trusts {
			t.Errorf("%s: the signer is trusted: %v", about, !test.trusts)
		}
		text, err := os.ReadFile(signed.Path)
		if err != nil {
			t.Fatal(err)
		}
		decoded, err := kubeconfig.DecodeHandoff(text)
		if err != nil || len(decoded) != 1 || decoded[0].Endpoint.Server != test.endpoint.Server || !bytes.Equal(decoded[0].Certificate, signed.Certificate.PEM) {
			t.Errorf("%s: %+v, %v", about, decoded, err)
		}
	}
}
