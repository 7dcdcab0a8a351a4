package approve

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/access"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cmd/cli"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cmd/options"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/kubeconfig"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/approval"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/clusters"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/event"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/handoff"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/render"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/render/report"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
)

// validateClusters refuses what is not decided on several clusters.
func validateClusters(o *decideOptions) error {
	if !o.clusters.IsGiven() {
		return nil
	}
	if err := o.clusters.RefuseOne("external-server", "cluster-name"); err != nil {
		return err
	}
	if o.dryRun == onboard.DryRunClient {
		if err := o.clusters.Refuse("which with --dry-run=client only prints reviews", "leave it out, or use --dry-run=server", "clusterrole", "role", "renewable", "to-group"); err != nil {
			return err
		}
	}
	if len(o.selection.Names) == 0 && len(o.Files) == 0 && !o.All && o.Selector == "" {
		return outcome.WithHint(outcome.Errorf(outcome.ErrUsage, "--contexts requires a NAME, --filename, --all or --selector"), "list the requests: %s list --pending --contexts NAMES", cli.Program)
	}
	if err := o.clusters.RefuseNames(o.Output.Format()); err != nil {
		return err
	}
	return o.clusters.Validate()
}

// onCluster is what was decided on one cluster.
type onCluster struct {
	env     *cli.Environment
	program *onboard.Program
	decided []approval.Decided
	// handed are the certificates that were waited for.
	handed []*handoff.HandedOff
}

// runOnClusters decides on several clusters at the same time. Everything is decided before
// certificates are waited for, so nothing is told while a person is asked.
func runOnClusters(ctx context.Context, o *decideOptions) error {
	o.Narrator.In(o.dryRun)
	for _, on := range o.clusters.Each {
		on.Narrator.In(o.dryRun)
	}
	for _, text := range o.unread {
		o.Narrator.Warn(text)
	}
	// Nothing is sent yet: what is written for one cluster depends on which others there are.
	connected := options.OnEach(ctx, &o.clusters, func(_ context.Context, env *cli.Environment) (onCluster, error) {
		program, err := env.Connect()
		return onCluster{env: env, program: program}, err
	})
	var endpoints []kubeconfig.Endpoint
	for _, one := range connected {
		if one.Err == nil {
			endpoints = append(endpoints, one.Value.program.Cluster.Endpoint())
		}
	}
	asking := clusters.NewMeeting(len(connected), o.ask)
	results := clusters.Run(connected, nameOf, func(one clusters.Result[onCluster]) (onCluster, error) {
		defer asking.Leave(ctx)
		if one.Err != nil {
			return one.Value, one.Err
		}
		return decideOn(ctx, o, one.Value, endpoints, asking)
	})
	if o.handoff.Out != "-" {
		if err := printOnClusters(o, results); err != nil {
			return err
		}
	}
	if o.dryRun == onboard.DryRunNone && o.handoff.Waits(len(o.Files) > 0) {
		results = clusters.Run(results, nameOf, func(one clusters.Result[onCluster]) (onCluster, error) {
			if len(one.Value.decided) == 0 {
				return one.Value, one.Err
			}
			return handOffOn(ctx, o, one.Value, one.Err)
		})
	}
	writeErr := writeHandoffs(ctx, o, results)
	options.CompleteHints(&o.clusters, results)
	return cmp.Or(clusters.Failure(results, o.Narrator.Tell), writeErr)
}

func nameOf(one clusters.Result[onCluster]) string { return one.Cluster }

// handOffOn waits for the certificates of what was approved on one of several clusters.
func handOffOn(ctx context.Context, o *decideOptions, on onCluster, decidedErr error) (onCluster, error) {
	in := o.handoff.Input(on.env)
	if in.Path != "" {
		handoff.WarnOf(ctx, on.program)
	}
	// One file has what is handed off on all clusters.
	in.Path = ""
	var err error
	on.handed, err = handoff.Each(ctx, on.program, approval.ObjectsOf(on.decided), in)
	return on, cmp.Or(decidedErr, err)
}

// writeHandoffs writes a file for each user, with the certificates of all clusters on which there is one.
func writeHandoffs(ctx context.Context, o *decideOptions, results []clusters.Result[onCluster]) (firstErr error) {
	if o.handoff.Out == "" || ctx.Err() != nil {
		return nil
	}
	var users []handoff.OfUser
	for _, one := range results {
		if len(one.Value.handed) > 0 {
			users = handoff.ByUser(users, one.Value.program.Cluster.Endpoint(), one.Value.handed)
		}
	}
	program := o.WithoutCluster()
	for _, of := range users {
		handed, err := handoff.WriteSeveral(ctx, program, of, o.handoff.Input(o.Environment))
		if err == nil {
			_, err = o.Streams.Out.Write(handed.Handoff)
		}
		if err != nil && len(users) > 1 {
			program.Tell(handoff.NotHandedOff{Reason: err})
		}
		firstErr = cmp.Or(firstErr, err)
	}
	return firstErr
}

// decideOn decides on one of several clusters, and asks together with the others.
func decideOn(ctx context.Context, o *decideOptions, on onCluster, endpoints []kubeconfig.Endpoint, asking *clusters.Meeting[question]) (onCluster, error) {
	env, file := on.env, o.handoff.Input(on.env)
	held := &heldBack{tell: on.program.Tell}
	on.program.Tell = held.Tell
	in := o.input(ctx)
	in.Confirm = func(ctx context.Context, review *request.Review) error {
		return asking.Ask(ctx, o.clusters.PlaceOf(env), question{cluster: env.Cluster, review: review, given: held.take()})
	}
	in.Check = func(review *request.Review) error {
		return handoff.CheckSeveral(ctx, on.program.Cluster.Endpoint(), review.User, endpoints, file)
	}
	var err error
	on.decided, err = approval.Run(ctx, on.program, in)
	held.flush()
	return on, options.HintAtFile(err, o.selection.Names, o.forFile())
}

