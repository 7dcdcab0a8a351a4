package controlplane

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
)

// keeperProcess is the parent of a plane's processes (see keeper/main.go). It
// ends them and removes the directory when its standard input ends, in whatever
// way this process ends.
type keeperProcess struct {
	directory string
	command   *exec.Cmd
	input     io.WriteCloser
	output    *bufio.Reader
	mutex     sync.Mutex
	ended     error
	end       sync.Once
}

// The messages of keeper/main.go, which is a program of its own.
type (
	keeperCommand struct {
		Start *keeperStart `json:"start,omitempty"`
		Stop  Component    `json:"stop,omitempty"`
		Check Component    `json:"check,omitempty"`
	}
	keeperStart struct {
		Name      Component `json:"name"`
		Path      string    `json:"path"`
		Arguments []string  `json:"arguments"`
		Log       string    `json:"log"`
	}
	keeperAnswer struct {
		Error string `json:"error"`
	}
)

func startKeeper(binary, directory string) (*keeperProcess, error) {
	command := exec.Command(binary, directory)
	// A session of its own: a Ctrl-C in the terminal is for this process, whose
	// end tells the keeper.
	command.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	input, err := command.StdinPipe()
	if err != nil {
		return nil, err
	}
	output, err := command.StdoutPipe()
	if err != nil {
		return nil, err
	}
	// A file, because go test waits for every process that holds its own standard error.
	log, err := os.OpenFile(filepath.Join(directory, "keeper.log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close() //nolint:errcheck // The keeper has its own.
	command.Stderr = log
	if err := command.Start(); err != nil {
		return nil, err
	}
	return &keeperProcess{directory: directory, command: command, input: input, output: bufio.NewReader(output)}, nil
}

func (k *keeperProcess) ask(command keeperCommand) error {
	k.mutex.Lock()
	defer k.mutex.Unlock()
	if err := json.NewEncoder(k.input).Encode(command); err != nil {
		return fmt.Errorf("the keeper has ended: %w", err)
	}
	line, err := k.output.ReadBytes('\n')
	if err != nil {
		return fmt.Errorf("the keeper has ended: %w", err)
	}
	var answer keeperAnswer
	if err := json.Unmarshal(line, &answer); err != nil {
		return err
	}
	if answer.Error != "" {
		return errors.New(answer.Error)
	}
	return nil
}

// stop ends everything and waits until it has. The directory is the keeper's to
// remove; it is removed here too, for a keeper that was itself killed.
func (k *keeperProcess) stop() error {
	k.end.Do(func() {
		k.ended = errors.Join(k.input.Close(), k.command.Wait(), os.RemoveAll(k.directory))
	})
	return k.ended
}
