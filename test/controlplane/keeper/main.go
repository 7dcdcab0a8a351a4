// Command keeper is the parent of a control plane's processes, and their end.
//
// It is started with the run's directory as its argument and takes one JSON
// object a line on standard input: a Command. It answers each with one JSON
// line on standard output: an Answer. When standard input ends, because its
// owner stopped, failed, panicked or was killed, or when it is sent SIGTERM,
// SIGINT or SIGHUP, it kills every process it started, removes the directory
// and exits.
//
// It uses the standard library only, so that it is built in a second; package
// controlplane embeds its source and builds it next to the components.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"syscall"
	"time"
)

// Command asks for one thing: exactly one of its fields is set.
type Command struct {
	// Start starts a process.
	Start *Process `json:"start,omitempty"`
	// Stop ends the process of this name with SIGTERM and waits for its end.
	Stop string `json:"stop,omitempty"`
	// Check asks whether the process of this name still runs.
	Check string `json:"check,omitempty"`
}

// Process is a program to run.
type Process struct {
	Name      string   `json:"name"`
	Path      string   `json:"path"`
	Arguments []string `json:"arguments"`
	// Log is the file that standard output and error are appended to.
	Log string `json:"log"`
}

// Answer says how a command went.
type Answer struct {
	// Error is why the command failed; "" if it did not.
	Error string `json:"error,omitempty"`
}

// stopGrace is how long a process has to end on SIGTERM before it is killed. An
// API server waits for its clients' connections far longer; its data is safe in
// etcd, which ends in milliseconds.
const stopGrace = 3 * time.Second

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "keeper: the run's directory is the only argument")
		os.Exit(2)
	}
	k := &keeper{directory: os.Args[1], processes: map[string]*running{}, launch: make(chan func())}
	go k.launcher()
	os.Exit(k.run())
}

type keeper struct {
	directory string
	processes map[string]*running
	launch    chan func()
}

// running is a started process; done is closed when it has ended.
type running struct {
	process *os.Process
	done    chan struct{}
}

// launcher starts every process from one thread that lives as long as the
// keeper, because the kernel's parent-death signal is about that thread.
func (k *keeper) launcher() {
	runtime.LockOSThread()
	for start := range k.launch {
		start()
	}
}

func (k *keeper) run() int {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	// An owner that is killed while it waits for an answer closes the pipe that
	// the answer goes to. Unless it is caught, SIGPIPE ends a Go program there,
	// before it has removed anything.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	commands := make(chan Command)
	go func() {
		defer close(commands)
		lines := bufio.NewScanner(os.Stdin)
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			var command Command
			if err := json.Unmarshal(lines.Bytes(), &command); err != nil {
				fmt.Fprintln(os.Stderr, "keeper:", err)
				return
			}
			commands <- command
		}
	}()
	answers := json.NewEncoder(os.Stdout)
	for {
		select {
		case <-signals:
			return k.end()
		case command, open := <-commands:
			if !open {
				return k.end()
			}
			var answer Answer
			if err := k.obey(command); err != nil {
				answer.Error = err.Error()
			}
			if err := answers.Encode(answer); err != nil {
				return k.end()
			}
		}
	}
}

func (k *keeper) obey(command Command) error {
	switch {
	case command.Start != nil:
		return k.start(*command.Start)
	case command.Stop != "":
		return k.stop(command.Stop)
	case command.Check != "":
		if k.isRunning(command.Check) {
			return nil
		}
		return fmt.Errorf("%s is not running", command.Check)
	}
	return errors.New("the command asks for nothing")
}

func (k *keeper) isRunning(name string) bool {
	process, started := k.processes[name]
	if !started {
		return false
	}
	select {
	case <-process.done:
		return false
	default:
		return true
	}
}

func (k *keeper) start(p Process) error {
	if k.isRunning(p.Name) {
		return fmt.Errorf("%s is running already", p.Name)
	}
	log, err := os.OpenFile(p.Log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close() //nolint:errcheck // The child has its own.
	command := exec.Command(p.Path, p.Arguments...)
	command.Dir = k.directory
	// Components live for seconds, and would spend a third of that on garbage collection.
	command.Env = append(os.Environ(), "GOGC=400")
	command.Stdout, command.Stderr = log, log
	command.SysProcAttr = dieWithParent()
	started := make(chan error)
	k.launch <- func() { started <- command.Start() }
	if err := <-started; err != nil {
		return err
	}
	r := &running{process: command.Process, done: make(chan struct{})}
	k.processes[p.Name] = r
	go func() {
		// How it ended is in its log.
		_ = command.Wait()
		close(r.done)
	}()
	return nil
}

func (k *keeper) stop(name string) error {
	if !k.isRunning(name) {
		return fmt.Errorf("%s is not running", name)
	}
	r := k.processes[name]
	if err := r.process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case <-r.done:
	case <-time.After(stopGrace):
		_ = r.process.Kill()
		<-r.done
	}
	return nil
}

// end kills everything at once: what the processes would still write is removed
// with the directory.
func (k *keeper) end() int {
	for _, r := range k.processes {
		_ = r.process.Kill()
	}
	for _, r := range k.processes {
		<-r.done
	}
	if err := os.RemoveAll(k.directory); err != nil {
		fmt.Fprintln(os.Stderr, "keeper:", err)
		return 1
	}
	return 0
}
