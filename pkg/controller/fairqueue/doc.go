// Package fairqueue orders the requests that a controller evaluates, so that those of one requester do
// not delay those of another: each requester has a line and a bucket of tokens, and the requesters take
// turns. Requesters whose bucket is empty are passed over until it has a token again.
//
// A request is in the queue once, whatever is added how often, and is known to it by its UID alone.
package fairqueue
