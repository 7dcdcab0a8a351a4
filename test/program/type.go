package program

import (
	"context"
	"io"
	"time"
)

// TypeUntil types the same text twice a second, until the context ends or nobody reads: a prompt may not
// be ready for the first one.
func TypeUntil(ctx context.Context, terminal io.Writer, typed string) {
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if _, err := io.WriteString(terminal, typed); err != nil {
				return
			}
		}
	}
}
