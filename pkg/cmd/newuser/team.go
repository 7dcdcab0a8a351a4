package newuser

import (
	"context"
	"errors"
	"slices"

	"github.com/dustin/go-humanize/english"

	certificatesv1 "k8s.io/api/certificates/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/access"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cmd/cli"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cmd/options"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/team"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/render/report"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/store"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/teamfile"
)

// readTeam reads the users of the file. The flags say what the file leaves open.
func (o *newUserOptions) readTeam() error {
	data, err := o.Inputs().Read(o.Filename)
	if cli.IsWaitOver(err) {
		return err
	}
	if err != nil {
		return outcome.WithHint(outcome.BadFile("--filename", o.Filename, err),
			"name a file in YAML, JSON or CSV, or - for standard input")
	}
	users, mistakes := teamfile.Parse(data)
	if len(mistakes) > 0 {
		o.Narrator.Tell(team.FileRefused{File: o.Filename, Mistakes: mistakes})
		return outcome.WithHint(
			outcome.Errorf(outcome.ErrUsage, "the file %q cannot be used: %s", o.Filename, english.Plural(len(mistakes), "mistake", "")),
			"nothing was done; fix it and run the same command again")
	}
	directories := store.NewUserDirectories(o.Directory, o.Home())
	for _, user := range users {
		member, err := o.member(user, directories)
		if err != nil {
			return err
		}
		o.members = append(o.members, member)
	}
	if err := o.refuseUnusedDefaults(users); err != nil {
		return err
	}
	return o.refuseUngivenRoles()
}

// refuseUngivenRoles refuses roles that nobody would get.
func (o *newUserOptions) refuseUngivenRoles() error {
	if o.Approve {
		return nil
	}
	for _, member := range o.members {
		if len(member.Grants.Grants) > 0 {
			return outcome.WithHint(
				outcome.Errorf(outcome.ErrUsage, "the roles of %s (line %d) are given with --approve only", identity.Quote(member.User.Name), member.Line),
				"add --approve, or remove the roles from the file")
		}
	}
	return nil
}

// refuseUnusedDefaults refuses flags about what the file leaves open where it leaves it open
// for nobody.
func (o *newUserOptions) refuseUnusedDefaults(users []teamfile.Member) error {
	for _, open := range []struct {
		flags  []string
		isOpen func(teamfile.Member) bool
	}{
		{[]string{"group"}, func(m teamfile.Member) bool { return !m.HasGroups }},
		{[]string{"key-algorithm"}, func(m teamfile.Member) bool { return m.KeyAlgorithm == "" }},
		{[]string{"expiration"}, func(m teamfile.Member) bool { return m.Lifetime == 0 }},
		{[]string{"clusterrole", "role"}, func(m teamfile.Member) bool { return !m.HasGrants }},
	} {
		if slices.ContainsFunc(users, open.isOpen) {
			continue
		}
		err := cli.RefuseGiven(o.FlagSet, "here, because the file says it for every user", "leave it out, or remove it from the file", open.flags...)
		if err != nil {
			return err
		}
	}
	return nil
}

// member is a user of the file, with what the flags say where the file says nothing.
func (o *newUserOptions) member(user teamfile.Member, directories store.UserDirectories) (team.Member, error) {
	in := o.input
	in.User = user.User
	if !user.HasGroups {
		in.User.Groups = o.Groups
	}
	if user.KeyAlgorithm != "" {
		in.KeyAlgorithm, in.RequireAlgorithm = user.KeyAlgorithm, true
	}
	if user.Lifetime != 0 {
		in.Lifetime, in.LifetimeSource = user.Lifetime, "the file"
	}
	member := team.Member{Grants: o.grants.Input(), Allow: user.Allow, Line: user.Line}
	if user.HasGrants {
		member.Grants.Grants = user.Grants
		if o.grants.Renewable {
			member.Grants.Grants = append(member.Grants.Grants, access.RenewableGrant)
		}
	}
	var err error
	if in.User, err = identity.Parse(in.User.Name, in.User.Groups); err != nil {
		return member, err
	}
	if in.Directory, err = directories.Of(in.User.Name); err != nil {
		return member, err
	}
	member.NewUserInput = in
	return member, nil
}

// validateTeam refuses flags that are about one user only.
func (o *newUserOptions) validateTeam() error {
	for _, flag := range []string{"key", "request-name", "certificate-only", "out", "merge", "set-current", "context-name"} {
		if o.FlagSet.Changed(flag) {
			return outcome.WithHint(
				outcome.Errorf(outcome.ErrUsage, "--%s is about one user, and --filename names many", flag),
				"leave one of them out")
		}
	}
	if o.input.DryRun != onboard.DryRunNone {
		return o.Output.Validate(o.FlagSet)
	}
	if err := cli.RefusePrintFlags(o.FlagSet, "this command's report"); err != nil {
		return err
	}
	return options.ValidateFormat(o.FlagSet, o.Output.Format(), "this command's report", "a line for each user")
}

// runTeam onboards the users of the file.
func (o *newUserOptions) runTeam(ctx context.Context) error {
	in := o.teamInput()
	work, err := o.programOfTeam(in.DryRun)
	if err != nil {
		return err
	}
	results, runErr := team.Run(ctx, work, in)
	o.Narrator.Close()
	if results == nil {
		return runErr
	}
	return errors.Join(o.printTeam(results), o.endOfTeam(results, runErr))
}

