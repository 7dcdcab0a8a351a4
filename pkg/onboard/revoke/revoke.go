package revoke

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/dustin/go-humanize/english"
	"k8s.io/apimachinery/pkg/util/version"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/access"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cluster/blocking"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cluster/enforcement"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/offboard"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/pki"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/revocation"
)

// Input is what it takes to revoke, or to take that back.
type Input struct {
	// Entry is what is revoked, with what is known about it; By and At are filled in.
	// Required.
	Entry access.Entry
	// CertificateFile is the file with the certificate that is revoked, for hints. Optional.
	CertificateFile string
	// DryRun says how much is done. Required.
	DryRun onboard.DryRun
	// DefaultReason is the reason where neither the entry nor the list has one. Optional.
	DefaultReason string
	// AreHoldingsTold reports that the person knows what the user has. Optional.
	AreHoldingsTold bool
	// Patience is how long the API servers are waited for. Required.
	Patience time.Duration
}

// Result is what came of it.
type Result struct {
	// Servers are the API servers of the cluster, and whether the list is in force at each.
	Servers []revocation.Server
	// Took is how long that took after the list was changed.
	Took time.Duration
	// WasListed says of a removal that there was something to remove, and of an acceptance
	// that there was something to accept.
	WasListed bool
	// IsUserUnknown says of a certificate or token that was revoked that its user is unknown. One of
	// a user whom no entry refuses still works, and no API server was asked about that.
	IsUserUnknown bool
	// WasOnlyBlocked says of a removal that what was listed was a block and no revocation.
	WasOnlyBlocked bool
	// IsMissing says of an acceptance that the list was not found.
	IsMissing bool
	// WasOffboarded says of a removal that the record that the user was offboarded was removed.
	WasOffboarded bool
}

// RefusedBy is how many of the API servers were seen to have the list in force.
func (r *Result) RefusedBy() int { return revocation.InForce(r.Servers) }

// DefaultPatience is how long the API servers are waited for as a rule: they take less than a
// second.
const DefaultPatience = 30 * time.Second

// poll is the pause between two looks at the reports.
const poll = 20 * time.Millisecond

// first is the first release whose authorizers know by which certificate somebody is logged
// in (k8s.io/apiserver pkg/authentication/request/x509).
var first = version.MajorMinor(1, 32)

// Run puts an entry on the list and waits until every API server refuses it. Where one does not,
// the error says at which; the entry stays.
func Run(ctx context.Context, p *onboard.Program, in Input) (*Result, error) {
	me, credentials, err := p.Cluster.Self(ctx)
	if err != nil {
		return nil, err
	}
	entry := in.Entry
	if err := addHolder(ctx, p, &entry); err != nil {
		return nil, err
	}
	entry.Details.By, entry.Details.At, entry.Details.IsRevoked = me.Name, p.Now().UTC().Truncate(time.Second), true
	if err := revocation.Check(entry); err != nil {
		return nil, err
	}
	if err := offboard.CheckLockout(ctx, p, entry.Blocked, me, credentials, "revoke"); err != nil {
		return nil, err
	}
	if err := checkPossible(ctx, p, entry, in.CertificateFile); err != nil {
		return nil, err
	}
	if !in.AreHoldingsTold {
		if err := tellHoldings(ctx, p, entry.Blocked.User); err != nil {
			return nil, err
		}
	}
	if in.DryRun == onboard.DryRunClient {
		return &Result{}, nil
	}
	// A user who is refused altogether needs no pin. Until a time, a pin is not replaced: see List.Add.
	var replaced []access.Blocked
	if user := entry.Blocked.User; user != "" {
		replaced = append(replaced, access.Blocked{User: user, IsPin: true})
	}
	isDryRun := in.DryRun == onboard.DryRunServer
	entryOf := func(list access.List) (access.Entry, error) {
		again := entry
		if before, isRefused := list.Refuses(entry.Blocked, p.Now()); !isRefused || before.Reason == "" {
			again.Details.Reason = cmp.Or(entry.Details.Reason, in.DefaultReason)
		}
		return again, nil
	}
	if err := p.Cluster.Blocking().Revoke(ctx, p.Now(), isDryRun, entry.Blocked, entryOf, replaced...); err != nil || isDryRun {
		return &Result{}, err
	}
	p.Tell(Listed{Blocked: entry.Blocked})
	result, err := await(ctx, p, in.Patience, entry.Blocked)
	if result != nil {
		result.IsUserUnknown = entry.Blocked.CredentialID != "" && entry.Details.User == ""
	}
	return result, err
}

