package enforce

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/access"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cluster/enforcement"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/revocation"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/store"
)

const (
	// pulse is how often files and proof are looked at when nothing changes, and beats is
	// after how many of them the report is renewed.
	pulse = 2 * time.Second
	beats = 5
	// resync bounds one watch: the list is read again at least as often.
	resync = 30 * time.Second
	// fullProof is how often every entry is proven again.
	fullProof = 10 * time.Minute
	// longestPause bounds the pauses between tries to reach the API server.
	longestPause = 2 * time.Second
	firstPause   = 100 * time.Millisecond
	// provenStream is how long a watch lasts at least after which the list is read again
	// without a pause: a server, or a proxy, that ends each at once is not asked all the time.
	provenStream = 5 * time.Second
)

// Input is what one enforcer takes.
type Input struct {
	// Directory is where the authorization file is. Required.
	Directory store.Enforcement
	// Node is the name of the control-plane node, and Version that of the program. Required.
	Node, Version string
	// Connect makes a client to the API server of the node. It is called again where the
	// credentials are not accepted any more. Required.
	Connect func() (*enforcement.Client, error)
	// Denier is the address at which the enforcer answers the API server as the denier.
	// Optional: it does not.
	Denier string
	// Now is the clock. Required.
	Now func() time.Time
	// Log takes what happens. Required.
	Log *slog.Logger
}

// enforcer is one that runs.
type enforcer struct {
	Input

	files  *files
	client *enforcement.Client
	// denier answers the API server; nil if it is not to, or cannot.
	denier *denier
	// listed is the list, once it was read, and remembered what is to be in force of it and of
	// those before.
	listed     *enforcement.Listed
	remembered revocation.Remembered
	// self are the enforcer's own identities, which it never refuses.
	self []access.Blocked

	// file is what the list was rendered to, entries are what is in it, and digest is that of
	// the list; "" where a list that is gone is still in force. isFound says that the file was
	// there before, and the list of which it was rendered is unknown.
	file    revocation.File
	digest  string
	entries []access.Entry
	isFound bool
	// attempt counts how often the API server was told again to load a file.
	attempt int
	// from is what the file was rendered from.
	from source

	// provenMark is the mark of the file that the API server was last seen to use, and proven
	// are the entries that were seen refused by it or one before.
	provenMark  string
	proven      map[access.Blocked]bool
	provenUntil time.Time
	fullProofAt time.Time
	// retryAt is when a file that the API server did not load is tried again.
	retryAt time.Time
	// loaded is what the metrics said last, and loadedMark of which file they were asked.
	loaded     enforcement.Loaded
	loadedMark string

	// These are what is wrong now.
	followProblems, listProblems, fileProblems, proofProblems, metricProblems, denierProblems []string
	// reported is the state that was reported last, and said are the texts that were logged.
	reported string
	said     map[string]bool
}

// source is what a file is rendered from. It is rendered again when that changes, or at
// nextEnd, when an entry ends; zero if none does.
type source struct {
	listed   *enforcement.Listed
	baseText string
	attempt  int
	denier   string
	nextEnd  time.Time
}

// Run enforces the list until the context ends. An error says why it could not begin.
func Run(ctx context.Context, in Input) (err error) {
	e, release, err := begin(in)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, release()) }()
	e.startDenier(ctx)
	lists := make(chan enforcement.Listed, 1)
	failures := make(chan error, 1)
	go e.follow(ctx, lists, failures)
	ticker := time.NewTicker(pulse)
	defer ticker.Stop()
	for beat := 0; ; {
		select {
		case <-ctx.Done():
			return nil
		case listed := <-lists:
			e.listed = &listed
			e.retryAt = time.Time{}
			e.round(ctx, true)
		case err := <-failures:
			e.followProblems = nil
			if err != nil {
				e.say("the list cannot be followed", err)
				e.followProblems = []string{err.Error()}
			}
		case <-ticker.C:
			beat++
			e.round(ctx, beat%beats == 0)
		}
	}
}

// Once enforces the list as it is, and returns why it is not in force, if it is not.
func Once(ctx context.Context, in Input) (err error) {
	e, release, err := begin(in)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, release()) }()
	if err := e.connect(ctx); err != nil {
		return err
	}
	listed, err := e.client.List(ctx)
	if err != nil {
		return err
	}
	e.listed = &listed
	e.enforce(ctx)
	e.askMetrics(ctx)
	if err := e.report(ctx); err != nil {
		return err
	}
	if problems := e.problems(); len(problems) > 0 {
		return fmt.Errorf("not everything is in force: %s", problems[0])
	}
	return nil
}

