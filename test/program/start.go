package program

import (
	"os"
	"os/exec"
)

// StartLogged starts a program that writes to the end of a log file. It ends with the tests at the
// latest, where the operating system can do that.
func StartLogged(log, name string, arguments ...string) (*exec.Cmd, error) {
	file, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer file.Close() //nolint:errcheck // The program has its own.
	command := exec.Command(name, arguments...)
	command.Stdout, command.Stderr = file, file
	command.SysProcAttr = endsWithParent()
	return command, command.Start()
}
