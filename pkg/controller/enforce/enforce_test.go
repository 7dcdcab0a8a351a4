package enforce

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/access"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cluster/clustertest"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cluster/enforcement"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome/outcometest"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/revocation"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/store"
)

// node is a control-plane node: a directory that was set up, and an API server that loads the authorization file
// in it.
type node struct {
	*clustertest.Server

	directory store.Enforcement
	client    *enforcement.Client
	log       *bytes.Buffer

	mutex sync.Mutex
	// isStuck has the API server use loaded whatever is in the directory, as one that cannot load a file.
	isStuck bool
	loaded  []byte
	// metrics is what the API server's metrics name as its file; "" for metrics that name none.
	metrics string
	// failing are the paths of which calls fail, by a part of them.
	failing []string
	// reports are what was reported, and marks the marks that were asked for.
	reports []revocation.Report
	marks   []string
}

func newNode(t *testing.T) *node {
	t.Helper()
	n := &node{Server: clustertest.New(t), directory: preparedIn(t), log: new(bytes.Buffer)}
	n.Answer = n.answer
	n.client = n.Admin(t).Enforcement()
	return n
}

// input is that of an enforcer on the node.
func (n *node) input() Input {
	return Input{
		Directory: n.directory, Node: "node", Version: "v1.2.3", Connect: func() (*enforcement.Client, error) { return n.client, nil },
		Now: func() time.Time { return now }, Log: slog.New(slog.NewTextHandler(n.log, nil)),
	}
}

// enforcer is one that has begun on the node, with a client.
func (n *node) enforcer(t *testing.T) *enforcer {
	t.Helper()
	e, release, err := begin(n.input())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = release() })
	if err := e.connect(t.Context()); err != nil {
		t.Fatal(err)
	}
	return e
}

// enforcerOf is the node's enforcer, which has read a list of users.
func (n *node) enforcerOf(t *testing.T, users ...string) *enforcer {
	t.Helper()
	e, listed := n.enforcer(t), listOf(t, users...)
	e.listed = &listed
	return e
}

// revoke has the list of the cluster name users.
func (n *node) revoke(t *testing.T, users ...string) {
	t.Helper()
	object := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: access.BlockNamespace, Name: access.BlockName}, Data: listOf(t, users...).List.Data()}
	n.Put(t, object)
}

// listOf is a list that names users.
func listOf(t *testing.T, users ...string) enforcement.Listed {
	t.Helper()
	var entries []access.Entry
	for _, user := range users {
		entries = append(entries, access.Entry{Blocked: access.Blocked{User: user}})
	}
	change, err := access.ListOf(nil).Add(now, entries...)
	if err != nil {
		t.Fatal(err)
	}
	data := map[string]string{}
	for key, value := range change {
		data[key] = *value
	}
	return enforcement.Listed{List: access.ListOf(data), Exists: true, UID: "uid"}
}

// answer answers what depends on the authorization file, and takes reports.
func (n *node) answer(w http.ResponseWriter, r *http.Request) bool {
	n.mutex.Lock()
	defer n.mutex.Unlock()
	if slices.ContainsFunc(n.failing, func(part string) bool { return strings.Contains(r.URL.Path, part) }) {
		clustertest.Fail(w, http.StatusForbidden, metav1.StatusReasonForbidden)
		return true
	}
	switch {
	case r.URL.Path == "/metrics" && n.metrics != "":
		w.Header().Set("Content-Type", "text/plain")
		_, _ = fmt.Fprintf(w, "apiserver_authorization_config_controller_last_config_info{apiserver_id_hash=\"sha256:%064d\",hash=\"sha256:%s\"} 1\n", 7, n.metrics)
	case strings.HasSuffix(r.URL.Path, "/subjectaccessreviews"):
		asked := decoded[*authorizationv1.SubjectAccessReview](r)
		asked.TypeMeta = metav1.TypeMeta{APIVersion: "authorization.k8s.io/v1", Kind: "SubjectAccessReview"}
		if strings.HasPrefix(asked.Spec.User, "csr-onboard:proof:") {
			n.marks = append(n.marks, asked.Spec.User)
		}
		if !n.isStuck {
			n.loaded, _ = os.ReadFile(n.directory.AuthorizationPath())
		}
		if bytes.Contains(n.loaded, []byte("'"+asked.Spec.User+"'")) {
			asked.Status = authorizationv1.SubjectAccessReviewStatus{Denied: true, Reason: revocation.Message}
		}
		clustertest.Respond(w, http.StatusCreated, asked)
	case strings.Contains(r.URL.Path, "/leases") && r.Method != http.MethodGet:
		lease := decoded[*coordinationv1.Lease](r)
		if report, isReport := revocation.ReportOf(lease); isReport {
			n.reports = append(n.reports, report)
		}
		lease.TypeMeta = metav1.TypeMeta{APIVersion: "coordination.k8s.io/v1", Kind: "Lease"}
		clustertest.Respond(w, http.StatusCreated, lease)
	default:
		return false
	}
	return true
}