// begin takes the lock of the directory and puts its files in order, whether or not the API
// server can be reached: it may be waiting for them.
func begin(in Input) (*enforcer, func() error, error) {
	release, err := in.Directory.Lock()
	if err != nil {
		return nil, nil, err
	}
	opened, err := openFiles(in.Directory)
	if err != nil {
		return nil, nil, errors.Join(err, release())
	}
	remembered, err := opened.remembered()
	if err != nil {
		// The list is taken as it is.
		in.Log.Warn("what was remembered of the list cannot be read", "error", err.Error())
	}
	return &enforcer{Input: in, files: opened, remembered: remembered, proven: map[access.Blocked]bool{}, said: map[string]bool{}}, release, nil
}

// follow hands on the list, and every change of it.
func (e *enforcer) follow(ctx context.Context, lists chan enforcement.Listed, failures chan error) {
	// Only the latest list matters.
	hand := func(listed enforcement.Listed) {
		select {
		case <-lists:
		default:
		}
		lists <- listed
	}
	tell := func(err error) {
		select {
		case <-failures: //nolint:errcheck // Only the latest matters.
		default:
		}
		failures <- err
	}
	pause := firstPause
	for ctx.Err() == nil {
		began := e.Now()
		client, err := e.Connect()
		if err == nil {
			err = followOnce(ctx, client, hand, func() { tell(nil) })
		}
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			tell(err)
		} else if e.Now().Sub(began) > provenStream {
			pause = firstPause
			continue
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
		pause = min(2*pause, longestPause)
	}
}

// followOnce lists and then watches for a while.
func followOnce(ctx context.Context, client *enforcement.Client, hand func(enforcement.Listed), opened func()) error {
	listed, err := client.List(ctx)
	if err != nil {
		return err
	}
	hand(listed)
	limited, cancel := context.WithTimeout(ctx, resync)
	defer cancel()
	err = client.Watch(limited, listed.Version, opened, hand)
	if limited.Err() != nil && ctx.Err() == nil {
		return nil
	}
	return err
}

// connect makes the client that proves and reports, and learns who it is.
func (e *enforcer) connect(ctx context.Context) error {
	client, err := e.Connect()
	if err != nil {
		return err
	}
	user, credentials, err := client.Self(ctx)
	if err != nil {
		return err
	}
	e.client, e.self = client, []access.Blocked{{User: user}, {User: user, IsPin: true}}
	for _, id := range credentials {
		e.self = append(e.self, access.Blocked{CredentialID: id})
	}
	return nil
}

// round does what there is to do, and reports it where that is due or news.
func (e *enforcer) round(ctx context.Context, isDue bool) {
	if e.client == nil {
		if err := e.connect(ctx); err != nil {
			e.say("the API server cannot be asked", err)
			if err := e.files.keep(); err != nil {
				e.say("the files cannot be kept", err)
			}
			return
		}
	}
	e.enforce(ctx)
	e.reportNews(ctx, isDue)
	if e.client != nil && e.loadedMark != e.provenMark {
		// The metrics are large: what was seen is reported before they are read.
		e.askMetrics(ctx)
		e.reportNews(ctx, false)
	}
}

// reportNews reports where that is due, or something changed since the last report.
func (e *enforcer) reportNews(ctx context.Context, isDue bool) {
	for _, problem := range e.problems() {
		e.say("problem", errors.New(problem))
	}
	if !isDue && e.reported == e.state() {
		return
	}
	if err := e.report(ctx); err != nil {
		e.say("the report cannot be written", err)
		// Credentials may have been replaced.
		e.client = nil
	}
}

// state is what makes a report news.
func (e *enforcer) state() string {
	return fmt.Sprint(e.digest, e.provenMark, e.provenUntil.IsZero(), e.loaded, e.problems())
}

// enforce has the file of the list in place, and proves it.
func (e *enforcer) enforce(ctx context.Context) {
	e.fileProblems = nil
	e.startDenier(ctx)
	if err := e.render(); err != nil {
		e.fileProblems = append(e.fileProblems, err.Error())
	}
	if err := e.files.keep(); err != nil {
		e.fileProblems = append(e.fileProblems, err.Error())
	}
	e.prove(ctx)
}

// startDenier has the denier answer, where one is wanted. Where it cannot, the API server is not
// told to ask it.
func (e *enforcer) startDenier(ctx context.Context) {
	if e.Denier == "" {
		return
	}
	e.denierProblems = nil
	var err error
	if e.denier == nil {
		e.denier, err = newDenier(e.Directory, e.Denier, e.Now())
	}
	if err == nil {
		err = e.denier.listen(ctx)
	}
	if err != nil {
		e.denierProblems = []string{"the denier cannot answer, and the revoked read a 500: " + err.Error()}
		return
	}
	e.files.answeredBy(e.denier)
}

