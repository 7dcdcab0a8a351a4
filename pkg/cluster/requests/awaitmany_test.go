package requests

import (
	"errors"
	"strings"
	"testing"

	certificatesv1 "k8s.io/api/certificates/v1"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
)

// waitsForOne waits for the request "jane-x" with the UID "uid-1".
func waitsForOne(t *testing.T) *Awaiting {
	t.Helper()
	return &Awaiting{ctx: t.Context(), ended: make(chan Ending, 10), expected: map[string]*expected{"jane-x": {place: 7, uid: "uid-1"}}}
}

func TestAwaitMany_EachRequestEndsWithItsReason(t *testing.T) {
	for _, test := range []struct {
		about   string
		changes []Change
		err     error
		says    string
	}{
		{"issued", []Change{{Object: object("")}, {Object: issued()}}, nil, ""},
		{"denied", []Change{{Object: object("", certificatesv1.CertificateDenied)}}, outcome.ErrRejected, "was denied"},
		{"failed", []Change{{Object: object("", certificatesv1.CertificateFailed)}}, outcome.ErrRejected, "was failed"},
		{"deleted", []Change{{Object: object(""), Deleted: true}}, outcome.ErrNotFound, "was deleted while waiting for it"},
		{"deleted when it was issued", []Change{{Object: issued(), Deleted: true}}, nil, ""},
		{"replaced", []Change{{Object: object("2")}}, outcome.ErrChanged, "was deleted and recreated"},
		{"replaced by one that is denied", []Change{{Object: object("2", certificatesv1.CertificateDenied)}}, outcome.ErrChanged, "was deleted and recreated"},
		{"an earlier one of its name is deleted", []Change{{Object: object("2"), Deleted: true}, {Object: issued()}}, nil, ""},
	} {
		t.Run(test.about, func(t *testing.T) {
			a := waitsForOne(t)
			for _, change := range append(test.changes, Change{Object: issued()}) {
				a.visit(change)
			}
			if len(a.ended) != 1 || len(a.Waiting()) != 0 {
				t.Fatalf("there are %d endings, and %q is waited for", len(a.ended), a.Waiting())
			}
			ending := <-a.ended
			if ending.Name != "jane-x" || ending.Place != 7 {
				t.Errorf("it ends for %q at %d", ending.Name, ending.Place)
			}
			if test.err == nil {
				if ending.Err != nil || request.StateOf(ending.Object) != request.Issued {
					t.Errorf("it ends with %v", ending.Err)
				}
				return
			}
			if !errors.Is(ending.Err, test.err) || !strings.Contains(ending.Err.Error(), test.says) || ending.Object != nil {
				t.Errorf("it ends with %v, want %v", ending.Err, test.says)
			}
		})
	}
}

func TestAwaitMany_WhatIsNoEndingEndsNoWait(t *testing.T) {
	a := waitsForOne(t)
	other := issued()
	other.Name = "john-y"
	for _, change := range []Change{{Object: object("")}, {Object: object("", certificatesv1.CertificateApproved)}, {Object: other}, {Object: object("2"), Deleted: true}} {
		if !a.visit(change) {
			t.Error("the watch ends")
		}
	}
	if len(a.ended) != 0 || len(a.Waiting()) != 1 {
		t.Errorf("there are %d endings, and %q is waited for", len(a.ended), a.Waiting())
	}
}

// TestAwaitMany_ARequestThatIsBeingSubmittedIsNotLookedFor is for a wait whose time is up while the
// answer to the call that submits a request is still on its way: it is neither deleted nor replaced.
func TestAwaitMany_ARequestThatIsBeingSubmittedIsNotLookedFor(t *testing.T) {
	a := waitsForOne(t)
	a.Expect("jane-x", 3)
	// Without a client, a call would fail.
	if err := a.Look("jane-x"); err != nil || len(a.ended) != 0 || len(a.Waiting()) != 1 {
		t.Errorf("%v, %d endings", err, len(a.ended))
	}
}

// TestAwaitMany_WhatIsSeenBeforeTheAnswerIsKept has the watch be faster than the answer to the
// call that submits a request.
func TestAwaitMany_WhatIsSeenBeforeTheAnswerIsKept(t *testing.T) {
	a := waitsForOne(t)
	a.Expect("jane-x", 3)
	a.visit(Change{Object: issued()})
	if len(a.ended) != 0 {
		t.Fatal("it ends before it is known which object it is")
	}
	a.Await(object(""))
	if len(a.ended) != 1 {
		t.Fatal("what was seen is lost")
	}
	if ending := <-a.ended; ending.Err != nil || ending.Place != 3 {
		t.Errorf("it ends with %v at %d", ending.Err, ending.Place)
	}
	a.Expect("jane-x", 4)
	a.Forget("jane-x")
	a.visit(Change{Object: issued()})
	if len(a.ended) != 0 {
		t.Error("it ends though it was forgotten")
	}
}
