package request

import (
	"slices"
	"strings"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
)

// KindOfFinding is what holds for every finding of a name.
type KindOfFinding struct {
	// Name is the findings' stable name.
	Name string
	// Severity reports whether such a finding refuses an approval.
	Severity identity.Severity
	// Allowable reports whether an administrator can accept a refused one. Single
	// findings may be final all the same: system:masters is.
	Allowable bool
}

// catalogue holds every finding there is, the refused first. A request that is not
// one, or is nobody's, cannot be allowed.
var catalogue = []KindOfFinding{
	{identity.SystemUser, identity.Refused, true},
	{identity.SystemGroup, identity.Refused, true},
	{identity.AdminGroup, identity.Refused, true},
	{ManyCommonNames, identity.Refused, true},
	{identity.EmptyCommonName, identity.Refused, false},
	{identity.EmptyGroup, identity.Refused, true},
	{NonStringAttribute, identity.Refused, true},
	{UnknownAttribute, identity.Refused, true},
	{identity.ControlCharacters, identity.Refused, true},
	{identity.ConfusableName, identity.Refused, true},
	{identity.SurroundingWhitespace, identity.Refused, true},
	{identity.OptionLikeName, identity.Refused, true},
	{Oversized, identity.Refused, true},
	{WeakKey, identity.Refused, true},
	{WeakSignature, identity.Refused, true},
	{SANsPresent, identity.Refused, true},
	{CARequested, identity.Refused, true},
	{UnexpectedExtension, identity.Refused, true},
	{WrongUsages, identity.Refused, true},
	{BadSignature, identity.Refused, false},
	{OutsidePEM, identity.Refused, true},
	{ForeignSigner, identity.Refused, true},
	{Terminating, identity.Refused, true},
	{UserBlocked, identity.Refused, true},
	{UserOffboarded, identity.Refused, true},
	{OtherCertificateValid, identity.Refused, true},
	{SelfApproved, identity.Refused, false},
	{UserAlreadyBound, identity.Warning, false},
	{GroupAlreadyBound, identity.Warning, false},
	{RequestedByOther, identity.Warning, false},
	{MoreThanRequester, identity.Warning, false},
	{KnownUser, identity.Warning, false},
	{LongLifetime, identity.Warning, false},
	{NoLifetime, identity.Warning, false},
	{identity.LongName, identity.Warning, false},
	{UnusualSubject, identity.Warning, false},
	{identity.DuplicateGroups, identity.Warning, false},
	{identity.CommaInGroup, identity.Warning, false},
}

// Catalogue lists every kind of finding, the refused ones first.
func Catalogue() []KindOfFinding { return slices.Clone(catalogue) }

// Allowable lists the names of the refused findings that an administrator can
// accept.
func Allowable() []string {
	var names []string
	for _, kind := range catalogue {
		if kind.Allowable {
			names = append(names, kind.Name)
		}
	}
	return names
}

// CheckAllowable refuses names other than those of refused findings, as wrong usage.
func CheckAllowable(names []string) error { return CheckAmong(names, Allowable()) }

// CheckAmong refuses names that are not among the findings that can be accepted, as
// wrong usage.
func CheckAmong(names, allowable []string) error {
	for _, name := range names {
		if !slices.Contains(allowable, name) {
			return outcome.WithHint(
				outcome.Errorf(outcome.ErrUsage, "unknown finding %q", name),
				"use one of %s", strings.Join(allowable, ", "))
		}
	}
	return nil
}
