// Package fetch is the command fetch, from the cluster and from a handoff file.
package fetch