// decoded is the object in the body of a call.
func decoded[T runtime.Object](r *http.Request) T {
	scheme := runtime.NewScheme()
	err := errors.Join(authorizationv1.AddToScheme(scheme), coordinationv1.AddToScheme(scheme))
	text, readErr := io.ReadAll(r.Body)
	object, _, decodeErr := serializer.NewCodecFactory(scheme).UniversalDeserializer().Decode(text, nil, nil)
	if err := errors.Join(err, readErr, decodeErr); err != nil {
		panic(err)
	}
	return object.(T)
}

// reported is the last report.
func (n *node) reported(t *testing.T) revocation.Report {
	t.Helper()
	n.mutex.Lock()
	defer n.mutex.Unlock()
	if len(n.reports) == 0 {
		t.Fatal("nothing was reported")
	}
	return n.reports[len(n.reports)-1]
}

// isFree checks that another enforcer can work in the directory.
func (n *node) isFree(t *testing.T) {
	t.Helper()
	release, err := n.directory.Lock()
	if err != nil {
		t.Fatalf("the directory is not given back: %v", err)
	}
	if err := release(); err != nil {
		t.Error(err)
	}
}

func (n *node) refuses(user string) bool {
	text, err := os.ReadFile(n.directory.AuthorizationPath())
	return err == nil && bytes.Contains(text, []byte("'"+user+"'"))
}

func TestEnforcer_OnceSaysWhyTheListIsNotInForce(t *testing.T) {
	for about, test := range map[string]struct {
		spoil func(n *node)
		says  []string
	}{
		"the directory was not set up": {func(n *node) { remove(t, n.directory.AuthorizationPath()) }, []string{"has no authorization file", "enforce init"}},
		"the base cannot be read":      {func(n *node) { occupy(t, n.directory.BasePath()) }, []string{"base.yaml"}},
		"who it is cannot be asked":    {func(n *node) { n.failing = []string{"selfsubjectreviews"} }, []string{"forbidden"}},
		"the list cannot be read":      {func(n *node) { n.failing = []string{"configmaps"} }, []string{"forbidden"}},
		"it cannot be reported":        {func(n *node) { n.failing = []string{"leases"} }, []string{"forbidden"}},
		"it cannot be proven":          {func(n *node) { n.failing = []string{"/subjectaccessreviews"} }, []string{"not everything is in force: ", "cannot be asked what it refuses"}},
		"the metrics cannot be read":   {func(n *node) { n.failing = []string{"metrics"} }, []string{"not everything is in force: ", "the API server's metrics"}},
		"the metrics name another file": {
			func(n *node) { n.metrics = strings.Repeat("a", 64) }, []string{"not everything is in force: the API server's metrics name another file: " + strings.Repeat("a", 64)},
		},
		"the list cannot be remembered":       {func(n *node) { occupy(t, n.directory.ListPath()) }, []string{"not everything is in force: ", "list.json"}},
		"what was good cannot be remembered":  {func(n *node) { occupy(t, n.directory.LastGoodPath()) }, []string{"not everything is in force: ", "last-good.yaml"}},
		"it would refuse the enforcer itself": {func(n *node) { n.revoke(t, "jane", "admin") }, []string{"not everything is in force: user-", "the enforcer's own identity"}},
	} {
		t.Run(about, func(t *testing.T) {
			n := newNode(t)
			n.revoke(t, "jane")
			test.spoil(n)
			outcometest.Says(t, about, Once(t.Context(), n.input()), test.says...)
			n.isFree(t)
		})
	}
	n := newNode(t)
	n.revoke(t, "jane")
	if err := Once(t.Context(), n.input()); err != nil || !n.refuses("jane") || n.refuses("admin") {
		t.Errorf("with nothing wrong: %v", err)
	}
	if report := n.reported(t); !report.ProvenUntil.Equal(now) || report.Entries != 1 || report.List != listOf(t, "jane").List.Digest() || len(report.Problems) != 0 {
		t.Errorf("%+v", report)
	}
}

