package record

import (
	"context"
	"errors"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/access"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cluster/controlling"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cluster/recording"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cluster/requests"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cluster/resources"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/controller"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/ledger"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
)

// Name is the controller's name on the command line.
const Name = "ledger"

const (
	// workers is how many requests are processed at the same time.
	workers = 8
	// firstRetry and longestRetry bound the pauses between tries of one request.
	firstRetry   = 50 * time.Millisecond
	longestRetry = 30 * time.Second
	// firstPause and longestPause bound the pauses between two watches.
	firstPause   = 100 * time.Millisecond
	longestPause = 5 * time.Second
	// surveyEvery is how often all records are gone through: for those to drop, for what
	// revocation says of them, and for the metrics.
	surveyEvery = 10 * time.Minute
	// guardEvery is how often the policies and authorities are read again.
	guardEvery = 30 * time.Second
)

// Settings are what the recorder takes.
type Settings struct {
	// Retention is how long after its expiry a certificate stays on the ledger. Required.
	Retention time.Duration
}

// Controller is the recorder.
func Controller(settings Settings) controller.Controller {
	return controller.Controller{Name: Name, Lead: func(ctx context.Context, tools controller.Tools) error {
		return lead(ctx, settings, tools)
	}}
}

// recorder is one that leads.
type recorder struct {
	controller.Tools
	Settings

	requests *requests.Client
	records  *resources.Records
	events   *controlling.Events
	metrics  *metrics
	queue    workqueue.TypedRateLimitingInterface[types.UID]
	// surveyDue asks for a survey before its time.
	surveyDue chan struct{}

	mutex sync.Mutex
	// latest are the requests as they were seen last, by UID.
	latest map[types.UID]requests.Change
	// recorded are those whose certificates are on the ledger.
	recorded map[types.UID]bool
	// issued are the requests with a certificate, by the names of their records.
	issued map[string]types.UID
	// held are those that were deleted, and are kept by the finalizer.
	held map[types.UID]bool
	// circumstances are what records are made with, and revoked is the list of who is revoked.
	circumstances ledger.Circumstances
	revoked       *access.List
}

func lead(ctx context.Context, settings Settings, tools controller.Tools) error {
	stored, err := tools.Cluster.Resources().Records()
	if err != nil {
		return err
	}
	r := &recorder{
		Tools: tools, Settings: settings, requests: tools.Cluster.Requests(), records: stored, events: tools.Cluster.Controlling().Events("csr-onboard-ledger"),
		queue:     workqueue.NewTypedRateLimitingQueue(workqueue.NewTypedItemExponentialFailureRateLimiter[types.UID](firstRetry, longestRetry)),
		surveyDue: make(chan struct{}, 1),
		latest:    map[types.UID]requests.Change{}, recorded: map[types.UID]bool{}, issued: map[string]types.UID{}, held: map[types.UID]bool{},
	}
	r.metrics = newMetrics(tools.Metrics)
	defer r.queue.ShutDown()
	// Without the authorities nothing can be verified, and a record is never written again.
	if err := r.readCircumstances(ctx); err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	var working sync.WaitGroup
	defer working.Wait()
	defer r.queue.ShutDown()
	defer stop()
	for range workers {
		working.Go(func() { r.work(ctx) })
	}
	working.Go(func() { r.keepCircumstances(ctx) })
	working.Go(func() { r.followRevocations(ctx) })
	working.Go(func() { r.keepSurveying(ctx) })
	return r.follow(ctx)
}

// follow takes in every request, and every change of one. The error is that of the first list, or the context's.
func (r *recorder) follow(ctx context.Context) error {
	version, err := r.list(ctx)
	if err != nil {
		return err
	}
	r.Working()
	said, pause := "", firstPause
	for {
		if err == nil {
			err = r.requests.Stream(ctx, requests.Query{}, version, r.see)
		}
		if err != nil && ctx.Err() == nil && err.Error() != said {
			said = err.Error()
			r.Log.Warn("the requests cannot be watched just now", "error", said)
		}
		if !wait(ctx, pause, nil) {
			return ctx.Err()
		}
		if err == nil {
			said, pause = "", firstPause
		} else {
			pause = min(2*pause, longestPause)
		}
		// A watch that has ended may have missed what was deleted.
		version, err = r.list(ctx)
	}
}

// list takes in all requests, and forgets those that do not exist any more.
func (r *recorder) list(ctx context.Context) (resourceVersion string, _ error) {
	there := map[types.UID]bool{}
	var issued []*request.Request
	version, err := r.requests.EachPage(ctx, requests.Query{}, func(page []*request.Request) {
		for _, object := range page {
			there[object.UID] = true
			if len(object.Status.Certificate) > 0 {
				issued = append(issued, object)
			} else {
				r.see(requests.Change{Object: object})
			}
		}
	})
	if err != nil {
		return "", err
	}
	r.seeIssued(issued)
	r.mutex.Lock()
	var gone []*request.Request
	for uid, change := range r.latest {
		if !there[uid] {
			gone = append(gone, change.Object)
		}
	}
	r.mutex.Unlock()
	for _, object := range gone {
		r.see(requests.Change{Object: object, Deleted: true})
	}
	return version, nil
}

