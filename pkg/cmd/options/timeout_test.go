package options

import (
	"testing"
	"time"

	"github.com/spf13/pflag"
)

func TestTimeout_DaysAndGosOwnDurationsAreAccepted(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"90s": 90 * time.Second, "1.5h": 90 * time.Minute, "10m0s": 10 * time.Minute, "2d": 48 * time.Hour, "1w": 7 * 24 * time.Hour, "1d12h": 36 * time.Hour,
	} {
		var timeout time.Duration
		flags := pflag.NewFlagSet("", pflag.ContinueOnError)
		AddTimeoutFlag(flags, &timeout, time.Minute, "how long to wait")
		if timeout != time.Minute {
			t.Errorf("without the flag it is %s", timeout)
		}
		if err := flags.Parse([]string{"--timeout", text}); err != nil || timeout != want {
			t.Errorf("%s is %s, %v", text, timeout, err)
		}
	}
	for _, text := range []string{"", "soon", "1x", "d"} {
		var timeout time.Duration
		flags := pflag.NewFlagSet("", pflag.ContinueOnError)
		AddTimeoutFlag(flags, &timeout, time.Minute, "how long to wait")
		if err := flags.Parse([]string{"--timeout", text}); err == nil {
			t.Errorf("%q is %s", text, timeout)
		}
	}
}
