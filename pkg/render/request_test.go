package render

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/render/report"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
)

func TestRequest_ReviewsAreShownAsInTheGoldenFile(t *testing.T) {
	g := golden{name: "review"}
	for _, review := range reviews(t) {
		g.add(t, review.Object.Name+review.Source[:min(2, len(review.Source))], func(out io.Writer) error { return Review(out, review, now) })
		var shown bytes.Buffer
		if err := Review(&shown, review, now); err != nil {
			t.Error(err)
		}
		checkHidden(t, review.Object.Name, shown.String())
	}
	g.compare(t)
}

func TestRequest_RowsAreWrittenAsInTheGoldenFile(t *testing.T) {
	g := golden{name: "table"}
	all := reviews(t)
	for _, form := range []struct {
		about           string
		wide, noHeaders bool
	}{{"a list", false, false}, {"-o wide", true, false}, {"--no-headers", false, true}} {
		g.add(t, form.about, func(out io.Writer) error { return NewTable(out, form.wide, form.noHeaders, clock).Write(all...) })
	}
	g.add(t, "a list that is followed", func(out io.Writer) error {
		table := NewTable(out, false, false, clock)
		for _, review := range all[:2] {
			if err := table.Write(review); err != nil {
				return err
			}
		}
		return table.WriteDeleted(all[0])
	})
	g.add(t, "a list of several clusters", func(out io.Writer) error {
		onCluster := *all[0]
		onCluster.Cluster = hostile
		table := NewTableOfClusters(out, false, false, clock)
		return errors.Join(table.Write(&onCluster), table.WriteDeleted(&onCluster))
	})
	g.compare(t)
	var shown bytes.Buffer
	if err := NewTable(&shown, true, false, clock).Write(all...); err != nil {
		t.Error(err)
	}
	checkHidden(t, "a list", shown.String())
}

func TestRequest_ChoicesAreCutAsInTheGoldenFile(t *testing.T) {
	g := golden{name: "choice"}
	for _, columns := range []int{200, 120, 80, 40, 20, 10} {
		g.add(t, fmt.Sprint(columns, " columns"), func(out io.Writer) error {
			for _, review := range reviews(t) {
				choice := Choice(review, now, columns)
				checkHidden(t, review.Object.Name, choice)
				if _, err := fmt.Fprintln(out, choice); err != nil {
					return err
				}
			}
			return nil
		})
	}
	g.compare(t)
}

// TestRequest_DocumentsAreWrittenAsInTheGoldenFile is for what scripts read: a field that is there
// keeps its name and its meaning.
func TestRequest_DocumentsAreWrittenAsInTheGoldenFile(t *testing.T) {
	g := golden{name: "reviewdocument"}
	all := reviews(t)
	for _, format := range forms {
		g.add(t, "a list, "+format, func(out io.Writer) error { return report.Reviews(out, format, all) })
		g.add(t, "none, "+format, func(out io.Writer) error { return report.Reviews(out, format, nil) })
		g.add(t, "one, "+format, func(out io.Writer) error { return report.OneReview(out, format, all[0]) })
		g.add(t, "deleted, "+format, func(out io.Writer) error { return report.ReviewDocument(out, format, all[0], true) })
		var written bytes.Buffer
		if err := report.Reviews(&written, format, all); err != nil {
			t.Error(err)
		}
		checkHidden(t, format, written.String())
	}
	g.compare(t)
	if err := report.OneReview(io.Discard, "xml", all[0]); err == nil {
		t.Error("a review is written as XML")
	}
	if err := report.Reviews(full{}, "json", []*request.Review{all[0]}); err == nil {
		t.Error("a full disk is not reported")
	}
}

// full is a disk without space.
type full struct{}

func (full) Write([]byte) (int, error) { return 0, io.ErrShortWrite }
