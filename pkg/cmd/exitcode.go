package cmd

import "github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"

// ExitCode is the exit code of an outcome.
func ExitCode(err error) int { return outcome.ExitCode(err) }
