package onboard_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/onboardtest"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
)

// TestNewUser_ARequestThatAsksForAnotherLifetimeIsNotApprovedUnseen is for a pending request of an
// earlier run.
func TestNewUser_ARequestThatAsksForAnotherLifetimeIsNotApprovedUnseen(t *testing.T) {
	const day = 24 * time.Hour
	for about, test := range map[string]struct {
		stored, asked time.Duration
		source        string
		says          string
	}{
		"longer than was named":       {365 * day, 10 * time.Minute, "--expiration", "already exists and asks for 365d, not for the 10m of --expiration"},
		"shorter than was named":      {time.Hour, 8 * time.Hour, "--expiration", "already exists and asks for 1h, not for the 8h of --expiration"},
		"as long as was named":        {8 * time.Hour, 8 * time.Hour, "--expiration", ""},
		"longer than the default":     {365 * day, 30 * day, "", "already exists and asks for 365d, not for the 30d of the default"},
		"shorter than the default":    {time.Hour, 30 * day, "", ""},
		"none, which the signer sets": {0, 30 * day, "", "asks for no particular lifetime, not for the 30d of the default"},
	} {
		t.Run(about, func(t *testing.T) {
			t.Parallel()
			w := onboardtest.New(t)
			in := onboardtest.Asked(t, "jane", "dev")
			in.Lifetime = test.stored
			object, _, err := w.NewUser(t.Context(), in)
			if err != nil {
				t.Fatal(err)
			}
			if test.stored == 0 {
				stored := object.DeepCopy()
				stored.Spec.ExpirationSeconds = nil
				w.Server.Put(t, stored)
			}
			in.Lifetime, in.LifetimeSource = test.asked, test.source
			_, err = w.NewUserApproved(t.Context(), in, onboard.GrantInput{}, onboardtest.Fetching(in))
			if test.says == "" {
				if err != nil {
					t.Errorf("it is refused: %v", err)
				}
				return
			}
			if !errors.Is(err, outcome.ErrChanged) || !strings.Contains(err.Error(), test.says) {
				t.Errorf("%v, want %q", err, test.says)
			}
			if hint := outcome.Hint(err); !strings.Contains(hint, "kubectl csr-onboard approve "+object.Name) {
				t.Errorf("the hint is %q", hint)
			}
			if state := w.States(t)[0]; state != request.Pending {
				t.Errorf("the request is %s", state)
			}
		})
	}
}
