package request

import (
	"errors"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
)

const (
	// DefaultLifetime is asked for when nothing else is.
	DefaultLifetime = 30 * 24 * time.Hour
	// MinimumLifetime is the least that the API server takes
	// (Kubernetes pkg/apis/certificates/validation).
	MinimumLifetime = 10 * time.Minute
	// maximumLifetime is what expirationSeconds, an int32, can hold.
	maximumLifetime = math.MaxInt32 * time.Second
)

// day, week and year are units of a span. A year has 365 days, as in the certificates of Kubernetes'
// own signers.
const (
	day  = 24 * time.Hour
	week = 7 * day
	year = 365 * day
)

// lifetimeForm takes years, weeks, days, hours, minutes and seconds, each at most once and in that
// order.
var lifetimeForm = regexp.MustCompile(`^(?:(\d+)y)?(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?$`)

// ParseLifetime reads how long a certificate should be good for, as ParseSpan does.
// Less than the API's ten minutes, and more than its field can hold, are wrong usage.
func ParseLifetime(text string) (time.Duration, error) {
	lifetime, err := ParseSpan(text)
	if errors.Is(err, errNoSpan) {
		return 0, outcome.WithHint(
			outcome.Errorf(outcome.ErrUsage, "%q is not a valid lifetime", text),
			"write years, weeks, days, hours or minutes, for example: 1y, 2w, 30d, 8h, 90m")
	}
	if err != nil {
		return 0, err
	}
	switch {
	case lifetime < MinimumLifetime:
		return 0, outcome.WithHint(
			outcome.Errorf(outcome.ErrUsage, "the lifetime %s is shorter than the minimum of ten minutes", text),
			"ask for 10m or more")
	case lifetime > maximumLifetime:
		return 0, tooLong(text)
	}
	return lifetime, nil
}

// AskableLifetime is the lifetime next to the given one that a request can ask for:
// from the API's ten minutes to the 68 years that its field holds.
func AskableLifetime(lifetime time.Duration) time.Duration {
	return min(max(lifetime, MinimumLifetime), maximumLifetime)
}

// ExpirationSeconds is a lifetime in the form of spec.expirationSeconds. A lifetime that
// the field cannot hold becomes the largest, or least, that it can.
func ExpirationSeconds(lifetime time.Duration) *int32 {
	seconds := int32(min(max(lifetime/time.Second, 0), math.MaxInt32))
	return &seconds
}

// FormatLifetime writes a lifetime in full, in the form that ParseLifetime reads: "8h",
// "1d12h".
func FormatLifetime(lifetime time.Duration) string {
	var b strings.Builder
	for _, unit := range []struct {
		name string
		size time.Duration
	}{{"d", 24 * time.Hour}, {"h", time.Hour}, {"m", time.Minute}, {"s", time.Second}} {
		if n := lifetime / unit.size; n > 0 {
			b.WriteString(strconv.FormatInt(int64(n), 10) + unit.name)
			lifetime -= n * unit.size
		}
	}
	if b.Len() == 0 {
		return "0s"
	}
	return b.String()
}

func tooLong(text string) error {
	return outcome.WithHint(
		outcome.Errorf(outcome.ErrUsage, "the lifetime %s is longer than the API's 68 years", text),
		"ask for 24855d or less; clusters give a year at most unless set up otherwise")
}

var errNoSpan = errors.New("not a valid duration")

// ParseSpan reads a duration: "90m", "8h", "30d", "2w", "1y" (365 days), or a sequence such as "1d12h".
// Any other form, and more than 68 years, is wrong usage.
func ParseSpan(text string) (time.Duration, error) {
	fields := lifetimeForm.FindStringSubmatch(text)
	if fields == nil || text == "" {
		return 0, outcome.WithHint(
			outcome.Errorf(outcome.ErrUsage, "%q is %w", text, errNoSpan),
			"write years, weeks, days, hours, minutes or seconds, for example: 1y, 30d, 8h, 90m, 30s")
	}
	var span time.Duration
	for i, unit := range []time.Duration{year, week, day, time.Hour, time.Minute, time.Second} {
		if fields[i+1] == "" {
			continue
		}
		number, err := strconv.ParseInt(fields[i+1], 10, 64)
		// Each is bounded, so that the sum of all cannot overflow.
		if err != nil || number > int64(maximumLifetime/unit) {
			return 0, tooLong(text)
		}
		span += time.Duration(number) * unit
	}
	return span, nil
}
