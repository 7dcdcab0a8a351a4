package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/gofrs/flock"

	"github.com/csr-onboard/kubectl-csr-onboard/test/controlplane"
)

// serveArgument is how up starts itself again in the background.
const serveArgument = "serve"

// pollInterval is how often a file or a lock is looked at while waiting.
const pollInterval = 50 * time.Millisecond

// state is what serve leaves for up and down. It holds true only while serve
// holds the lock beside it: a process id alone may be somebody else's by now.
type state struct {
	ProcessID  int    `json:"processID"`
	Kubeconfig string `json:"kubeconfig"`
	Kubectl    string `json:"kubectl"`
}

// paths are where the one cluster of this user has its files.
type paths struct{ directory string }

func locate() (paths, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return paths{}, err
	}
	p := paths{directory: filepath.Join(cache, "kubectl-csr-onboard", "cluster")}
	return p, os.MkdirAll(p.directory, 0o700)
}

func (p paths) state() string { return filepath.Join(p.directory, "state.json") }
func (p paths) lock() string  { return filepath.Join(p.directory, "lock") }
func (p paths) log() string   { return filepath.Join(p.directory, "log") }
func (p paths) data() string  { return filepath.Join(p.directory, "data") }

// running is the state of the cluster that runs, or nil.
func (p paths) running() (*state, error) {
	lock := flock.New(p.lock())
	free, err := lock.TryLock()
	if err != nil {
		return nil, err
	}
	if free {
		return nil, lock.Unlock()
	}
	data, err := os.ReadFile(p.state())
	if errors.Is(err, fs.ErrNotExist) {
		// It is just starting or just ending.
		return &state{}, nil
	}
	if err != nil {
		return nil, err
	}
	s := &state{}
	return s, json.Unmarshal(data, s)
}

func build(ctx context.Context) error {
	_, err := controlplane.Build(ctx, os.Stderr)
	return err
}

func up(ctx context.Context) error {
	p, err := locate()
	if err != nil {
		return err
	}
	s, err := p.running()
	if err != nil {
		return err
	}
	if s == nil || s.ProcessID == 0 {
		// Built here, where the person sees the progress and may interrupt it.
		if err := build(ctx); err != nil {
			return err
		}
		if s, err = p.start(ctx); err != nil {
			return err
		}
	}
	fmt.Fprintf(os.Stderr, "a control plane is running; its kubectl: export PATH=%s:$PATH\nstop it with: make cluster-down\n", filepath.Dir(s.Kubectl))
	fmt.Printf("export KUBECONFIG=%s\n", s.Kubeconfig)
	return nil
}

// start runs this program again as serve and waits until that is ready.
func (p paths) start(ctx context.Context) (*state, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	log, err := os.OpenFile(p.log(), os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close() //nolint:errcheck // serve has its own.
	command := exec.Command(program, serveArgument)
	command.Stdout, command.Stderr = log, log
	command.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := command.Start(); err != nil {
		return nil, err
	}
	ended := make(chan error, 1)
	go func() { ended <- command.Wait() }()
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			_ = command.Process.Signal(syscall.SIGTERM)
			// It ends because it was told to; how does not matter any more.
			_ = <-ended
			return nil, errors.New("interrupted; nothing runs")
		case err := <-ended:
			text, _ := os.ReadFile(p.log())
			return nil, fmt.Errorf("the control plane ended at its start: %w\n%s", err, text)
		case <-tick.C:
		}
		if s, err := p.running(); err != nil || s != nil && s.ProcessID == command.Process.Pid {
			return s, err
		}
	}
}

// serve runs the control plane until it is told to end.
func serve(ctx context.Context) error {
	p, err := locate()
	if err != nil {
		return err
	}
	lock := flock.New(p.lock())
	// Tried for a moment: up and down take the lock as well, to see whether it
	// is free.
	patience, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	if _, err := lock.TryLockContext(patience, pollInterval/5); err != nil {
		return fmt.Errorf("another one is running: %w", err)
	}
	defer lock.Unlock() //nolint:errcheck // The process's end unlocks as well.
	if err := errors.Join(os.RemoveAll(p.state()), os.RemoveAll(p.data())); err != nil {
		return err
	}
	plane, err := controlplane.Launch(ctx, controlplane.WithProgress(os.Stderr), controlplane.WithDirectory(p.data()))
	if err != nil {
		return err
	}
	err = writeState(p.state(), state{
		ProcessID:  os.Getpid(),
		Kubeconfig: plane.Kubeconfig,
		Kubectl:    plane.Binary(controlplane.Kubectl),
	})
	if err == nil {
		<-ctx.Done()
	}
	return errors.Join(err, os.Remove(p.state()), plane.Stop())
}

// writeState appears whole under its name: up reads it while it is written.
func writeState(path string, s state) error {
	data, err := json.Marshal(s)
	if err != nil {
		return err
	}
	if err := os.WriteFile(path+".partial", data, 0o600); err != nil {
		return err
	}
	return os.Rename(path+".partial", path)
}

func down(ctx context.Context) error {
	p, err := locate()
	if err != nil {
		return err
	}
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	told := 0
	for {
		s, err := p.running()
		if err != nil {
			return err
		}
		if s == nil {
			break
		}
		if s.ProcessID != 0 && told == 0 {
			told = s.ProcessID
			if err := syscall.Kill(s.ProcessID, syscall.SIGTERM); err != nil {
				return err
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
	if told == 0 {
		fmt.Fprintln(os.Stderr, "no control plane is running")
	} else {
		fmt.Fprintln(os.Stderr, "stopped")
	}
	return os.RemoveAll(p.directory)
}
