package approve

import (
	"context"
	"sync"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/access"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/policy"
)

// ruleReader reads what has to be as it is at the moment of a decision.
type ruleReader interface {
	// Policies are all policies.
	Policies(ctx context.Context) ([]*policy.ApprovalPolicy, error)
	// Revoked is the list of who is revoked.
	Revoked(ctx context.Context) (access.List, error)
}

// confirmer reads the policies and the list of who is revoked once more before something is
// approved or denied by them: a watch may be late, and a process may have been stopped for a while.
// Those who ask at the same time share one reading that begins after they asked.
type confirmer struct {
	rules ruleReader
	world *world
	tell  listener

	mutex     sync.Mutex
	next      *reading
	isReading bool
}

// reading is one reading, and its error.
type reading struct {
	done chan struct{}
	err  error
}

// confirm reads both, takes in what changed, and returns when that is done.
func (c *confirmer) confirm(ctx context.Context) error {
	c.mutex.Lock()
	if c.next == nil {
		c.next = &reading{done: make(chan struct{})}
	}
	mine := c.next
	if !c.isReading {
		c.isReading = true
		go c.readAll(ctx)
	}
	c.mutex.Unlock()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-mine.done:
		return mine.err
	}
}

// readAll reads until nobody asks.
func (c *confirmer) readAll(ctx context.Context) {
	for {
		c.mutex.Lock()
		now := c.next
		c.next = nil
		if now == nil {
			c.isReading = false
			c.mutex.Unlock()
			return
		}
		c.mutex.Unlock()
		now.err = c.read(ctx)
		close(now.done)
	}
}

func (c *confirmer) read(ctx context.Context) error {
	var (
		both               sync.WaitGroup
		list               access.List
		all                []*policy.ApprovalPolicy
		listErr, policyErr error
	)
	both.Go(func() { list, listErr = c.rules.Revoked(ctx) })
	both.Go(func() { all, policyErr = c.rules.Policies(ctx) })
	both.Wait()
	if listErr != nil {
		return listErr
	}
	if policyErr != nil {
		return policyErr
	}
	compiled, isOther := c.world.replacePolicies(all)
	if c.tell.policies(compiled); c.world.setList(list) || isOther {
		c.tell.circumstances()
	}
	return nil
}
