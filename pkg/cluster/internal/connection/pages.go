package connection

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

const (
	// pageSize is how many objects a list asks for at once, as kubectl does.
	pageSize = 500
	// mostPages bounds how many pages of one list are read: five million objects.
	mostPages = 10_000
	// mostEmptyPages bounds the pages in a row that hold nothing. A server that
	// filters what it reads may answer one.
	mostEmptyPages = 10
)

// objectList is a page of a list.
type objectList interface {
	runtime.Object
	metav1.ListInterface
}

// EachPage reads a list page by page and returns its resourceVersion. It asks for
// pages of pageSize, and for smaller ones where a page is larger than an answer may be.
// Where a list takes longer than the server keeps its version, the rest is of a newer
// one. A list that makes no progress, or does not end, is an error.
func EachPage[L objectList](ctx context.Context, c *Connection, options metav1.ListOptions, get func(context.Context, metav1.ListOptions) (L, error), visit func(L)) (resourceVersion string, _ error) {
	options.Limit = pageSize
	progress := pageProgress{}
	for {
		call, cancel := c.Bounded(ctx)
		page, err := get(call, options)
		cancel()
		next := inconsistentContinue(err)
		switch {
		case next != "":
			// The server has dropped the version of the list.
		case isTooLarge(err) && options.ResourceVersion != "":
			// Of the version that it has in its cache, a server sends the whole list.
			options.ResourceVersion = ""
			continue
		case isTooLarge(err) && options.Limit > 1:
			options.Limit = max(1, options.Limit/8)
			continue
		case err != nil:
			return "", err
		default:
			visit(page)
			if next = page.GetContinue(); next == "" {
				return page.GetResourceVersion(), nil
			}
		}
		isEmpty := err != nil || meta.LenList(page) == 0
		if err := progress.check(next, isEmpty); err != nil {
			return "", fmt.Errorf("%s %w", c.Server, err)
		}
		// Where to continue says of which version (Kubernetes refuses both together).
		options.Continue, options.ResourceVersion = next, ""
	}
}

// pageProgress notices a list that does not come to its end.
type pageProgress struct {
	pages, empty int
	tokens       map[[sha256.Size]byte]bool
}

// check takes in where the server says that the list continues.
func (p *pageProgress) check(token string, isEmpty bool) error {
	if p.tokens == nil {
		p.tokens = map[[sha256.Size]byte]bool{}
	}
	p.pages++
	p.empty++
	if !isEmpty {
		p.empty = 0
	}
	key := sha256.Sum256([]byte(token))
	switch {
	case p.tokens[key]:
		return errors.New("sends a list that continues where it was before (the same continue token twice)")
	case p.empty >= mostEmptyPages:
		return fmt.Errorf("sends a list that continues without an object (%d times in a row)", p.empty)
	case p.pages >= mostPages:
		return fmt.Errorf("sends a list without an end (%d pages were read)", p.pages)
	}
	p.tokens[key] = true
	return nil
}

// inconsistentContinue returns the token with which a list continues whose version
// the server has dropped (410, Kubernetes' "inconsistent continue"), or "".
func inconsistentContinue(err error) string {
	var status apierrors.APIStatus
	if !apierrors.IsResourceExpired(err) || !errors.As(err, &status) {
		return ""
	}
	return status.Status().Continue
}
