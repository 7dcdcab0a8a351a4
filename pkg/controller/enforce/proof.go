package enforce

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/dustin/go-humanize/english"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/access"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cluster/enforcement"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/parallel"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/revocation"
)

const (
	// patience is how long an API server may take to load a file before it is told again, and
	// probePause the pause between two questions. It takes some 20 ms as a rule.
	patience   = 2 * time.Second
	probePause = 10 * time.Millisecond
	// attempts is how often a file is tried at once, and retryPause when it is tried again.
	attempts   = 3
	retryPause = 30 * time.Second
	// proofsAtOnce bounds the questions that are open at the same time.
	proofsAtOnce = 8
	// mostUnproven bounds the entries that are named as not refused.
	mostUnproven = 5
)

// prove sees for itself that the API server uses the file and refuses who is on the list.
func (e *enforcer) prove(ctx context.Context) {
	if e.file.Mark == "" || e.Now().Before(e.retryAt) {
		return
	}
	e.proofProblems = nil
	isUsed, err := e.awaitUse(ctx)
	if err != nil {
		e.unproven(fmt.Sprintf("the API server cannot be asked what it refuses: %v", err))
		return
	}
	if !isUsed {
		e.explainUnused(ctx)
		return
	}
	if err := e.files.keepLastGood(); err != nil {
		e.fileProblems = append(e.fileProblems, err.Error())
	}
	at := e.Now()
	unproven, err := e.proveEntries(ctx)
	switch {
	case err != nil:
		e.unproven(fmt.Sprintf("the API server cannot be asked what it refuses: %v", err))
	case len(unproven) > 0:
		e.unproven(fmt.Sprintf("in the file, and not refused: %s: %s", english.Plural(len(unproven), "entry", ""), strings.Join(unproven[:min(len(unproven), mostUnproven)], ", ")))
	default:
		if e.provenMark != e.file.Mark {
			e.Log.Info("in force", "entries", len(e.entries), "sha256", e.file.SHA256())
			clear(e.said)
		}
		e.provenMark, e.provenUntil = e.file.Mark, at
	}
}

// unproven notes why nothing is known to be in force.
func (e *enforcer) unproven(problem string) {
	e.provenMark, e.provenUntil = "", time.Time{}
	e.proofProblems = append(e.proofProblems, problem)
}

// awaitUse waits until the API server uses the file. One that has missed the change is told
// again, by a file that says the same and is another: an API server that could not load a
// file does not look at it again (Kubernetes pkg/kubeapiserver/authorizer, reload.go).
func (e *enforcer) awaitUse(ctx context.Context) (bool, error) {
	if e.provenMark == e.file.Mark {
		if isUsed, err := e.isUsed(ctx, e.file.Mark); err != nil || isUsed {
			return isUsed, err
		}
	}
	for range attempts {
		limited, cancel := context.WithTimeout(ctx, patience)
		isUsed, err := e.poll(limited)
		cancel()
		if err != nil || isUsed {
			return isUsed, err
		}
		if e.listed == nil || e.isFound {
			break
		}
		e.attempt++
		e.Log.Warn("the API server has not loaded the file; it is written again", "attempt", e.attempt)
		if err := e.render(); err != nil {
			e.fileProblems = append(e.fileProblems, err.Error())
			return false, nil
		}
	}
	return false, nil
}

// poll asks until the API server uses the file, or the context ends.
func (e *enforcer) poll(ctx context.Context) (bool, error) {
	for {
		isUsed, err := e.isUsed(ctx, e.file.Mark)
		if ctx.Err() != nil {
			return false, nil
		}
		if err != nil || isUsed {
			return isUsed, err
		}
		select {
		case <-ctx.Done():
			return false, nil
		case <-time.After(probePause):
		}
	}
}

func (e *enforcer) isUsed(ctx context.Context, mark string) (bool, error) {
	return e.client.IsRevoked(ctx, enforcement.Subject{User: mark})
}

// explainUnused finds out why the API server does not use the file. If it uses an earlier one,
// it rejects this one, which is taken away again before the API server starts the next time.
func (e *enforcer) explainUnused(ctx context.Context) {
	e.retryAt = e.Now().Add(retryPause)
	lastGood := e.files.lastGood()
	if mark := revocation.MarkOf(lastGood); mark != "" && mark != e.file.Mark {
		if isUsed, err := e.isUsed(ctx, mark); err == nil && isUsed {
			problem := "the API server did not load the new file; the last good one is back in place"
			if err := e.files.put(lastGood); err != nil {
				problem = fmt.Sprintf("the API server did not load the new file, and the last good one cannot be put back: %v", err)
			}
			e.unproven(problem)
			return
		}
	}
	e.unproven(fmt.Sprintf("the API server does not use %s: it must be started with that file as its --authorization-config, and be the one that the kubeconfig leads to",
		e.Directory.AuthorizationPath()))
}

// proveEntries asks about each entry that was not seen refused yet, and now and then about
// all, and names those that are not refused.
func (e *enforcer) proveEntries(ctx context.Context) (unproven []string, _ error) {
	if now := e.Now(); now.After(e.fullProofAt) {
		clear(e.proven)
		e.fullProofAt = now.Add(fullProof)
	}
	var open []access.Entry
	listed := make(map[access.Blocked]bool, len(e.entries))
	for _, entry := range e.entries {
		listed[entry.Blocked] = true
		if !e.proven[entry.Blocked] {
			open = append(open, entry)
		}
	}
	for blocked := range e.proven {
		if !listed[blocked] {
			delete(e.proven, blocked)
		}
	}
	type answer struct {
		isRevoked bool
		err       error
	}
	answers := parallel.Map(proofsAtOnce, open, func(entry access.Entry) answer {
		isRevoked, err := e.client.IsRevoked(ctx, subjectOf(entry))
		return answer{isRevoked, err}
	})
	for i, a := range answers {
		switch {
		case a.err != nil:
			return nil, a.err
		case a.isRevoked:
			e.proven[open[i].Blocked] = true
		default:
			unproven = append(unproven, open[i].Blocked.String())
		}
	}
	return unproven, nil
}

// subjectOf is somebody whom an entry refuses.
func subjectOf(entry access.Entry) enforcement.Subject {
	blocked, user := entry.Blocked, entry.Details.User
	switch {
	case blocked.User != "":
		user = blocked.User
	case revocation.IsToken(blocked):
		if !strings.HasPrefix(user, "system:serviceaccount:") {
			user = "system:serviceaccount:default:default"
		}
	case user == "":
		user = "anybody"
	}
	return enforcement.Subject{User: user, CredentialID: blocked.CredentialID}
}

// askMetrics compares the file with the one that the API server's metrics name.
func (e *enforcer) askMetrics(ctx context.Context) {
	e.metricProblems = nil
	loaded, isServed, err := e.client.Loaded(ctx)
	switch {
	case err != nil:
		e.metricProblems = []string{err.Error()}
		return
	case !isServed:
		e.loaded = enforcement.Loaded{}
	case loaded.File != e.file.SHA256():
		// It is asked again.
		e.loaded = loaded
		e.metricProblems = []string{"the API server's metrics name another file: " + loaded.File}
		return
	default:
		e.loaded = loaded
	}
	e.loadedMark = e.provenMark
}
