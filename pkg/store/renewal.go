package store

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/store/lock"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/store/wholefile"
)

// Renewal is the directory of a key and a request that are to take the place of a
// user's certificate, for as long as they have not: so that a renewal which is
// pending is found and finished by another run, with the same key.
type Renewal struct{ UserDirectory }

func renewal(directory, base string) Renewal {
	return Renewal{UserDirectory{directory: directory, base: base, key: renewalKey, request: renewalRequest}}
}

// UserRenewals is the directory in which the renewals of kubeconfigs wait, under home.
func UserRenewals(home string) string { return filepath.Join(ownDirectory(home), "renewals") }

// RenewalOf is where the renewal of a certificate of a user's waits in a directory of
// renewals. id names the certificate. Nothing is created yet.
func RenewalOf(renewals, user string, id []byte) Renewal {
	base := identity.FileName(user)
	return renewal(filepath.Join(renewals, base+"-"+identity.Digest(10, id)), base)
}

// RenewalsOf lists the renewals of a user's certificates that are in a directory of
// renewals.
func RenewalsOf(renewals, user string) []Renewal {
	base := identity.FileName(user)
	entries, err := os.ReadDir(renewals)
	if err != nil {
		return nil
	}
	var found []Renewal
	for _, entry := range entries {
		if digest, ofUser := strings.CutPrefix(entry.Name(), base+"-"); ofUser && entry.IsDir() && !strings.Contains(digest, "-") {
			found = append(found, renewal(filepath.Join(renewals, entry.Name()), base))
		}
	}
	return found
}

// RemoveAbandonedLocks removes the locks of renewals of a user's that runs left which
// did not come to their end.
func RemoveAbandonedLocks(renewals, user string) {
	base := identity.FileName(user)
	entries, err := os.ReadDir(renewals)
	if err != nil {
		return
	}
	for _, entry := range entries {
		name, isLock := strings.CutSuffix(entry.Name(), lock.Suffix)
		if !isLock || !strings.HasPrefix(name, base+"-") {
			continue
		}
		// Who is at it holds it, and who would take it now waits for a moment.
		if held, err := TryLock(filepath.Join(renewals, name)); err == nil && held != nil {
			_ = held.Release()
		}
	}
}

// LockPath is what a run that works on the renewal locks (see TryLock).
func (r Renewal) LockPath() string { return r.directory }

// PreviousPath is where the pair is kept that is being replaced, as a kubeconfig.
func (r Renewal) PreviousPath() string {
	return filepath.Join(r.directory, r.base+".previous.kubeconfig")
}

// WritePrevious keeps the pair that is being replaced.
func (r Renewal) WritePrevious(kubeconfig []byte) error {
	return renewalPrevious.replaceFile(new(wholefile.Directories), r.PreviousPath(), kubeconfig)
}

func (r Renewal) refusalPath() string { return filepath.Join(r.directory, r.base+".refused") }

// WriteRefusal keeps why the request will never become a certificate.
func (r Renewal) WriteRefusal(reason string) error {
	return renewalRefusal.replaceFile(new(wholefile.Directories), r.refusalPath(), []byte(reason+"\n"))
}

// Refusal is why the request will never become a certificate; "" if that is not
// known of it.
func (r Renewal) Refusal() string {
	reason, err := ReadFileOf(renewalRefusal, r.refusalPath())
	if err != nil {
		return ""
	}
	return strings.TrimSuffix(string(reason), "\n")
}

// Discard removes the renewal with its key. One that is not there is none. The directory
// stays where somebody else has put something into it.
func (r Renewal) Discard() error {
	wholefile.RemoveAbandoned(r.directory)
	// The key comes last: by it, a run after one that was interrupted here recognises
	// what else is left.
	for _, path := range []string{r.refusalPath(), r.PreviousPath(), r.RequestPath(), r.KeyPath()} {
		if err := wholefile.Remove(path); err != nil {
			return err
		}
	}
	if err := wholefile.Remove(r.directory); err != nil {
		if entries, readErr := os.ReadDir(r.directory); readErr != nil || len(entries) == 0 {
			return err
		}
	}
	return nil
}
