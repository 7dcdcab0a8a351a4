package approval

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
)

// ShowInput says which requests to show.
type ShowInput struct {
	// Names are those of users or of request objects. Optional.
	Names []Name
	// Files are requests that are not on the cluster. Optional.
	Files []Imported
}

// Show reviews requests in every state, for every signer, and decides nothing: each that has one of
// the names or is for a user of that name, and each in a file. It requires no permission to
// approve; what the client cannot read, the reviews name as not checked.
func Show(ctx context.Context, p *onboard.Program, in ShowInput) ([]*request.Review, error) {
	q := beginQuestions(ctx, p, usersIn(in.Names, in.Files), in.wants)
	var meant []*request.Review
	var findErr error
	if len(in.Names) > 0 {
		meant, findErr = shownNames(ctx, p, in.Names, q.all)
	} else {
		meant, findErr = shownFiles(in.Files)
	}
	err := q.wait()
	if err := cmp.Or(findErr, err); err != nil {
		return nil, err
	}
	var reading sync.WaitGroup
	reading.Go(func() { takeOutcomes(ctx, p, meant) })
	circumstances := q.about(ctx, p, meant)
	for _, review := range meant {
		review.Consider(circumstances)
	}
	reading.Wait()
	return meant, nil
}

func (in ShowInput) wants(_ *request.Request, users []string) bool {
	return haveUser(in.Names, users)
}

// shownNames are the requests with the names, and those of users with the names, each once.
func shownNames(ctx context.Context, p *onboard.Program, names []Name, all *survey) ([]*request.Review, error) {
	found := claims{}
	for _, name := range names {
		switch object, err := p.Cluster.Requests().Get(ctx, name.Text); {
		case err == nil:
			found.add(name, request.ReviewOf(object))
		case name.IsObject || !errors.Is(err, outcome.ErrNotFound) && !apierrors.IsForbidden(err):
			return nil, err
		}
	}
	if err := all.result(); err != nil {
		return nil, err
	}
	for _, review := range all.wanted {
		for _, user := range userNames(names) {
			if review.IsDecoded() && review.User.Name == user || review.Certificate != nil && review.Certificate.User().Name == user {
				found.add(Name{Text: user}, review)
			}
		}
	}
	var meant []*request.Review
	for _, name := range names {
		if len(found[name]) == 0 {
			if all.unreadErr != nil {
				return nil, all.unreadErr
			}
			return nil, notFound(name.Text)
		}
		for _, review := range found[name] {
			if !slices.ContainsFunc(meant, func(r *request.Review) bool { return r.Object.UID == review.Object.UID }) {
				meant = append(meant, review)
			}
		}
	}
	return meant, nil
}

// shownFiles are the reviews of files; the first that holds no request is an error.
func shownFiles(files []Imported) (meant []*request.Review, _ error) {
	for _, file := range files {
		if file.Err != nil {
			return nil, file.Err
		}
		meant = append(meant, request.ReviewOfFile(file.Object, file.Source))
	}
	return meant, nil
}