func TestEnforcer_ItNeverRefusesItselfAndSaysSo(t *testing.T) {
	n := newNode(t)
	n.revoke(t, "jane", "admin")
	if err := Once(t.Context(), n.input()); err == nil {
		t.Error("it did not fail")
	}
	if report := n.reported(t); !n.refuses("jane") || n.refuses("admin") || report.Entries != 1 || len(report.Problems) != 1 ||
		!strings.HasPrefix(report.Problems[0], access.Blocked{User: "admin"}.Key()+": ") {
		t.Errorf("%+v", report)
	}
}

// TestEnforcer_WhatAnUnknownListRefusedStaysRefused is for a directory whose file refuses somebody, of which nothing is
// remembered, on a cluster without a list.
func TestEnforcer_WhatAnUnknownListRefusedStaysRefused(t *testing.T) {
	n := newNode(t)
	// The name of the second user has something like a mark in it.
	write(t, n.directory.AuthorizationPath(), fileRefusing(t, n.directory, "jane", "0 csr-onboard:proof:"+strings.Repeat("0", 32)))
	outcometest.Says(t, "without a list", Once(t.Context(), n.input()), "not everything is in force", "stays refused")
	if report := n.reported(t); report.List != "" || !n.refuses("jane") || report.ProvenUntil.IsZero() || !slices.Equal(report.Problems, []string{isGone}) {
		t.Errorf("%+v", report)
	}
	// Where the API server does not use it, it is not written again either: it is not the enforcer's.
	n.isStuck, n.loaded, n.marks = true, nil, nil
	e := n.enforcer(t)
	listed, err := e.client.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	e.listed = &listed
	before := read(t, n.directory.AuthorizationPath())
	soon, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := e.render(); err != nil || !e.isFound {
		t.Errorf("%v, found: %t", err, e.isFound)
	}
	if isUsed, err := e.awaitUse(soon); isUsed || err != nil || e.attempt != 0 || read(t, n.directory.AuthorizationPath()) != before {
		t.Errorf("used: %t, %v, %d attempts", isUsed, err, e.attempt)
	}
}

func TestEnforcer_WithoutTheFilesThatItRemembersItTakesTheListAsItIs(t *testing.T) {
	n := newNode(t)
	n.revoke(t, "jane")
	write(t, n.directory.ListPath(), []byte("{"))
	if err := Once(t.Context(), n.input()); err != nil || !n.refuses("jane") || !strings.Contains(n.log.String(), "what was remembered of the list cannot be read") {
		t.Errorf("%v: %s", err, n.log)
	}
}