// CheckPinnable says why a user could not come back with new certificates only.
func CheckPinnable(ctx context.Context, p *onboard.Program, user string) error {
	entry := access.Entry{Blocked: access.Blocked{User: user, IsPin: true}, Details: access.Details{User: user}}
	if err := revocation.Check(entry); err != nil {
		return err
	}
	return checkPossible(ctx, p, entry, "")
}

// Return is how a revoked user comes back: with certificates in the group of a pin.
type Return struct {
	// User is the user with the group.
	User identity.User
	// revoked is the user's revocation that was on the list when the group was chosen; nil if none
	// was in force.
	revoked *access.Details
}

// Pinned begins the return of a user, in the group by which the user's pin lets certificates through,
// or in a new one.
func Pinned(ctx context.Context, p *onboard.Program, user identity.User, random io.Reader) (*Return, error) {
	listed, err := p.Cluster.Enforcement().List(ctx)
	if err != nil {
		return nil, err
	}
	begun := &Return{User: user, revoked: revocationOf(listed.List, user.Name, p.Now())}
	pinned, isPinned := listed.List.Blocks(access.Blocked{User: user.Name, IsPin: true})
	group := pinned.PinGroup
	if !isPinned || begun.revoked != nil || !access.IsPinGroup(group) {
		var bytes [16]byte
		if _, err := io.ReadFull(random, bytes[:]); err != nil {
			return nil, err
		}
		group = access.PinGroup(bytes)
	}
	// A group of an earlier pin would let through what it let through.
	begun.User.Groups = append(slices.DeleteFunc(slices.Clone(user.Groups), access.IsPinGroup), group)
	return begun, nil
}

// revocationOf is the revocation of a user that is in force at a time; nil if none is.
func revocationOf(list access.List, user string, now time.Time) *access.Details {
	if details, isRevoked := list.Refuses(access.Blocked{User: user}, now); isRevoked {
		return &details
	}
	return nil
}

// checkUnchanged refuses to take a revocation off the list that was put there since the return was
// begun, by somebody who was told that it is in force.
func (r *Return) checkUnchanged(list access.List, now time.Time) error {
	found := revocationOf(list, r.User.Name, now)
	if found == nil || r.revoked != nil && found.At.Equal(r.revoked.At) && found.By == r.revoked.By {
		return nil
	}
	return outcome.WithHint(
		outcome.Errorf(outcome.ErrChanged, "the user %s was revoked by %s while the certificate was issued, and stays revoked", identity.Quote(r.User.Name), identity.Quote(found.By)),
		"ask them; to let the user come back all the same, run the same command again")
}

// Pin has every API server accept the certificates of a user that are in the group of the pin,
// as the one here is, and no others.
func (r *Return) Pin(ctx context.Context, p *onboard.Program, certificate *pki.Certificate, patience time.Duration) (*Result, error) {
	user := certificate.User()
	at := slices.IndexFunc(user.Groups, access.IsPinGroup)
	if at < 0 {
		return nil, errors.New("the certificate is not in the group of a pin")
	}
	me, _, err := p.Cluster.Self(ctx)
	if err != nil {
		return nil, err
	}
	pinned := access.Blocked{User: user.Name, IsPin: true}
	entryOf := func(list access.List) (access.Entry, error) {
		before, _ := list.Blocks(pinned)
		entry := access.Entry{Blocked: pinned, Details: access.Details{User: user.Name, By: me.Name, At: p.Now().UTC().Truncate(time.Second), Reason: before.Reason, PinGroup: user.Groups[at]}}
		if revoked, isRevoked := list.Blocks(access.Blocked{User: user.Name}); isRevoked {
			entry.Details.Reason = revoked.Reason
		}
		return entry, r.checkUnchanged(list, p.Now())
	}
	if err := p.Cluster.Blocking().Revoke(ctx, p.Now(), false, pinned, entryOf, access.Blocked{User: user.Name}); err != nil {
		return nil, err
	}
	p.Tell(Listed{Blocked: pinned})
	return await(ctx, p, patience, pinned)
}