// see takes in a version of a request.
func (r *recorder) see(change requests.Change) {
	r.keep(change)
	r.queue.Add(change.Object.UID)
}

func (r *recorder) keep(change requests.Change) {
	uid, name := change.Object.UID, ledger.NameOfIssued(change.Object)
	r.mutex.Lock()
	defer r.mutex.Unlock()
	r.latest[uid] = change
	if _, isTaken := r.issued[name]; name != "" && !isTaken {
		r.issued[name] = uid
	}
	if !change.Deleted && change.Object.DeletionTimestamp != nil {
		r.held[uid] = true
	} else {
		delete(r.held, uid)
	}
	r.metrics.held.Set(float64(len(r.held)))
}

// work processes requests until the queue is shut down.
func (r *recorder) work(ctx context.Context) {
	for {
		uid, isShutDown := r.queue.Get()
		if isShutDown {
			return
		}
		r.mutex.Lock()
		change, isKnown := r.latest[uid]
		r.mutex.Unlock()
		if isKnown {
			r.finish(ctx, uid, change, r.process(ctx, change))
		}
		r.queue.Done(uid)
	}
}

// finish takes in how the processing of a version of a request ended.
func (r *recorder) finish(ctx context.Context, uid types.UID, done requests.Change, err error) {
	switch {
	case err == nil, errors.Is(err, outcome.ErrChanged), errors.Is(err, outcome.ErrNotFound):
		// A change, and an end, come by the watch.
		r.queue.Forget(uid)
	case ctx.Err() == nil:
		r.Log.Warn("a request cannot be processed; it is tried again", "uid", uid)
		r.Log.Debug("a request cannot be processed", "name", done.Object.Name, "error", err.Error())
		r.metrics.failures.Inc()
		r.queue.AddRateLimited(uid)
		return
	}
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if done.Deleted && r.latest[uid] == done {
		delete(r.latest, uid)
		delete(r.recorded, uid)
		if name := ledger.NameOfIssued(done.Object); r.issued[name] == uid {
			delete(r.issued, name)
		}
	}
}

// process does with one version of a request what there is to do.
func (r *recorder) process(ctx context.Context, change requests.Change) error {
	object := change.Object
	r.mutex.Lock()
	isRecorded := r.recorded[object.UID]
	r.mutex.Unlock()
	if !isRecorded && len(object.Status.Certificate) > 0 {
		if err := r.recordInOrder(ctx, object); err != nil {
			return retry(err)
		}
		isRecorded = true
	}
	if change.Deleted {
		return nil
	}
	what := ledger.HoldOf(object, isRecorded)
	if what == ledger.Keep {
		return nil
	}
	return r.requests.SetFinalizers(ctx, object, ledger.WithHold(object.Finalizers, what))
}

// record writes one record, unless it was written before.
func (r *recorder) record(ctx context.Context, object *request.Request, record *ledger.ClientCertificate) error {
	_, isNew, err := recording.Write(ctx, r.records, record)
	if err != nil {
		return err
	}
	if !isNew {
		return nil
	}
	r.Log.Info("recorded", "certificate", record.Name, "request", object.UID, "verified", record.Spec.Verified)
	r.metrics.recorded(record, object, r.Now())
	if !record.Spec.Verified {
		r.warn(ctx, object, record)
	}
	return nil
}

// retry takes the outcome off an error that is not about the request itself, so that it is tried
// again.
func retry(err error) error { return errors.New(err.Error()) }

// readCircumstances reads the authorities of clients, and whether the annotations are guarded.
func (r *recorder) readCircumstances(ctx context.Context) error {
	found, err := recording.Circumstances(ctx, r.Cluster)
	if err != nil {
		return err
	}
	r.mutex.Lock()
	defer r.mutex.Unlock()
	r.circumstances = found
	return nil
}

// keepCircumstances reads them again from time to time.
func (r *recorder) keepCircumstances(ctx context.Context) {
	for wait(ctx, guardEvery, nil) {
		if err := r.readCircumstances(ctx); err != nil && ctx.Err() == nil {
			r.Log.Warn("the client authorities and the policy cannot be read", "error", err.Error())
		}
	}
}

// wait waits, or until it is woken, and reports whether the context has not ended.
func wait(ctx context.Context, duration time.Duration, wake <-chan struct{}) bool {
	timer := time.NewTimer(duration)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
	case <-wake:
	}
	return true
}