// TestEnforcer_AListThatCannotBeRememberedIsInForceAndTriedAgain has a directory in the place of what is remembered.
func TestEnforcer_AListThatCannotBeRememberedIsInForceAndTriedAgain(t *testing.T) {
	n := newNode(t)
	e := n.enforcer(t)
	occupy(t, n.directory.ListPath())
	listed := listOf(t, "jane")
	e.listed = &listed
	for range 2 {
		outcometest.Says(t, "not remembered", e.render(), "list.json")
		if !n.refuses("jane") || e.digest != listed.List.Digest() {
			t.Errorf("the list is not in force: %q", e.digest)
		}
	}
	if err := os.Remove(n.directory.ListPath()); err != nil {
		t.Fatal(err)
	}
	if err := e.render(); err != nil || !strings.Contains(read(t, n.directory.ListPath()), `"uid":"uid"`) {
		t.Errorf("it is not tried again: %v", err)
	}
}

// TestEnforcer_ABaseThatCannotBeUsedKeepsTheFileInPlace: what is wrong is reported, and the file that is in force stays.
func TestEnforcer_ABaseThatCannotBeUsedKeepsTheFileInPlace(t *testing.T) {
	n := newNode(t)
	e := n.enforcerOf(t, "jane")
	e.enforce(t.Context())
	if len(e.problems()) != 0 || !n.refuses("jane") {
		t.Fatalf("%q", e.problems())
	}
	before := read(t, n.directory.AuthorizationPath())
	write(t, n.directory.BasePath(), []byte("{"))
	remove(t, n.directory.AuthorizationPath())
	e.enforce(t.Context())
	if problems := e.problems(); len(problems) != 1 || !strings.Contains(problems[0], "base.yaml") || read(t, n.directory.AuthorizationPath()) != before || e.provenMark != e.file.Mark {
		t.Errorf("%q, in use %q", problems, e.provenMark)
	}
	// Where the files cannot be kept either, that is the other problem.
	occupy(t, n.directory.DenierPath())
	e.enforce(t.Context())
	if problems := e.problems(); len(problems) != 2 || !strings.Contains(problems[1], store.DenierName) {
		t.Errorf("%q", problems)
	}
}

func TestEnforcer_WithoutTheAPIServerTheFilesAreKept(t *testing.T) {
	n := newNode(t)
	e := n.enforcer(t)
	before := read(t, n.directory.AuthorizationPath())
	e.client = nil
	n.failing = []string{"selfsubjectreviews"}
	write(t, n.directory.AuthorizationPath(), []byte("{"))
	e.round(t.Context(), true)
	if read(t, n.directory.AuthorizationPath()) != before || strings.Count(n.log.String(), "the API server cannot be asked") != 1 || strings.Contains(n.log.String(), "cannot be kept") {
		t.Errorf("%s", n.log)
	}
	occupy(t, n.directory.DenierPath())
	for range 3 {
		e.round(t.Context(), true)
	}
	if strings.Count(n.log.String(), "the files cannot be kept") != 1 || strings.Count(n.log.String(), "the API server cannot be asked") != 1 || e.client != nil {
		t.Errorf("%s", n.log)
	}
	e.Connect = func() (*enforcement.Client, error) { return nil, errors.New("the kubeconfig is gone") }
	if e.round(t.Context(), true); !strings.Contains(n.log.String(), "the kubeconfig is gone") || len(n.reports) != 0 {
		t.Errorf("%d reports: %s", len(n.reports), n.log)
	}
}

func TestEnforcer_WhatWasSaidIsForgottenBeforeItIsTooMuch(t *testing.T) {
	n := newNode(t)
	e := n.enforcer(t)
	for i := range 2500 {
		e.say("problem", fmt.Errorf("number %d", i))
	}
	if lines := strings.Count(n.log.String(), "\n"); lines != 2500 || len(e.said) > 1001 {
		t.Errorf("%d lines, %d are remembered", lines, len(e.said))
	}
	e.say("problem", errors.New("number 2499"))
	if lines := strings.Count(n.log.String(), "\n"); lines != 2500 {
		t.Error("what was said last is said again")
	}
}

