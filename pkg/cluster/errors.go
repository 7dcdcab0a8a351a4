package cluster

import (
	"errors"
	"net"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cluster/internal/connection"
)

// ErrUnreachable is the error of a server that cannot be reached, so that nothing
// is known of what it would say.
var ErrUnreachable = connection.ErrUnreachable

// ErrNotAccepted is the error of a server that does not accept the client's credentials.
var ErrNotAccepted = connection.ErrNotAccepted

// TLSInBetween says why an API server may not see client certificates, and what to do.
const TLSInBetween = connection.TLSInBetween

// IsUnreachable reports whether nothing is known of what the API server would say.
func IsUnreachable(err error) bool { return errors.Is(err, ErrUnreachable) }

// IsRevoked reports whether the API server refuses a call because who makes it is revoked.
func IsRevoked(err error) bool { return connection.IsRevoked(err) }

// IsDeniedByAdmission reports whether an admission policy or webhook of the cluster denies a call, which
// says nothing about the permissions of who makes it.
func IsDeniedByAdmission(err error) bool { return connection.IsDeniedByAdmission(err) }

// IsForeignAnswer reports whether something else than the API server, such as a proxy in front of it,
// gave an answer.
func IsForeignAnswer(err error) bool { return connection.IsForeignAnswer(err) }

// IsNobodyThere reports whether nobody listens at the server's address, or it does not have such an
// address: it was not the connection that failed.
func IsNobodyThere(err error) bool {
	var dialErr *net.OpError
	return errors.As(err, &dialErr) && dialErr.Op == "dial"
}

// MayPass reports whether an error of this package or of one below it may go away by itself,
// so that it is worth asking again.
func MayPass(err error) bool {
	var statusErr apierrors.APIStatus
	if errors.As(err, &statusErr) {
		return connection.IsTransient(err)
	}
	// These were told from what is final when the error was made.
	return errors.Is(err, ErrUnreachable)
}

// SuggestedDelay returns how long an error of the API server's asks to wait before the
// next try, at most 30 seconds; 0 if it asks for nothing.
func SuggestedDelay(err error) time.Duration {
	seconds, isSuggested := apierrors.SuggestsClientDelay(err)
	if !isSuggested {
		return 0
	}
	return min(max(0, time.Duration(seconds)*time.Second), connection.LongestRetryAfter)
}
