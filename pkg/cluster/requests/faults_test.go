package requests

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
)

// TestSetFinalizers_OnlyTheVersionThatWasSeenIsChanged also has the server refuse the change.
func TestSetFinalizers_OnlyTheVersionThatWasSeenIsChanged(t *testing.T) {
	for about, test := range map[string]struct {
		finalizers []string
		answer     http.HandlerFunc
		want       error
		says       string
	}{
		"none":      {nil, gives(object("")), nil, ""},
		"one":       {[]string{"example.org/one"}, gives(object("")), nil, ""},
		"changed":   {nil, fails(http.StatusConflict, metav1.StatusReasonConflict), outcome.ErrChanged, `change the finalizers of the certificate signing request "jane-x"`},
		"gone":      {nil, fails(http.StatusNotFound, metav1.StatusReasonNotFound), outcome.ErrNotFound, `change the finalizers of the certificate signing request "jane-x"`},
		"forbidden": {nil, fails(http.StatusForbidden, metav1.StatusReasonForbidden), nil, "you cannot change the finalizers"},
	} {
		var sent []byte
		client := hostileServer(t, 0, func(w http.ResponseWriter, r *http.Request) {
			sent, _ = io.ReadAll(r.Body)
			test.answer(w, r)
		})
		err := client.SetFinalizers(t.Context(), object(""), test.finalizers)
		if test.want != nil && !errors.Is(err, test.want) || (err == nil) != (test.says == "") || err != nil && !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s: %v", about, err)
		}
		var patch struct {
			Metadata struct {
				UID, ResourceVersion string
				Finalizers           *[]string
			}
		}
		// A null would remove the field and a missing one would leave it.
		if err := json.Unmarshal(sent, &patch); err != nil || patch.Metadata.UID != "uid-1" || patch.Metadata.ResourceVersion != "1" ||
			patch.Metadata.Finalizers == nil || !slices.Equal(*patch.Metadata.Finalizers, test.finalizers) {
			t.Errorf("%s: %s was sent, %v", about, sent, err)
		}
	}
}

func TestDelete_ARequestThatIsGoneIsDeleted(t *testing.T) {
	for code, reason := range map[int]metav1.StatusReason{http.StatusNotFound: metav1.StatusReasonNotFound, http.StatusConflict: metav1.StatusReasonConflict} {
		client := hostileServer(t, 0, fails(code, reason))
		err := client.Delete(t.Context(), object(""))
		if code == http.StatusNotFound && err != nil || code == http.StatusConflict && (err == nil || !strings.Contains(err.Error(), `delete the certificate signing request "jane-x"`)) {
			t.Errorf("%d: %v", code, err)
		}
	}
}

func TestStream_ChangesThatTheServerHasDroppedAreForTheCallerToList(t *testing.T) {
	for about, test := range map[string]struct {
		answer http.HandlerFunc
		seen   int
		says   string
	}{
		"refused as expired": {fails(http.StatusGone, metav1.StatusReasonExpired), 0, ""},
		"broken off":         {streams(false, event("ADDED", object("")), event("ERROR", status(http.StatusGone, metav1.StatusReasonExpired))), 1, ""},
		"ended":              {streams(false, event("ADDED", object(""))), 1, ""},
		"refused":            {fails(http.StatusBadRequest, metav1.StatusReasonBadRequest), 0, "watch certificate signing requests"},
	} {
		seen := 0
		err := hostileServer(t, 0, test.answer).Stream(t.Context(), Query{}, "1", func(Change) { seen++ })
		if test.says == "" && err != nil || test.says != "" && (err == nil || !strings.Contains(err.Error(), test.says)) || seen != test.seen {
			t.Errorf("%s: %d changes, %v", about, seen, err)
		}
	}
}

// TestWatch_AListInBetweenCanBeEnough has the changes of a version be dropped, and then a caller that wants
// no more of the list, or a list that fails.
func TestWatch_AListInBetweenCanBeEnough(t *testing.T) {
	for _, isListed := range []bool{true, false} {
		var watches atomic.Int32
		client := hostileServer(t, 0, func(w http.ResponseWriter, r *http.Request) {
			switch {
			case r.URL.Query().Get("watch") != "":
				watches.Add(1)
				fails(http.StatusGone, metav1.StatusReasonExpired)(w, r)
			case isListed:
				page(w, "", "jane", "joe")
			default:
				fails(http.StatusForbidden, metav1.StatusReasonForbidden)(w, r)
			}
		})
		var seen []string
		err := client.Watch(t.Context(), Query{}, "1", func(change Change) bool {
			seen = append(seen, change.Object.Name)
			return false
		}, func(err error) { t.Error(err) })
		if isListed && (err != nil || !slices.Equal(seen, []string{"jane"})) || !isListed && ((err == nil || !strings.Contains(err.Error(), "forbidden")) || seen != nil) || watches.Load() != 1 {
			t.Errorf("after %d watches %q is seen: %v", watches.Load(), seen, err)
		}
	}
}

