// Package parallel works on many items at the same time, with a bound on how many.
//
// It promises that no more than the limit are worked on at once, that nothing it started is
// still running when it returns, and that results come in the order of their items. It has no
// opinion on errors: they are results. The limit is at least 1.
//
// golang.org/x/sync/errgroup has a bound as well. It takes an item before it has room for it,
// waits for room without looking at the context, and does not keep results in order.
package parallel
