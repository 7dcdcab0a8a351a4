package approval_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/approval"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/onboardtest"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
)

// TestDecide_ARequestForAnotherSignerIsFoundByItsUser is for a user whose only request is one.
func TestDecide_ARequestForAnotherSignerIsFoundByItsUser(t *testing.T) {
	w := onboardtest.New(t)
	in := onboardtest.Asked(t, "jane")
	in.Signer = "example.com/other"
	w.Submit(t, in)
	if _, err := approval.Run(t.Context(), w.Program, approving("jane")); !errors.Is(err, outcome.ErrRefused) || !strings.Contains(err.Error(), request.ForeignSigner) {
		t.Errorf("approving it: %v", err)
	}
	// Without a name, it is not meant.
	denying := approving()
	denying.Decision = request.Denial()
	if decided, err := approval.Run(t.Context(), w.Program, denying); err != nil || len(decided) != 0 {
		t.Errorf("denying all: %+v, %v", decided, err)
	}
	denying.Names = []approval.Name{{Text: "jane"}}
	decided, err := approval.Run(t.Context(), w.Program, denying)
	if err != nil || len(decided) != 1 || !slices.Equal(w.States(t), []request.State{request.Denied}) {
		t.Errorf("denying it: %+v, %v, %v", decided, err, w.States(t))
	}
}

// TestDecide_ARequestForAnotherSignerIsNotMistaken is for a user with a request for each signer.
func TestDecide_ARequestForAnotherSignerIsNotMistaken(t *testing.T) {
	w := onboardtest.New(t)
	own := w.Submit(t, onboardtest.Asked(t, "jane"))
	in := onboardtest.Asked(t, "jane")
	in.Signer = "example.com/other"
	other := w.Submit(t, in)
	for range 2 {
		if _, err := approval.Run(t.Context(), w.Program, approving("jane")); err != nil {
			t.Fatal(err)
		}
	}
	if request.StateOf(w.Stored(t, own.Name)) != request.Issued || request.StateOf(w.Stored(t, other.Name)) != request.Pending {
		t.Errorf("the requests are %v", w.States(t))
	}
}
