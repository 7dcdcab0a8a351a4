package report

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/renewal"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome/outcometest"
)

func TestSort_NumbersAreSortedByValueAndWhatHasNoneIsFirst(t *testing.T) {
	type item struct {
		Name  string         `json:"name"`
		Count any            `json:"count,omitempty"`
		Of    map[string]any `json:"of,omitempty"`
	}
	ten, two, none, text := item{"d", 10, map[string]any{"a": 1}}, item{"c", 2, map[string]any{"a": 0}}, item{"b", nil, nil}, item{"a", "x", nil}
	for expression, want := range map[string]string{
		"":        "d c b a",
		"{.name}": "a b c d",
		"name":    "a b c d",
		".count":  "b c d a",
		"{.of}":   "b a c d",
		"{of}":    "b a c d",
	} {
		items := []item{ten, two, none, text}
		if err := sortBy(items, expression, func(one item) any { return one }); err != nil {
			t.Errorf("%q: %v", expression, err)
		}
		var names []string
		for _, one := range items {
			names = append(names, one.Name)
		}
		if got := strings.Join(names, " "); got != want {
			t.Errorf("%q: %s, want %s", expression, got, want)
		}
	}
	for _, expression := range []string{"{[}", "{.name", "name}", "{.name}{.count}", "{{.name}}", "{", "}"} {
		if CheckSortBy(expression) == nil || sortBy([]item{ten}, expression, func(one item) any { return one }) == nil {
			t.Errorf("%q is accepted", expression)
		}
	}
	err := sortBy([]item{ten}, "{.other}", func(one item) any { return one })
	if outcometest.Says(t, "a field of none", err, `--sort-by "{.other}" names a field that nothing in the list has`, "-o yaml"); !errors.Is(err, outcome.ErrUsage) {
		t.Errorf("%v is not wrong usage", err)
	}
	if err := sortBy(nil, "{.other}", func(one item) any { return one }); err != nil {
		t.Errorf("an empty list: %v", err)
	}
	if err := sortBy([]item{ten}, "{.name}", func(item) any { return func() {} }); err == nil {
		t.Error("an item that cannot be encoded is sorted")
	}
}

func TestSort_ContextsAreSortedByTheirFields(t *testing.T) {
	statuses := []renewal.ContextStatus{{Name: "b", User: identity.User{Name: "jane"}}, {Name: "a", User: identity.User{Name: "kim"}}}
	if err := SortStatuses(statuses, "{.context}", time.Now()); err != nil || statuses[0].Name != "a" {
		t.Errorf("%+v, %v", statuses, err)
	}
}
