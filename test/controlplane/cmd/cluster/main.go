// Command cluster gives a person a throw-away control plane to try things on.
//
//	cluster up      starts one in the background and prints the KUBECONFIG to export
//	cluster down    stops it and removes all it left
//	cluster build   only builds the binaries
//
// There is at most one for each user of the machine; up again prints the same.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	err := run(ctx, os.Args[1:])
	stop()
	switch {
	case errors.Is(err, errUsage):
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(2)
	case err != nil:
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

var errUsage = errors.New("usage: cluster up | down | build")

func run(ctx context.Context, arguments []string) error {
	if len(arguments) != 1 {
		return errUsage
	}
	switch arguments[0] {
	case "up":
		return up(ctx)
	case "down":
		return down(ctx)
	case "build":
		return build(ctx)
	case serveArgument:
		return serve(ctx)
	}
	return fmt.Errorf("command %q not found: %w", arguments[0], errUsage)
}
