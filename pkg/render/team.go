package render

import (
	"fmt"
	"strings"

	"github.com/dustin/go-humanize/english"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/team"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
)

// member names a user among many, with their line where there is one.
func member(user string, line int) string {
	if line == 0 {
		return identity.Name(user)
	}
	return fmt.Sprintf("%s (line %d)", identity.Name(user), line)
}

// summary says in a line what came of many users.
func (w teamWords) summary(results []team.Result) {
	count := map[team.MemberState]int{}
	for _, result := range results {
		count[result.State]++
	}
	text := ""
	for _, part := range []struct {
		state team.MemberState
		words string
	}{
		{team.MemberFetched, "onboarded"}, {team.MemberComplete, "had a kubeconfig already"},
		{team.MemberSubmitted, "submitted"}, {team.MemberFound, "submitted already"}, {team.MemberMade, "with key and request on this machine"}, {team.MemberChecked, "checked by the API server"}, {team.MemberFailed, "not onboarded"},
	} {
		if count[part.state] == 0 {
			continue
		}
		if text != "" {
			text += ", "
		}
		text += fmt.Sprintf("%d %s", count[part.state], part.words)
	}
	w.did("%s: %s", english.Plural(len(results), "user", ""), text)
}

// teamWords has the words for what happens to many users.
type teamWords struct{ *voice }

// membersNotOnboarded names users who were not onboarded for the same reason.
func (w teamWords) membersNotOnboarded(e team.MembersNotOnboarded) {
	names := make([]string, len(e.Users))
	for i, one := range e.Users {
		names[i] = member(one.User.Name, one.Line)
	}
	w.say("not onboarded: %s: %s", strings.Join(names, ", "), sentence(e.Reason))
	w.hint(e.Reason)
}

// waits says what is in the way of many certificates.
func (w teamWords) waits(e team.Waits) {
	certificates := english.Plural(e.Waiting, "certificate", "")
	if !e.AreApproved {
		w.say("waiting for %s: an administrator approves the requests, with: kubectl csr-onboard approve", certificates)
		return
	}
	requestWords(w).unsigned(fmt.Sprintf("waiting for %s: the requests are approved", certificates), e.Signer)
}

func (w teamWords) nextSteps(e team.NextSteps) {
	w.say("next:")
	w.next("review and approve them, as an administrator", e.Approve)
	w.next("fetch the kubeconfigs after they are signed", e.Again)
}

func (w teamWords) nextStepsOffline(e team.NextStepsOffline) {
	w.say("nothing was sent anywhere; next:")
	approve := identity.NewCommand("kubectl csr-onboard approve -f DIR --out DIR")
	for _, one := range e.Lifetimes {
		command, whose := approve, "the requests"
		if one.Lifetime != 0 {
			command = command.Option("--expiration", request.FormatLifetime(one.Lifetime))
		}
		if len(e.Lifetimes) > 1 {
			whose = "the requests of " + strings.Join(one.Users, ", ")
		}
		w.next("send "+whose+", and nothing else, to an administrator, who runs", command)
	}
	w.next("with each file that the administrator sends back, run", e.Fetch)
}

func (w teamWords) mistakes(e team.FileRefused) {
	for _, mistake := range e.Mistakes {
		place := identity.PrintableSentence(e.File)
		if mistake.Line > 0 {
			place = fmt.Sprintf("%s:%d", place, mistake.Line)
		}
		w.say("%s: %s", place, mistake.Problem)
	}
}