// TestProof_AFileThatTheAPIServerDoesNotLoadIsTakenAway: an API server that is restarted would not start with it.
func TestProof_AFileThatTheAPIServerDoesNotLoadIsTakenAway(t *testing.T) {
	n := newNode(t)
	e := n.enforcer(t)
	first, second := listOf(t, "jane"), listOf(t, "jane", "kim")
	e.listed = &first
	e.enforce(t.Context())
	good := read(t, n.directory.AuthorizationPath())
	if len(e.problems()) != 0 || read(t, n.directory.LastGoodPath()) != good {
		t.Fatalf("%q", e.problems())
	}
	n.isStuck, e.listed = true, &second
	if err := e.render(); err != nil || !n.refuses("kim") {
		t.Fatal(err)
	}
	e.explainUnused(t.Context())
	if problems := e.problems(); len(problems) != 1 || !strings.Contains(problems[0], "the last good one is back in place") || read(t, n.directory.AuthorizationPath()) != good || e.provenMark != "" {
		t.Errorf("%q, in use %q", problems, e.provenMark)
	}
	// The next rounds leave it there until it is time to try again.
	asked := len(n.marks)
	e.enforce(t.Context())
	if read(t, n.directory.AuthorizationPath()) != good || len(n.marks) != asked || len(e.problems()) != 1 {
		t.Errorf("it is tried again at once: %q", e.problems())
	}
	n.isStuck = false
	e.Now = func() time.Time { return now.Add(retryPause) }
	e.enforce(t.Context())
	if len(e.problems()) != 0 || !n.refuses("kim") || e.provenMark != e.file.Mark {
		t.Errorf("it is not tried again: %q", e.problems())
	}
}

func TestProof_ALastGoodFileThatCannotBePutBackIsReported(t *testing.T) {
	n := newNode(t)
	e := n.enforcer(t)
	first, second := listOf(t, "jane"), listOf(t, "jane", "kim")
	e.listed = &first
	e.enforce(t.Context())
	n.isStuck, e.listed = true, &second
	if err := e.render(); err != nil {
		t.Fatal(err)
	}
	occupy(t, n.directory.AuthorizationPath())
	e.explainUnused(t.Context())
	if problems := e.problems(); len(problems) != 1 || !strings.Contains(problems[0], "the last good one cannot be put back: ") || !strings.Contains(problems[0], "authorization.yaml") {
		t.Errorf("%q", problems)
	}
}

// TestProof_AnAPIServerThatUsesNoFileOfTheDirectoryIsReported is for one that was started with another file.
func TestProof_AnAPIServerThatUsesNoFileOfTheDirectoryIsReported(t *testing.T) {
	n := newNode(t)
	e := n.enforcerOf(t, "jane")
	e.enforce(t.Context())
	n.isStuck, n.loaded = true, nil
	later := listOf(t, "kim")
	e.listed = &later
	if err := e.render(); err != nil {
		t.Fatal(err)
	}
	wanted := read(t, n.directory.AuthorizationPath())
	e.explainUnused(t.Context())
	if problems := e.problems(); len(problems) != 1 || !strings.Contains(problems[0], "--authorization-config") || read(t, n.directory.AuthorizationPath()) != wanted {
		t.Errorf("%q", problems)
	}
}

// TestProof_AFileThatWasMissedIsWrittenAgainAsAnotherOne ends before the API server has loaded any of them.
func TestProof_AFileThatWasMissedIsWrittenAgainAsAnotherOne(t *testing.T) {
	n := newNode(t)
	e := n.enforcerOf(t, "jane")
	if err := e.render(); err != nil {
		t.Fatal(err)
	}
	first := read(t, n.directory.AuthorizationPath())
	ended, end := context.WithCancel(t.Context())
	end()
	if isUsed, err := e.awaitUse(ended); isUsed || err != nil || e.attempt != attempts || read(t, n.directory.AuthorizationPath()) == first || !n.refuses("jane") {
		t.Errorf("used: %t, %v, %d attempts", isUsed, err, e.attempt)
	}
	occupy(t, n.directory.AuthorizationPath())
	if isUsed, err := e.awaitUse(ended); isUsed || err != nil || e.attempt != attempts+1 || len(e.fileProblems) != 1 || !strings.Contains(e.fileProblems[0], "authorization.yaml") {
		t.Errorf("used: %t, %v, %d attempts, %q", isUsed, err, e.attempt, e.fileProblems)
	}
}