// Undo takes an identity off the list, and waits until no API server refuses it any more. Where
// no enforcer reports, nothing is waited for.
func Undo(ctx context.Context, p *onboard.Program, in Input) (*Result, error) {
	blocked := in.Entry.Blocked
	pin := access.Blocked{User: blocked.User, IsPin: true}
	if in.DryRun == onboard.DryRunClient {
		list, _, err := p.Cluster.Blocking().List(ctx)
		details, isListed := list.Blocks(blocked)
		_, isPinned := list.Blocks(pin)
		_, wasOffboarded := list.Offboarded(blocked.User)
		return &Result{WasListed: isListed || isPinned, WasOnlyBlocked: isListed && !details.IsRevoked && !isPinned, WasOffboarded: wasOffboarded}, err
	}
	isDryRun := in.DryRun == onboard.DryRunServer
	was, err := p.Cluster.Blocking().Unblock(ctx, blocked, isDryRun, nil)
	if err == nil && blocked.User != "" {
		var pinned blocking.Unblocked
		pinned, err = p.Cluster.Blocking().Unblock(ctx, pin, isDryRun, nil)
		was.WasBlocked, was.WasRevoked = was.WasBlocked || pinned.WasBlocked, was.WasRevoked || pinned.WasBlocked
	}
	result := &Result{WasListed: was.WasBlocked, WasOnlyBlocked: was.WasBlocked && !was.WasRevoked, WasOffboarded: was.WasOffboarded}
	if err != nil || isDryRun {
		return result, err
	}
	if !was.WasBlocked {
		return result, checkNotKept(ctx, p, blocked)
	}
	if reports, err := p.Cluster.Enforcement().Reports(ctx); err != nil || len(reports) == 0 {
		return result, err
	}
	p.Tell(Listed{Blocked: blocked})
	awaited, err := await(ctx, p, in.Patience)
	if awaited != nil {
		awaited.WasListed, awaited.WasOnlyBlocked, awaited.WasOffboarded = true, result.WasOnlyBlocked, was.WasOffboarded
	}
	return awaited, err
}

// checkNotKept refuses to call somebody not revoked who is not on the list, where API servers
// still refuse what a list refused that was deleted.
func checkNotKept(ctx context.Context, p *onboard.Program, blocked access.Blocked) error {
	_, servers, err := look(ctx, p)
	if err != nil {
		return err
	}
	if nodes := keptAt(servers); len(nodes) > 0 {
		return outcome.WithHint(
			fmt.Errorf("%s is not on the list, but %s still %s the entries of a deleted list", blocked, english.Plural(len(nodes), "API server", ""), english.PluralWord(len(nodes), "refuses", "refuse")),
			"%s", HowToAccept)
	}
	return nil
}

// HowToAccept is what to do where entries of a list that was deleted are still in force.
const HowToAccept = "to keep somebody refused, revoke them again; then accept the new list: kubectl csr-onboard revocations accept"

// keptAt names the nodes whose API servers refuse more than what is on the list.
func keptAt(servers []revocation.Server) (nodes []string) {
	for _, server := range servers {
		if server.Report != nil && (server.Report.Kept > 0 || server.Report.List == "" && server.Report.Entries > 0) {
			nodes = append(nodes, server.Node)
		}
	}
	return nodes
}

