package early

import (
	"syscall"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/answer"
)

// commandLine is os.Args, as far as its four words matter here. Longer ones are cut
// off.
func commandLine() []string {
	var arguments []string
	begin := 0
	// A path has at most 4096 bytes on Linux.
	text := readAll("/proc/self/cmdline", make([]byte, 8192), func(*syscall.Stat_t) bool { return true })
	for i, c := range text {
		if c == 0 {
			arguments = append(arguments, string(text[begin:i]))
			begin = i + 1
		}
	}
	return arguments
}

func variable(name string) string {
	value, _ := syscall.Getenv(name)
	return value
}

func now() int64 {
	var t syscall.Timeval
	if err := syscall.Gettimeofday(&t); err != nil {
		return 0
	}
	return t.Nano() / 1e9
}

// isPrivate reports whether a directory is of the effective user, closed to everybody else,
// and not a symbolic link. So nobody else can have put anything into it. The credential
// command judges it by the same rule, and says what is wrong with it (pkg/store/kind.go).
func isPrivate(directory string) bool {
	var status syscall.Stat_t
	return syscall.Lstat(directory, &status) == nil && isOwn(&status, syscall.S_IFDIR)
}

// readPrivate reads a regular file with one name of the effective user which nobody else
// can touch, without following a symbolic link to it, or returns nil.
func readPrivate(path string) []byte {
	return readAll(path, nil, func(file *syscall.Stat_t) bool {
		return isOwn(file, syscall.S_IFREG) && file.Nlink == 1 && file.Size <= answer.Largest
	})
}

func isOwn(status *syscall.Stat_t, kind uint32) bool {
	return status.Mode&syscall.S_IFMT == kind && status.Mode&0o077 == 0 && int(status.Uid) == syscall.Geteuid()
}

// readAll reads a file as far as it fits into the buffer, which is made as large as
// the file where it is nil.
func readAll(path string, buffer []byte, accept func(*syscall.Stat_t) bool) []byte {
	// A named pipe would be waited for.
	file, err := syscall.Open(path, syscall.O_RDONLY|syscall.O_CLOEXEC|syscall.O_NONBLOCK|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return nil
	}
	defer syscall.Close(file) //nolint:errcheck // Nothing was written.
	var status syscall.Stat_t
	if err := syscall.Fstat(file, &status); err != nil || !accept(&status) {
		return nil
	}
	if buffer == nil {
		buffer = make([]byte, status.Size)
	}
	length := 0
	for length < len(buffer) {
		n, err := syscall.Read(file, buffer[length:])
		if err != nil && err != syscall.EINTR {
			return nil
		}
		if err == nil && n <= 0 {
			break
		}
		length += max(n, 0)
	}
	return buffer[:length]
}

// writeAndExit writes to standard output and ends the process; where not all can be
// written, as a failure, because a second answer would be worse.
func writeAndExit(data []byte) {
	for len(data) > 0 {
		n, err := syscall.Write(1, data)
		if err != nil && err != syscall.EINTR {
			syscall.Exit(1)
		}
		data = data[max(n, 0):]
	}
	syscall.Exit(0)
}
