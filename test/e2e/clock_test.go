package e2e

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/event"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/pki"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/store"
)

func TestClock_AClockThatIsOffIsSaidAndLosesNothing(t *testing.T) {
	for _, test := range []struct {
		user string
		off  time.Duration
		want string
	}{
		{"clock-behind", -time.Hour, "is not valid before "},
		{"clock-ahead", time.Hour, "the certificate expired "},
	} {
		t.Run(test.user, func(t *testing.T) {
			s := newSession(t, shared)
			directory, err := store.UserDirectoryOf(s.path("D"), "", test.user)
			if err != nil {
				t.Fatal(err)
			}
			off := test.off
			program := &onboard.Program{
				Cluster: connect(t, s),
				Now:     func() time.Time { return time.Now().Add(off) },
				Tell:    func(event.Event) {},
			}
			input := onboard.NewUserInput{
				User: identity.User{Name: test.user}, Directory: directory, KeyAlgorithm: pki.DefaultKeyAlgorithm,
				Lifetime: request.MinimumLifetime, DryRun: onboard.DryRunNone,
			}
			fetch := onboard.FetchInput{
				Name: test.user, DirectoryOf: func(string) (store.UserDirectory, error) { return directory, nil },
				Timeout: patience, VerifyLogin: true, Resume: "fetch",
			}
			_, err = program.NewUserApproved(t.Context(), input, onboard.GrantInput{}, fetch)
			if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), "and this machine's clock says ") {
				t.Errorf("%v, want %q and both times in it", err, test.want)
			}
			if _, err := os.Stat(directory.KubeconfigPath()); !os.IsNotExist(err) {
				t.Error("a kubeconfig was written")
			}
			off = 0
			if _, err := program.Fetch(t.Context(), fetch); err != nil {
				t.Errorf("with the clock set right: %v", err)
			}
		})
	}
}