// Accept has the list count as it is, where API servers also refuse what a list refused that
// was deleted, and waits until none does any more.
func Accept(ctx context.Context, p *onboard.Program, dryRun onboard.DryRun, patience time.Duration) (*Result, error) {
	listed, servers, err := look(ctx, p)
	if err != nil {
		return nil, err
	}
	if len(keptAt(servers)) == 0 {
		return &Result{IsMissing: !listed.Exists}, nil
	}
	if !listed.Exists {
		return nil, blocking.NoListToAccept()
	}
	if dryRun != onboard.DryRunClient {
		err = p.Cluster.Blocking().Accept(ctx, dryRun == onboard.DryRunServer)
	}
	if err != nil || dryRun != onboard.DryRunNone {
		return &Result{WasListed: true}, err
	}
	result, err := await(ctx, p, patience)
	if result != nil {
		result.WasListed = true
	}
	return result, err
}

// Render is the authorization file that an enforcer would write for the list, with the
// authorizers of a base behind those that refuse. kubeconfig is the path of the kubeconfig in
// the directory of the nodes.
func Render(ctx context.Context, p *onboard.Program, base revocation.Base, kubeconfig string) ([]byte, error) {
	listed, err := p.Cluster.Enforcement().List(ctx)
	if err != nil {
		return nil, err
	}
	if !listed.Exists {
		return nil, outcome.WithHint(
			outcome.Errorf(outcome.ErrNotFound, "the list (configmap %s/%s) was not found: nobody was ever revoked, or it was deleted", access.BlockNamespace, access.BlockName),
			"keep the file that is in place; the first one is written by: csr-onboard-controller enforce init")
	}
	entries, problems := revocation.Entries(listed.List, p.Now())
	for _, problem := range problems {
		p.Tell(NotRendered{Problem: problem})
	}
	file, err := revocation.Render(base, entries, revocation.Options{Kubeconfig: kubeconfig})
	return file.Text, err
}

// ErrTooOld is the error of a cluster whose release cannot revoke.
var ErrTooOld = errors.New("too old")

// CheckVersion refuses a cluster whose authorizers do not know by which certificate somebody is
// logged in, with an ErrTooOld.
func CheckVersion(ctx context.Context, p *onboard.Program) error {
	info, err := p.Cluster.ServerVersion(ctx)
	if err != nil {
		return err
	}
	if release, err := version.ParseGeneric(info.GitVersion); err == nil && release.LessThan(first) {
		return outcome.WithHint(
			outcome.Errorf(ErrTooOld, "this cluster cannot revoke: Kubernetes %s does not pass the credential ID of a certificate to authorizers", identity.Printable(info.GitVersion)),
			"revocation requires Kubernetes 1.32 or later; until then, offboard NAME --block refuses what a user writes, and --block --certificate FILE what is written with one certificate")
	}
	return nil
}

// checkPossible refuses what this cluster cannot do, and says what else there is.
func checkPossible(ctx context.Context, p *onboard.Program, entry access.Entry, certificateFile string) error {
	if err := CheckVersion(ctx, p); err != nil {
		return err
	}
	reports, err := p.Cluster.Enforcement().Reports(ctx)
	if err != nil {
		return err
	}
	if len(reports) == 0 {
		return outcome.WithHint(
			fmt.Errorf("cannot revoke %s: no enforcer reports on this cluster", entry.Blocked),
			"set up csr-onboard-controller enforce on each control-plane node (%s), which managed clusters do not support; until then, %s", revocation.Guide, whatElse(entry, certificateFile))
	}
	return nil
}

// whatElse is what refuses at least writes, for the same identity alone.
func whatElse(entry access.Entry, certificateFile string) string {
	user := entry.Details.User
	if user == "" || strings.HasPrefix(user, "system:") {
		user = "NAME"
	}
	block := identity.NewCommand("kubectl csr-onboard offboard").Argument(user).Words("--block")
	switch {
	case revocation.IsToken(entry.Blocked):
		return "a token is valid until it expires, or what it is bound to is deleted: its pod or its service account"
	case entry.Blocked.CredentialID == "":
		return "refuse writes: " + block.String()
	case certificateFile == "":
		return "writes with one certificate are refused only by its file: " + block.Words("--certificate FILE").String()
	}
	return "refuse writes with this certificate: " + block.Option("--certificate", certificateFile).String()
}

// Status is who is revoked, and whether that is in force.
type Status struct {
	// List is the list, and Exists is false where there is none.
	List   access.List
	Exists bool
	// Entries are what can be enforced of it, and Problems what cannot.
	Entries  []access.Entry
	Problems []revocation.Problem
	// Servers are the API servers, and whether the list is in force at each.
	Servers []revocation.Server
}

