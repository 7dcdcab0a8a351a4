package report

import (
	"cmp"
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"strings"
	"time"

	"k8s.io/client-go/util/jsonpath"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/renewal"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
)

// CheckSortBy returns an error for an expression that does not parse. An empty one is accepted.
func CheckSortBy(expression string) error {
	_, err := sortPath(expression)
	return err
}

// sortPath parses a JSONPath expression as kubectl get --sort-by accepts it: both braces and the first
// dot may be missing.
func sortPath(expression string) (*jsonpath.JSONPath, error) {
	path := jsonpath.New("sort-by").AllowMissingKeys(true)
	inner := expression
	if unbraced, isBraced := strings.CutPrefix(expression, "{"); isBraced && strings.HasSuffix(unbraced, "}") {
		inner = strings.TrimSuffix(unbraced, "}")
	}
	if strings.ContainsAny(inner, "{}") {
		return nil, errors.New("unmatched braces, or more than one pair")
	}
	return path, path.Parse("{." + strings.TrimPrefix(inner, ".") + "}")
}

// SortReviews sorts reviews by a field of their data; an empty expression leaves them as they are. A
// field that none of them has is an outcome.ErrUsage, as for kubectl get.
func SortReviews(reviews []*request.Review, expression string) error {
	return sortBy(reviews, expression, func(review *request.Review) any { return reviewForm(review) })
}

// SortStatuses is SortReviews for contexts.
func SortStatuses(statuses []renewal.ContextStatus, expression string, now time.Time) error {
	return sortBy(statuses, expression, func(status renewal.ContextStatus) any { return statusForm(status, now) })
}

// sortBy sorts items by what an expression finds first in the data of each: numbers by value,
// everything else as text, and what has no such field first.
func sortBy[T any](items []T, expression string, formOf func(T) any) error {
	if expression == "" {
		return nil
	}
	path, err := sortPath(expression)
	if err != nil {
		return err
	}
	type keyed struct {
		item T
		key  any
	}
	all := make([]keyed, len(items))
	isInAny := len(items) == 0
	for i, item := range items {
		all[i].item = item
		var isFound bool
		if all[i].key, isFound, err = firstFound(path, formOf(item)); err != nil {
			return err
		}
		isInAny = isInAny || isFound
	}
	if !isInAny {
		return outcome.WithHint(outcome.Errorf(outcome.ErrUsage, "--sort-by %q names a field that nothing in the list has", expression),
			"see the fields that there are: -o yaml")
	}
	slices.SortStableFunc(all, func(a, b keyed) int { return compareKeys(a.key, b.key) })
	for i := range all {
		items[i] = all[i].item
	}
	return nil
}

// firstFound is what a path finds first in a form.
func firstFound(path *jsonpath.JSONPath, form any) (value any, isFound bool, _ error) {
	encoded, err := json.Marshal(form)
	if err != nil {
		return nil, false, err
	}
	var data any
	if err := json.Unmarshal(encoded, &data); err != nil {
		return nil, false, err
	}
	found, err := path.FindResults(data)
	if err != nil || len(found) == 0 || len(found[0]) == 0 {
		return nil, false, err
	}
	return valueOf(found[0][0]), true, nil
}

func valueOf(found reflect.Value) any {
	if !found.IsValid() || !found.CanInterface() {
		return nil
	}
	return found.Interface()
}

func compareKeys(a, b any) int {
	x, isNumber := a.(float64)
	y, isNumberToo := b.(float64)
	switch {
	case isNumber && isNumberToo:
		return cmp.Compare(x, y)
	case a == nil || b == nil:
		return cmp.Compare(rankOfKey(a), rankOfKey(b))
	}
	return strings.Compare(textOfKey(a), textOfKey(b))
}

func rankOfKey(key any) int {
	if key == nil {
		return 0
	}
	return 1
}

// textOfKey is a text as it is, and anything else as JSON.
func textOfKey(key any) string {
	if text, isText := key.(string); isText {
		return text
	}
	encoded, _ := json.Marshal(key)
	return string(encoded)
}
