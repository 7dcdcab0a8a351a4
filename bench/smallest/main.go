// Command smallest is the least that a Go program can do to answer from a file: it
// reads the file and prints it. The benchmarks measure the credential plugin's kept
// answer against it.
//
// usage: smallest FILE
package main

import "os"

func main() {
	data, err := os.ReadFile(os.Args[1])
	if err != nil {
		os.Exit(1)
	}
	if _, err := os.Stdout.Write(data); err != nil {
		os.Exit(1)
	}
}