// question is a request on one cluster about which a person is asked.
type question struct {
	cluster string
	review  *request.Review
	// given is what the user is to get besides.
	given []access.Wanted
}

// text is everything that is shown about a request but its age.
func (q question) text() string {
	var text bytes.Buffer
	// Nothing is written to but memory.
	_ = render.Review(&text, q.review, q.review.Object.CreationTimestamp.Time)
	_, _ = fmt.Fprintf(&text, "%q", q.given)
	return text.String()
}

// isSame reports whether two requests have the same content, so that a person who was shown one has
// seen the other: the same is shown of both, and the requests differ in their signatures at most.
func (q question) isSame(other question) bool {
	return q.text() == other.text() && request.AskTheSame(q.review.Object, other.review.Object)
}

// distinct is one content, with the places of the questions that have it and their clusters.
type distinct struct {
	question

	places   []int
	clusters []string
}

// distinctOf are the different contents of questions, in their order.
func distinctOf(questions []question) (all []distinct) {
	for place, one := range questions {
		known := slices.IndexFunc(all, func(other distinct) bool { return one.isSame(other.question) })
		if known < 0 {
			known = len(all)
			all = append(all, distinct{question: one})
		}
		all[known].places = append(all[known].places, place)
		all[known].clusters = append(all[known].clusters, one.cluster)
	}
	return all
}

// ask shows each distinct content once, with the clusters that it is on, and asks about it once. After
// Ctrl-C nothing more is asked.
func (o *decideOptions) ask(ctx context.Context, questions []question) []error {
	return askEach(ctx, questions, o.askOne)
}

// askEach is ask, by a function that asks about one content.
func askEach(ctx context.Context, questions []question, askOne func(context.Context, distinct) error) []error {
	answers := make([]error, len(questions))
	var stopErr error
	for _, one := range distinctOf(questions) {
		answerErr := stopErr
		if stopErr == nil {
			answerErr = askOne(ctx, one)
			if answerErr != nil && !errors.Is(answerErr, approval.ErrDeclined) {
				stopErr = answerErr
			}
		}
		for _, place := range one.places {
			answers[place] = answerErr
		}
	}
	return answers
}

func (o *decideOptions) askOne(ctx context.Context, one distinct) error {
	o.Narrator.Tell(onboard.Reviewed{Review: one.review, Now: o.Now(), Clusters: one.clusters})
	if len(one.given) > 0 {
		o.Narrator.Tell(approval.ToBeGiven{Wanted: one.given})
	}
	quoted := make([]string, len(one.clusters))
	for i, name := range one.clusters {
		quoted[i] = identity.Name(name)
	}
	asking := o.confirmation()
	asking.On = " on " + strings.Join(quoted, ", ")
	return asking.Ask(ctx, one.review)
}

// heldBack holds back what a run shows of a request until it is known whether a person is asked about it,
// together with what other runs ask.
type heldBack struct {
	tell func(event.Event)

	mutex sync.Mutex
	shown []event.Event
}

// Tell tells everything but what is held back, and that before.
func (h *heldBack) Tell(told event.Event) {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	switch told.(type) {
	case onboard.Reviewed:
		h.tellShown()
		h.shown = []event.Event{told}
	case approval.ToBeGiven:
		h.shown = append(h.shown, told)
	default:
		h.tellShown()
		h.tell(told)
	}
}

func (h *heldBack) tellShown() {
	for _, one := range h.shown {
		h.tell(one)
	}
	h.shown = nil
}

// flush tells what is held back.
func (h *heldBack) flush() {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	h.tellShown()
}

// take forgets what is held back, because the person who is asked is shown it, and returns what is to
// be given.
func (h *heldBack) take() (given []access.Wanted) {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	for _, one := range h.shown {
		if toBeGiven, is := one.(approval.ToBeGiven); is {
			given = toBeGiven.Wanted
		}
	}
	h.shown = nil
	return given
}

// printOnClusters writes what was decided on each cluster, or, in a client's dry run, what was shown.
func printOnClusters(o *decideOptions, results []clusters.Result[onCluster]) error {
	var all []report.OnCluster[options.Objects]
	var shown []question
	for _, result := range results {
		objects := options.Objects{Done: o.Decision.Done + o.dryRun.Note()}
		for _, one := range result.Value.decided {
			one.Review.Cluster = result.Cluster
			objects.Items = append(objects.Items, one.Object)
			shown = append(shown, question{cluster: result.Cluster, review: one.Review})
		}
		if result.Value.decided != nil {
			all = append(all, report.OnCluster[options.Objects]{Cluster: result.Cluster, Value: objects})
		}
	}
	switch {
	case all == nil:
		return nil
	case o.dryRun != onboard.DryRunClient:
		return o.Output.PrintOnClusters(o.Streams, all)
	}
	if len(shown) > 0 {
		o.Narrator.Tell(approval.NothingDecided{Decision: o.Decision})
	}
	if format := o.Output.Format(); format != "" {
		reviews := make([]*request.Review, len(shown))
		for i, one := range shown {
			reviews[i] = one.review
		}
		return report.Reviews(o.Streams.Out, format, reviews)
	}
	for _, one := range distinctOf(shown) {
		if err := render.ReviewOn(o.Streams.Out, one.review, o.Now(), one.clusters); err != nil {
			return err
		}
	}
	return nil
}
