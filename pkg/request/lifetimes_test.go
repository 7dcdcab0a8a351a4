package request

import (
	"errors"
	"testing"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
)

func TestLifetimes_FormatLifetimeIsReadBack(t *testing.T) {
	for _, text := range []string{"10m", "8h", "30d", "1d12h", "90d", "1h30m15s", "24855d"} {
		lifetime, err := ParseLifetime(text)
		if err != nil {
			t.Fatal(err)
		}
		if got := FormatLifetime(lifetime); got != text {
			t.Errorf("%s is written as %s", text, got)
		}
	}
	if got := FormatLifetime(0); got != "0s" {
		t.Errorf("nothing is written as %s", got)
	}
}

func TestLifetimes_SetLifetimeNeverChangesWhatTheRequesterAsksFor(t *testing.T) {
	hour := int32(3600)
	for _, test := range []struct {
		about   string
		own     *int32
		wanted  time.Duration
		refused bool
	}{
		{"a request that says nothing", nil, 8 * time.Hour, false},
		{"one that asks for the same", &hour, time.Hour, false},
		{"one that asks for another", &hour, 8 * time.Hour, true},
	} {
		t.Run(test.about, func(t *testing.T) {
			object := Of(&certificatesv1.CertificateSigningRequest{})
			object.Spec.ExpirationSeconds = test.own
			err := SetLifetime(object, test.wanted)
			if errors.Is(err, outcome.ErrUsage) != test.refused {
				t.Errorf("it ends with %v", err)
			}
			want := test.wanted
			if test.refused {
				want = time.Hour
			}
			if got := LifetimeOf(object); got != want {
				t.Errorf("it asks for %s, want %s", got, want)
			}
		})
	}
}