// TestWatch_AListInBetweenThatFailsIsTriedAgain has an API server that restarts drop the changes of a version, and then
// not list the requests for longer than it may drop versions.
func TestWatch_AListInBetweenThatFailsIsTriedAgain(t *testing.T) {
	t.Parallel()
	var lists, watches atomic.Int32
	client := hostileServer(t, 0, func(w http.ResponseWriter, r *http.Request) {
		isWatch, isRestarted := r.URL.Query().Has("watch"), lists.Load() > mostExpired+1
		switch {
		case isWatch && !isRestarted:
			watches.Add(1)
			fails(http.StatusGone, metav1.StatusReasonExpired)(w, r)
		case isWatch:
			if from := r.URL.Query().Get("resourceVersion"); from != "1" {
				t.Errorf("the watch continues from %q", from)
			}
			streams(false, event("ADDED", object("")))(w, r)
		case lists.Add(1) <= mostExpired+1:
			fails(http.StatusServiceUnavailable, metav1.StatusReasonServiceUnavailable)(w, r)
		default:
			page(w, "", "joe")
		}
	})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var seen, told []string
	err := client.Watch(ctx, Query{}, "0", func(change Change) bool {
		seen = append(seen, change.Object.Name)
		return len(seen) < 2
	}, func(err error) { told = append(told, err.Error()) })
	if err != nil || !slices.Equal(seen, []string{"joe", "jane-x"}) || len(told) != 1 {
		t.Errorf("%v after %d watches, %d lists; %q is seen, and told %q", err, watches.Load(), lists.Load(), seen, told)
	}
}

func TestAwaitMany_ALookFindsWhatTheWatchHasMissed(t *testing.T) {
	for about, test := range map[string]struct {
		answer  http.HandlerFunc
		ending  error
		isEnded bool
		err     bool
	}{
		"gone":          {fails(http.StatusNotFound, metav1.StatusReasonNotFound), outcome.ErrNotFound, true, false},
		"issued":        {gives(issued()), nil, true, false},
		"still pending": {gives(object("")), nil, false, false},
		"not readable":  {fails(http.StatusForbidden, metav1.StatusReasonForbidden), nil, false, true},
	} {
		a := waitsForOne(t)
		a.client = hostileServer(t, 0, test.answer)
		if err := a.Look("jane-x"); (err != nil) != test.err {
			t.Errorf("%s: %v", about, err)
		}
		if isEnded := len(a.ended) == 1; isEnded != test.isEnded || isEnded == slices.Contains(a.Waiting(), "jane-x") {
			t.Errorf("%s: it ended: %v; %q is waited for", about, isEnded, a.Waiting())
			continue
		}
		if !test.isEnded {
			continue
		}
		for ending := range a.Ended() {
			if ending.Name != "jane-x" || ending.Place != 7 || !errors.Is(ending.Err, test.ending) {
				t.Errorf("%s: %+v", about, ending)
			}
			break
		}
		// Another one that saw the same is late.
		a.end("jane-x", &expected{place: 8}, Ending{Name: "jane-x"})
		if len(a.ended) != 0 {
			t.Errorf("%s: it ended twice", about)
		}
	}
}

// TestAwait_AnApprovalThatNobodySignsIsTold is a signer that does not answer, while a watch is open and between
// two looks.
func TestAwait_AnApprovalThatNobodySignsIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told []Sighting
		w := &waiting{from: object(""), last: object("", certificatesv1.CertificateApproved), tell: func(s Sighting) { told = append(told, s) }, unsigned: time.NewTimer(signerPatience)}
		began := time.Now()
		if err := w.sleep(t.Context(), 2*signerPatience); err != nil || time.Since(began) != 2*signerPatience || len(told) != 1 || !told[0].Unsigned || told[0].Object != w.last {
			t.Errorf("after %v: %v, %v", time.Since(began), told, err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := w.sleep(ctx, time.Hour); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		// A watch that was begun and is not open yet.
		w.following = &Following{opened: make(chan openedWatch)}
		if stream, err := w.open(ctx); stream != nil || !errors.Is(err, context.Canceled) || w.following != nil {
			t.Errorf("%v, %v", stream, err)
		}
	})
}

func TestAwait_AnApprovalThatNobodySignsIsToldByTheWatch(t *testing.T) {
	client := clientOf(t, &faultyServer{watches: []http.HandlerFunc{streams(true)}})
	ctx, cancel := context.WithCancel(t.Context())
	var told []Sighting
	w := &waiting{client: client, from: object(""), last: object("", certificatesv1.CertificateApproved), unsigned: time.NewTimer(0), tell: func(s Sighting) {
		told = append(told, s)
		cancel()
	}}
	if issued, endingErr, troubleErr := w.watch(ctx); issued || endingErr != nil || troubleErr != nil {
		t.Errorf("%v, %v, %v", issued, endingErr, troubleErr)
	}
	if len(told) != 1 || !told[0].Unsigned || told[0].Object != w.last {
		t.Errorf("%+v", told)
	}
}

func TestAwait_AGetThatTheContextEndsIsNoTrouble(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	client := clientOf(t, &faultyServer{
		watches: []http.HandlerFunc{fails(http.StatusForbidden, metav1.StatusReasonForbidden)},
		gets: []http.HandlerFunc{func(w http.ResponseWriter, r *http.Request) {
			cancel()
			fails(http.StatusInternalServerError, metav1.StatusReasonInternalError)(w, r)
		}},
	})
	client.pause.Duration = time.Millisecond
	_, err := client.Await(ctx, object(""), func(s Sighting) {
		if s.Trouble != nil {
			t.Error(s.Trouble)
		}
	})
	if !errors.Is(err, outcome.ErrInterrupted) || !strings.Contains(err.Error(), "nobody has decided about it yet") {
		t.Error(err)
	}
}