func TestProof_MetricsThatNameAnotherFileAreAskedAgain(t *testing.T) {
	n := newNode(t)
	e := n.enforcerOf(t, "jane")
	n.metrics = strings.Repeat("b", 64)
	for range 2 {
		e.round(t.Context(), false)
		report := n.reported(t)
		if len(report.Problems) != 1 || !strings.HasSuffix(report.Problems[0], "name another file: "+n.metrics) || report.APIServer == "" || report.ProvenUntil.IsZero() {
			t.Errorf("%+v", report)
		}
	}
	n.metrics = e.file.SHA256()
	e.round(t.Context(), false)
	if report := n.reported(t); len(report.Problems) != 0 || report.APIServer == "" {
		t.Errorf("%+v", report)
	}
}

// TestEnforcer_AKeptEntryThatCannotBeInForceStopsNoOther: what is remembered was written by another version.
func TestEnforcer_AKeptEntryThatCannotBeInForceStopsNoOther(t *testing.T) {
	n := newNode(t)
	n.revoke(t, "jane")
	e := n.enforcerOf(t, "jane")
	e.remembered.Kept = []access.Entry{{Blocked: access.Blocked{User: "system:kube-scheduler"}}, {}, {Blocked: access.Blocked{User: "kim"}}}
	e.remembered.UID = e.listed.UID
	if err := e.render(); err != nil || !n.refuses("jane") || !n.refuses("kim") || n.refuses("system:kube-scheduler") {
		t.Errorf("%v: %s", err, read(t, n.directory.AuthorizationPath()))
	}
	if !slices.ContainsFunc(e.problems(), func(problem string) bool { return strings.Contains(problem, "never refused") }) {
		t.Errorf("%q", e.problems())
	}
}

// followed follows the list of a server that ends each watch as it likes, by a clock that is later by step at each look,
// until the list was read so many times, and returns how long that took.
func followed(t *testing.T, lists int32, step time.Duration, end http.HandlerFunc) time.Duration {
	t.Helper()
	server := clustertest.New(t)
	ctx, stop := context.WithTimeout(t.Context(), 10*time.Second)
	defer stop()
	var looks, read atomic.Int32
	server.Answer = func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Query().Has("watch") {
			end(w, r)
			return true
		}
		if read.Add(1) == lists {
			stop()
		}
		return false
	}
	client := server.Admin(t).Enforcement()
	e := &enforcer{Input: Input{
		Now:     func() time.Time { return now.Add(time.Duration(looks.Add(1)) * step) },
		Connect: func() (*enforcement.Client, error) { return client, nil },
	}}
	failures := make(chan error, 1)
	began := time.Now()
	e.follow(ctx, make(chan enforcement.Listed, 1), failures)
	if read.Load() < lists {
		t.Errorf("the list was read %d times only", read.Load())
	}
	return time.Since(began)
}

// TestFollow_AServerThatEndsEachWatchAtOnceIsNotAskedAllTheTime: a proxy may do so, and an API server that has dropped
// each version.
func TestFollow_AServerThatEndsEachWatchAtOnceIsNotAskedAllTheTime(t *testing.T) {
	t.Parallel()
	ended := func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Content-Type", "application/json") }
	gone := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"type":"ERROR","object":{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Expired","code":410}}`)
	}
	for about, end := range map[string]http.HandlerFunc{"ended": ended, "gone": gone} {
		if took := followed(t, 3, 0, end); took < 3*firstPause {
			t.Errorf("%s: the list was read 3 times in %s", about, took)
		}
	}
	// One that lasted is followed by the next at once.
	if took := followed(t, 10, 2*provenStream, ended); took > 5*time.Second {
		t.Errorf("after streams that lasted, the list was read 10 times in %s", took)
	}
}
