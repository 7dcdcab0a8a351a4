package script

import "os"

// makePipe makes a directory: Windows keeps named pipes elsewhere.
func makePipe(path string) error { return os.Mkdir(path, 0o700) }
