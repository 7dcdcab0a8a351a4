package audit

import (
	"context"
	"fmt"
	"io"
	"sync"

	"github.com/dustin/go-humanize/english"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/ledger"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/store"
)

// Export writes every record, and keeps the hash of the last line on the cluster. Nothing is written before
// the first records were read.
func Export(ctx context.Context, p *onboard.Program, out io.Writer) error {
	me, err := p.Cluster.WhoAmI(ctx)
	if err != nil {
		return err
	}
	chain := ledger.NewChain(p.Now(), me.Name)
	write := func(line []byte, err error) error {
		if err == nil {
			_, err = out.Write(line)
		}
		return err
	}
	begin := sync.OnceValue(func() error { return write(chain.Begin()) })
	if err := EachPage(ctx, p, ledger.Query{All: true}, func(page []*ledger.ClientCertificate) error {
		if err := begin(); err != nil {
			return err
		}
		for _, record := range page {
			if err := record.CheckComplete(); err != nil {
				return err
			}
			if err := write(chain.Record(record)); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		return err
	}
	if err := write(chain.End()); err != nil {
		return err
	}
	head, export := chain.Head()
	if err := p.Cluster.Resources().KeepExport(ctx, head, export); err != nil {
		return outcome.AddHint(err, "%s", "the export is whole; without its hash on the cluster, verify it with --head "+head)
	}
	p.Tell(Exported{Head: head, Lines: export.Lines})
	return nil
}

// Verified is what an export was checked against.
type Verified struct {
	// Head is the hash of the last line, and Lines how many there are.
	Head  string
	Lines int
	// Export is what the cluster has kept of it; nil where the head was given.
	Export *ledger.Export
}

// VerifyFile checks the lines of an export, and returns its head.
func VerifyFile(path string) (Verified, error) {
	var verification ledger.Verification
	if err := store.EachLine(path, func(_ int, line []byte) error { return verification.Add(line) }); err != nil {
		return Verified{}, outcome.OfFile("the export", path, err)
	}
	head, lines, err := verification.End()
	if err != nil {
		return Verified{}, outcome.OfFile("the export", path, err)
	}
	return Verified{Head: head, Lines: lines}, nil
}

// CheckHead compares the head of an export with one that was written down.
func (v Verified) CheckHead(head string) error {
	if head != v.Head {
		return fmt.Errorf("line %d, the last one, was changed, or this is another export: its hash is %s, not %s", v.Lines, v.Head, identity.Printable(head))
	}
	return nil
}

// CheckKept compares the head of an export with those that the cluster has kept.
func (v *Verified) CheckKept(ctx context.Context, p *onboard.Program) error {
	export, isKept, err := p.Cluster.Resources().KeptExport(ctx, v.Head)
	switch {
	case err != nil:
		return err
	case !isKept:
		return outcome.WithHint(fmt.Errorf("line %d, the last one, was changed, or the cluster has not made this export: it keeps no hash %s", v.Lines, v.Head),
			"is this the cluster that it was exported from? To compare with a hash that you have: --head HASH")
	case export.Lines != v.Lines:
		return fmt.Errorf("the file has %s, and the export had %d", english.Plural(v.Lines, "line", ""), export.Lines)
	}
	v.Export = &export
	return nil
}