// denierName names the denier that the API server is to ask; "" for none.
func (e *enforcer) denierName() string {
	if e.denier == nil || !e.denier.isListening.Load() {
		return ""
	}
	return e.denier.name()
}

// render makes the file of the list the one that is to be in place.
func (e *enforcer) render() error {
	if err := e.files.readBase(); err != nil {
		return err
	}
	from := source{e.listed, string(e.files.baseText), e.attempt, e.denierName(), e.from.nextEnd}
	if e.listed == nil || e.Now().Before(e.retryAt) || from == e.from && (from.nextEnd.IsZero() || e.Now().Before(from.nextEnd)) && bytes.Equal(e.files.wanted, e.file.Text) {
		return nil
	}
	e.listProblems = nil
	e.isFound = !e.listed.Exists && e.remembered.UID == "" && len(e.files.wanted) > 0 && !revocation.RefusesNobody(e.files.wanted)
	if e.isFound {
		e.digest = ""
		e.file, e.from = revocation.File{Text: e.files.wanted, Mark: revocation.MarkOf(e.files.wanted)}, from
		e.listProblems = []string{isGone}
		return nil
	}
	rememberErr := e.remember()
	entries, problems := e.remembered.Entries(e.Now())
	for _, problem := range problems {
		e.listProblems = append(e.listProblems, problem.String())
	}
	entries = slices.DeleteFunc(entries, func(entry access.Entry) bool {
		isSelf := slices.Contains(e.self, entry.Blocked)
		if isSelf {
			e.listProblems = append(e.listProblems, entry.Blocked.Key()+": it is the enforcer's own identity, which it does not refuse")
		}
		return isSelf
	})
	if e.denier != nil {
		e.denier.tell(entries)
	}
	file, err := revocation.Render(e.files.base, entries, revocation.Options{Kubeconfig: e.Directory.DenierPath(), Denier: from.denier, Attempt: e.attempt})
	if err == nil {
		err = e.files.put(file.Text)
	}
	if err != nil {
		return errors.Join(err, rememberErr)
	}
	if e.file.Mark != file.Mark {
		e.Log.Info("authorization file in place", "entries", len(entries), "sha256", file.SHA256(), "attempt", e.attempt)
	}
	e.file, e.entries, e.digest, e.from = file, entries, e.listed.List.Digest(), from
	if !e.listed.Exists && len(entries) > 0 {
		e.digest = ""
		e.listProblems = append(e.listProblems, isGone)
	}
	e.from.nextEnd, _ = revocation.NextEnd(entries)
	if rememberErr != nil {
		// It is tried again.
		e.from.listed = nil
	}
	return rememberErr
}

// isGone is the problem of a list that was deleted: that revokes nobody's revocation.
const isGone = "the list (configmap " + access.BlockNamespace + "/" + access.BlockName + ") does not exist; what the last one refused stays refused"

// remember takes in the list as it is now. It is on the disk before the file that is rendered
// from it, so what was in force at any time is known after a restart.
func (e *enforcer) remember() error {
	if e.listed.Exists {
		e.remembered = e.remembered.Seen(e.listed.UID, e.listed.IsAccepted, e.listed.List, e.Now())
	}
	if explained := e.remembered.Explain(); explained != "" {
		e.listProblems = append(e.listProblems, explained)
	}
	return e.files.remember(e.remembered)
}

// report writes the report.
func (e *enforcer) report(ctx context.Context) error {
	report := revocation.Report{
		Node: e.Node, Version: e.Version, List: e.digest, File: e.file.SHA256(), Entries: len(e.entries), Kept: len(e.remembered.Kept),
		APIServer: e.loaded.APIServer, Problems: e.problems(), Renewed: e.Now(),
	}
	if e.file.Mark != "" && e.file.Mark == e.provenMark {
		report.ProvenUntil = e.provenUntil
	}
	if err := e.client.Report(ctx, report); err != nil {
		return err
	}
	e.reported = e.state()
	return nil
}

func (e *enforcer) problems() []string {
	return slices.Concat(e.fileProblems, e.proofProblems, e.followProblems, e.metricProblems, e.denierProblems, e.listProblems)
}

// say logs something once, until something else was said about it.
func (e *enforcer) say(about string, err error) {
	text := about + ": " + err.Error()
	if e.said[text] || errors.Is(err, outcome.ErrInterrupted) {
		return
	}
	if len(e.said) > 1000 {
		clear(e.said)
	}
	e.said[text] = true
	e.Log.Warn(about, "error", err.Error())
}
