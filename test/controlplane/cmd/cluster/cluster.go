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
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/gofrs/flock"

	"github.com/csr-onboard/kubectl-csr-onboard/test/controlplane"
)

// serveArgument is how up starts itself again in the background.
const serveArgument = "serve"

// dataPrefix begins the name of a plane's directory; partial ends that of a file
// that is not whole yet.
const (
	dataPrefix = "plane-"
	partial    = ".partial"
)

// pollInterval is how often a file or a lock is looked at while waiting.
const pollInterval = 50 * time.Millisecond

// state is what serve leaves for up and down. It holds true only while serve
// holds the lock next to it: a process id alone may be somebody else's by now.
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

// data is the directory of the plane that this process serves. It is not a fixed name,
// because the keeper of a plane whose serve was killed removes its own directory
// while the next one may be starting.
func (p paths) data() string {
	return filepath.Join(p.directory, dataPrefix+strconv.Itoa(os.Getpid()))
}

// clear removes what a plane left, but for the log. Its caller holds the lock, which stays:
// a lock file that is removed is a lock for nobody.
func (p paths) clear() error {
	directories, err := filepath.Glob(filepath.Join(p.directory, dataPrefix+"*"))
	for _, path := range append(directories, p.state(), p.state()+partial) {
		err = errors.Join(err, os.RemoveAll(path))
	}
	return err
}

// running is the state of the cluster that runs, or nil.
func (p paths) running() (*state, error) {
	lock := flock.New(p.lock())
	free, err := lock.TryLock()
	if err != nil {
		return nil, err
	}
	if free {
		// The state of a serve that was killed would be taken for that of the next
		// one, which holds the lock before it has a state.
		return nil, errors.Join(os.RemoveAll(p.state()), lock.Unlock())
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
	if s == nil {
		// Built here, where the person sees the progress and may interrupt it.
		if err := build(ctx); err != nil {
			return err
		}
	}
	if s, err = p.await(ctx); err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "a control plane is running; its kubectl: export PATH=%s:$PATH\nstop it with: make cluster-down\n", quote(filepath.Dir(s.Kubectl)))
	fmt.Printf("export KUBECONFIG=%s\n", quote(s.Kubeconfig))
	return nil
}

// quote writes a path for a shell, where that needs quotes.
func quote(path string) string {
	if !strings.ContainsAny(path, " \t\n'\"\\$`&|;<>()*?[]#~!{}") {
		return path
	}
	return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
}

// await returns when a plane is ready: the one that runs, the one that another
// up is starting, or one that it starts itself.
func (p paths) await(ctx context.Context) (*state, error) {
	var served *background
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	for {
		s, err := p.running()
		if err != nil {
			return nil, errors.Join(err, served.stop())
		}
		if s != nil && s.ProcessID != 0 {
			return s, nil
		}
		if s == nil && served == nil {
			if served, err = p.startServe(); err != nil {
				return nil, err
			}
		}
		select {
		case <-ctx.Done():
			return nil, errors.Join(errors.New("interrupted before the control plane was ready"), served.stop())
		case <-served.ending():
			if other, lookErr := p.running(); lookErr == nil && other != nil {
				// Another up was first; its plane is waited for.
				served = nil
				continue
			}
			text, _ := os.ReadFile(p.log())
			return nil, fmt.Errorf("the control plane ended at its start: %w\n%s", served.failure, text)
		case <-tick.C:
		}
	}
}

// background is a serve that this process started; nil is none.
type background struct {
	process *os.Process
	// ended is closed when it has ended, and failure says how then.
	ended   chan struct{}
	failure error
}

// startServe runs the same executable again as serve, in a session of its own.
func (p paths) startServe() (*background, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	log, err := os.OpenFile(p.log(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
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
	b := &background{process: command.Process, ended: make(chan struct{})}
	go func() {
		b.failure = command.Wait()
		close(b.ended)
	}()
	return b, nil
}

func (b *background) ending() <-chan struct{} {
	if b == nil {
		return nil
	}
	return b.ended
}

// stop ends it and waits until all it started is gone.
func (b *background) stop() error {
	if b == nil {
		return nil
	}
	err := b.process.Signal(syscall.SIGTERM)
	// It ends because it was told to; how does not matter any more.
	<-b.ended
	if errors.Is(err, os.ErrProcessDone) {
		return nil
	}
	return err
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
	patience, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	if _, err := lock.TryLockContext(patience, pollInterval/5); err != nil {
		return fmt.Errorf("another one is running: %w", err)
	}
	defer lock.Unlock() //nolint:errcheck // The process's end unlocks as well.
	// The log is this process's own output already; it starts again.
	if err := errors.Join(p.clear(), emptyLog(p.log())); err != nil {
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

// emptyLog empties the log, which only a serve that up started has.
func emptyLog(path string) error {
	err := os.Truncate(path, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// writeState appears whole under its name: up reads it while it is written.
func writeState(path string, s state) error {
	data, err := json.Marshal(s)
	if err != nil {
		return err
	}
	if err := os.WriteFile(path+partial, data, 0o600); err != nil {
		return err
	}
	return os.Rename(path+partial, path)
}

func down(ctx context.Context) error {
	p, err := locate()
	if err != nil {
		return err
	}
	lock := flock.New(p.lock())
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	told := false
	for {
		free, err := lock.TryLock()
		if err != nil {
			return err
		}
		if free {
			break
		}
		s, err := p.running()
		if err != nil {
			return err
		}
		if s != nil && s.ProcessID != 0 && !told {
			told = true
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
	if told {
		fmt.Fprintln(os.Stderr, "stopped")
	} else {
		fmt.Fprintln(os.Stderr, "no control plane is running")
	}
	return errors.Join(p.clear(), os.RemoveAll(p.log()), lock.Unlock())
}
