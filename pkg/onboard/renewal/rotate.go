package renewal

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cluster"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/kubeconfig"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/destination"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/pair"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/pki"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/store"
)

// rotate checks the new certificate, logs in with it, and puts it and its key into
// the kubeconfig in place of the present pair. At every moment the kubeconfig has one
// of the two pairs, whole; the present one is kept in the renewal's directory until the
// new one has logged in from where it stands.
func (r *renewing) rotate(ctx context.Context, issued *request.Request, submitted *onboard.Submission) (*pki.Certificate, error) {
	certificate, err := r.program.CheckIssued(issued, submitted.Key.Public(), r.user)
	if err != nil {
		return nil, outcome.ReplaceHint(err, "%s; to request another: %s", outcome.Hint(err), r.in.Again)
	}
	renewed := &pair.Held{
		Certificate: certificate, Key: submitted.Key,
		Credentials: kubeconfig.Credentials{Certificate: certificate.PEM, Key: submitted.KeyPEM},
	}
	if err := r.logInWith(ctx, renewed); err != nil {
		return nil, outcome.ReplaceHint(err, "the present certificate stays in use; try again with: %s", r.in.Resume)
	}
	r.program.Tell(onboard.LoggedIn{User: r.user})
	previous, err := kubeconfig.Encode(kubeconfig.Assemble(r.program.Cluster.Endpoint(), r.present.Credentials,
		kubeconfig.Names{Cluster: r.program.Cluster.Endpoint().Cluster, Context: r.in.User.Entry}, ""))
	if err != nil {
		return nil, err
	}
	if err := r.renewal.WritePrevious(previous); err != nil {
		return nil, fmt.Errorf("the present certificate and key cannot be kept: %w", err)
	}
	if renewed.Pair, err = r.place(renewed); err != nil {
		return nil, err
	}
	if err := r.write(ctx, r.present.Pair, renewed.Pair); err != nil {
		return nil, err
	}
	if err := r.proveInPlace(ctx, renewed); err != nil {
		return nil, err
	}
	if r.in.User.Cache == nil && renewed.Pair.IsIn() && store.OthersMayRead(r.in.User.Path) {
		r.program.Tell(destination.KubeconfigNotPrivate{Path: r.in.User.Path})
	}
	r.program.Tell(Rotated{Context: r.in.User.Context, Path: r.in.User.Path, NotAfter: certificate.Leaf.NotAfter})
	return certificate, r.tidyUp()
}

// checkPlace looks, before anybody is asked for a certificate, whether it could be put
// where the present one is.
func (r *renewing) checkPlace(ctx context.Context) error {
	file := r.in.User.Path
	err := store.CheckWritable(ctx, store.SharedKubeconfig, file)
	for _, present := range []string{r.present.Pair.CertificateFile, r.present.Pair.KeyFile} {
		if err == nil && present != "" {
			// The new pair goes into files next to these, which are not written to.
			file = r.in.User.Resolve(present)
			err = store.CheckCreatable(store.PairFile, file)
		}
	}
	if err == nil {
		return nil
	}
	return outcome.AddHint(fmt.Errorf("a new certificate could not be written: %w", err),
		"nothing was changed; the directory %s has to be writable", identity.Quote(filepath.Dir(file)))
}

// place is where the new pair goes: into the kubeconfig where the present one is in
// it, and into new files next to the present ones where it is in files. A file with a
// private key is never written over, and two files cannot be changed at once.
func (r *renewing) place(renewed *pair.Held) (kubeconfig.Pair, error) {
	placed := kubeconfig.Pair{Certificate: renewed.Credentials.Certificate, Key: renewed.Credentials.Key}
	if old := r.present.Pair.CertificateFile; old != "" && old == r.present.Pair.KeyFile {
		both := r.nameBeside(old, renewed.Certificate)
		return kubeconfig.Pair{CertificateFile: both, KeyFile: both}, r.create(both, slices.Concat(placed.Certificate, placed.Key))
	}
	if old := r.present.Pair.CertificateFile; old != "" {
		placed.CertificateFile, placed.Certificate = r.nameBeside(old, renewed.Certificate), nil
		if err := r.create(placed.CertificateFile, renewed.Credentials.Certificate); err != nil {
			return placed, err
		}
	}
	if old := r.present.Pair.KeyFile; old != "" {
		placed.KeyFile, placed.Key = r.nameBeside(old, renewed.Certificate), nil
		if err := r.create(placed.KeyFile, renewed.Credentials.Key); err != nil {
			return placed, err
		}
	}
	return placed, nil
}

// nameBeside names the file that follows another: jane.key, jane-7h2k4m6p3q.key,
// jane-x5v2b3n4c6.key. The ten characters name the certificate.
func (r *renewing) nameBeside(old string, certificate *pki.Certificate) string {
	extension := filepath.Ext(old)
	stem := strings.TrimSuffix(strings.TrimSuffix(old, extension), suffixOf(r.present.Certificate))
	return stem + suffixOf(certificate) + extension
}