// teamInput is what is done for the users of the file.
func (o *newUserOptions) teamInput() team.Input {
	in := team.Input{
		Members: o.members, Signer: o.input.Signer, DryRun: o.input.DryRun, Approve: o.Approve, Fetch: o.Wait,
		Timeout: o.fetch.Timeout, VerifyLogin: o.fetch.VerifyLogin,
		KeepObjects: o.input.DryRun != onboard.DryRunNone,
	}
	if o.Offline {
		in.DryRun = onboard.DryRunClient
	}
	if o.Approve || o.Wait {
		in.Kubeconfig = o.fetch.Input(o.Environment, "", o.Directory).Kubeconfig
	}
	return in
}

// programOfTeam makes the program. A client's dry run looks for roles where the kubeconfig
// names a cluster, as that of approve.
func (o *newUserOptions) programOfTeam(dryRun onboard.DryRun) (*onboard.Program, error) {
	if dryRun == onboard.DryRunClient && o.Approve {
		raw, err := o.RawKubeconfig()
		if err != nil || len(raw.Contexts) > 0 || *o.Flags.APIServer != "" {
			return o.Connect()
		}
	}
	return o.programFor(dryRun)
}

// endOfTeam says what came of the users and what remains to be done.
func (o *newUserOptions) endOfTeam(results []team.Result, runErr error) error {
	o.Narrator.Tell(team.Summary{Results: results})
	switch {
	case runErr != nil, o.Approve, o.Wait, o.input.DryRun != onboard.DryRunNone:
	case o.Offline:
		o.Narrator.Tell(team.NextStepsOffline{Fetch: options.FetchCommand("NAME", o.Directory).Words("--from FILE"), Lifetimes: lifetimesOf(o.members)})
	default:
		o.Narrator.Tell(team.NextSteps{Approve: identity.NewCommand(cli.Program + " approve"), Again: o.SameCluster(o.teamAgain().Words("--wait"))})
	}
	return runErr
}

// lifetimesOf are the lifetimes that are wanted, each with its users, in the file's order.
func lifetimesOf(members []team.Member) []team.LifetimeOfUsers {
	var found []team.LifetimeOfUsers
	for _, member := range members {
		lifetime := member.Lifetime
		if lifetime == request.DefaultLifetime {
			lifetime = 0
		}
		place := slices.IndexFunc(found, func(l team.LifetimeOfUsers) bool { return l.Lifetime == lifetime })
		if place < 0 {
			place = len(found)
			found = append(found, team.LifetimeOfUsers{Lifetime: lifetime})
		}
		found[place].Users = append(found[place].Users, identity.Name(member.User.Name))
	}
	return found
}

// teamAgain is what to type to continue with the same users: what the file leaves open of
// them is part of who their requests are for.
func (o *newUserOptions) teamAgain() identity.Command {
	words := cli.Program + " new-user"
	if o.Filename == "-" {
		words = "THE SAME INPUT | " + words
	}
	command := identity.NewCommand(words).Option("--filename", o.Filename)
	for _, group := range o.Groups {
		command = command.Option("--group", group)
	}
	for _, flag := range []struct{ name, value string }{
		{"key-algorithm", o.KeyAlgorithm}, {"expiration", o.Expiration}, {"signer-name", o.SignerName}, {"dir", o.Directory},
	} {
		if o.FlagSet.Changed(flag.name) {
			command = command.Option("--"+flag.name, flag.value)
		}
	}
	return command
}

// printTeamDryRun writes what would be made, with the bindings that --approve would make.
func (o *newUserOptions) printTeamDryRun(results []team.Result) error {
	var requests []*request.Request
	var wanted []access.Wanted
	for _, result := range results {
		if result.Object != nil && result.Err == nil {
			requests = append(requests, result.Object)
			wanted = append(wanted, result.Wanted...)
		}
	}
	note := o.input.DryRun.Note()
	output := options.NewBindingOutput("applied" + note)
	output.OutputFormat, output.TemplatePrinterFlags = o.Output.Flags.OutputFormat, o.Output.Flags.TemplatePrinterFlags
	output.JSONYamlPrintFlags = o.Output.Flags.JSONYamlPrintFlags
	if !o.Approve || options.IsNameForm(output) {
		if err := o.Output.Print(o.Streams, "created"+note, true, requests...); err != nil || !o.Approve {
			return err
		}
		return options.PrintBindings(o.Streams, output, false, wanted)
	}
	objects := make([]runtime.Object, len(requests))
	for i, object := range requests {
		object.SetGroupVersionKind(certificatesv1.SchemeGroupVersion.WithKind("CertificateSigningRequest"))
		objects[i] = object.CertificateSigningRequest
	}
	printer, err := output.ToPrinter()
	if err != nil {
		return err
	}
	return printer.PrintObj(options.ListOf(append(objects, access.Objects(wanted)...)), o.Streams.Out)
}

// printTeam writes what came of the users, in the order of the file.
func (o *newUserOptions) printTeam(results []team.Result) error {
	if o.input.DryRun != onboard.DryRunNone {
		return o.printTeamDryRun(results)
	}
	if format := o.Output.Format(); format != "" {
		return report.Team(o.Streams.Out, format, results)
	}
	for _, result := range results {
		var err error
		switch result.State {
		case team.MemberFetched, team.MemberComplete, team.MemberMade:
			err = o.PrintLine("%s", result.Path)
		case team.MemberSubmitted:
			err = o.PrintLine("%s/%s created", options.RequestResource, identity.Printable(result.Request))
		case team.MemberFound:
			err = o.PrintLine("%s/%s unchanged", options.RequestResource, identity.Printable(result.Request))
		}
		if err != nil {
			return err
		}
	}
	return nil
}
