// Package cli is what every command shares: the environment it runs in, its three steps, and
// kubectl's own flags.
//
// A command's Complete reads the flags and what they name, Validate only looks, and Run hands one
// input to a use case and has the result rendered. The Environment gives a command its streams,
// its flags, its narrator and the program; the kubeconfig is loaded here and nowhere else.
//
// It promises that no flag is ignored: kubectl's connection flags are kept or refused with the
// reason (Connection), and a flag with an empty value is refused. Completion runs no program to log
// in.
package cli