func suffixOf(certificate *pki.Certificate) string {
	return "-" + identity.Digest(10, certificate.SHA256())
}

// create makes a file of the new pair. An earlier run that was interrupted may have
// made it.
func (r *renewing) create(path string, data []byte) error {
	target := r.in.User.Resolve(path)
	err := store.CreateFile(store.PairFile, target, data)
	if errors.Is(err, fs.ErrExist) {
		existing, readErr := store.ReadSecret(target)
		if readErr == nil && string(existing) == string(data) {
			return nil
		}
	}
	return outcome.AddHint(err, "nothing was changed; the directory of the present certificate's files must be writable")
}

// write replaces one pair by another in the kubeconfig file.
func (r *renewing) write(ctx context.Context, from, to kubeconfig.Pair) error {
	change := func(existing []byte) ([]byte, error) {
		return rotated(existing, r.in.User, func(config *clientcmdapi.Config) (*clientcmdapi.Config, error) {
			return kubeconfig.Rotate(config, r.in.User.Entry, from, to)
		})
	}
	var err error
	if r.in.User.Cache != nil {
		err = r.in.User.Cache.UpdateKubeconfig(ctx, change)
	} else {
		err = store.UpdateSharedFile(ctx, r.in.User.Path, change)
	}
	if err != nil {
		return fmt.Errorf("the kubeconfig was not written: %w", err)
	}
	return nil
}

// rotated applies a change to the content of a kubeconfig file.
func rotated(existing []byte, user pair.KubeconfigUser, change func(*clientcmdapi.Config) (*clientcmdapi.Config, error)) ([]byte, error) {
	config, err := kubeconfig.Decode(existing)
	if err != nil {
		return nil, fmt.Errorf("the file %q is not a kubeconfig: %w", user.Path, err)
	}
	changed, err := change(config)
	if err != nil {
		return nil, err
	}
	if changed == config {
		// Byte by byte what it was.
		return existing, nil
	}
	return kubeconfig.Encode(changed)
}

// proveInPlace logs in with the pair as it stands in the kubeconfig now. Where the
// cluster does not take it, the pair that was there is put back.
func (r *renewing) proveInPlace(ctx context.Context, renewed *pair.Held) error {
	standing, err := r.in.User.Read(r.program.Now)
	if err == nil {
		err = r.logInWith(ctx, standing)
	}
	switch {
	case err == nil:
		return nil
	case cluster.IsUnreachable(err), errors.Is(err, outcome.ErrInterrupted):
		// It has logged in a moment ago, from memory.
		return outcome.ReplaceHint(fmt.Errorf("the new certificate is in %q, and could not be tried there: %w", r.in.User.Path, err),
			"the one before it is kept in %s until the next renewal", identity.PrintableSentence(r.renewal.PreviousPath()))
	}
	if undoErr := r.write(ctx, renewed.Pair, r.present.Pair); undoErr != nil {
		return outcome.ReplaceHint(errors.Join(err, undoErr),
			"the certificate before it is kept in %s", identity.PrintableSentence(r.renewal.PreviousPath()))
	}
	return outcome.ReplaceHint(err, "the present certificate was put back; try again with: %s", r.in.Resume)
}

// tidyUp removes the renewal's directory, and the files of a pair that an earlier renewal
// made below the kubeconfig's directory. Other files stay: other programs may use them, and
// a kubeconfig from elsewhere can name any.
func (r *renewing) tidyUp() error {
	var kept []string
	for _, file := range slices.Compact([]string{r.present.Pair.CertificateFile, r.present.Pair.KeyFile}) {
		if file == "" {
			continue
		}
		path := r.in.User.Resolve(file)
		isOfRenewal := strings.HasSuffix(strings.TrimSuffix(file, filepath.Ext(file)), suffixOf(r.present.Certificate))
		if !isOfRenewal || !isBelow(filepath.Dir(r.in.User.Path), path) {
			kept = append(kept, path)
			continue
		}
		if err := store.RemoveFile(path); err != nil {
			return err
		}
	}
	if len(kept) > 0 {
		r.program.Tell(PairLeft{Paths: kept, NotAfter: r.present.Certificate.Leaf.NotAfter})
	}
	return r.renewal.Discard()
}

// isBelow reports whether a path is in a directory or in one below it.
func isBelow(directory, path string) bool {
	above, err := filepath.Abs(directory)
	if err != nil {
		return false
	}
	below, err := filepath.Abs(path)
	if err != nil {
		return false
	}
	relative, err := filepath.Rel(above, below)
	return err == nil && filepath.IsLocal(relative)
}