// CanRevoke reports whether any enforcer reports.
func (s *Status) CanRevoke() bool {
	return slices.ContainsFunc(s.Servers, func(server revocation.Server) bool { return server.Report != nil })
}

// HasRevocations reports whether the list has more than blocks of writes, which need no enforcer.
func (s *Status) HasRevocations() bool {
	return slices.ContainsFunc(s.Entries, func(entry access.Entry) bool { return !entry.IsBlockOfWrites() })
}

// IsMoreInForce reports whether API servers also refuse what a list refused that was deleted.
func (s *Status) IsMoreInForce() bool { return len(keptAt(s.Servers)) > 0 }

// Look reads who is revoked, and whether that is in force at every API server.
func Look(ctx context.Context, p *onboard.Program) (*Status, error) {
	listed, servers, err := look(ctx, p)
	if err != nil {
		return nil, err
	}
	status := &Status{List: listed.List, Exists: listed.Exists, Servers: servers}
	status.Entries, status.Problems = revocation.Entries(listed.List, p.Now())
	return status, nil
}

// look reads the list, and then the reports on it.
func look(ctx context.Context, p *onboard.Program, entries ...access.Blocked) (enforcement.Listed, []revocation.Server, error) {
	client := p.Cluster.Enforcement()
	listed, err := client.List(ctx)
	if err != nil {
		return enforcement.Listed{}, nil, err
	}
	servers, err := client.APIServers(ctx)
	if err != nil {
		p.Tell(APIServersUnknown{Reason: err})
	}
	reports, err := client.Reports(ctx)
	if err != nil {
		return enforcement.Listed{}, nil, err
	}
	return listed, revocation.Coverage(listed.List, reports, servers, p.Now(), entries...), nil
}

// await waits until the list as it is now is in force at every API server. Others may change it
// meanwhile: what is waited for is that entries are refused, and that takes the list as it is.
func await(ctx context.Context, p *onboard.Program, patience time.Duration, entries ...access.Blocked) (*Result, error) {
	begin := p.Now()
	limited, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	result := &Result{}
	for {
		listed, servers, err := look(limited, p, entries...)
		result.Took = p.Now().Sub(begin)
		switch {
		case limited.Err() != nil && ctx.Err() == nil:
			return result, notInForce(p, result.Servers, entries)
		case err != nil:
			return nil, err
		}
		result.Servers = servers
		for _, entry := range entries {
			if _, isListed := listed.List.Blocks(entry); !isListed {
				return result, outcome.Errorf(outcome.ErrChanged, "%s was removed from the list in the meantime", entry)
			}
		}
		if revocation.InForce(servers) == len(servers) && len(servers) > 0 {
			for _, node := range keptAt(servers) {
				p.Tell(KeptFromBefore{Node: node})
			}
			return result, nil
		}
		if result.Took+poll > patience {
			return result, notInForce(p, servers, entries)
		}
		select {
		case <-ctx.Done():
			return result, outcome.Errorf(outcome.ErrInterrupted, "%w while waiting for the API servers", outcome.ErrInterrupted)
		case <-time.After(poll):
		}
	}
}

// notInForce tells of each API server that is missing, and returns the error of it.
func notInForce(p *onboard.Program, servers []revocation.Server, entries []access.Blocked) error {
	what := "the list of revocations"
	if len(entries) > 0 {
		what = "the revocation of " + entries[0].String()
	}
	var nodes []string
	for _, server := range servers {
		if server.Why != "" {
			p.Tell(NotInForce{Server: server})
			nodes = append(nodes, identity.Name(server.Node))
		}
	}
	hint := "the list was changed; see what is wrong there: kubectl csr-onboard revocations"
	if len(keptAt(servers)) > 0 {
		hint = HowToAccept
	}
	return outcome.WithHint(
		fmt.Errorf("%s is not known to be in force at %s: %s", what, revocation.Of(len(nodes), servers), strings.Join(nodes, ", ")), "%s", hint)
}
