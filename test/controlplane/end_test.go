package controlplane

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"
)

// endVariable tells the test binary, run again as a child, how to end with a
// running plane. startedVariable names the file where it writes what it started.
const (
	endVariable     = "CONTROLPLANE_TEST_END"
	startedVariable = "CONTROLPLANE_TEST_STARTED"
)

// started is what a child tells about its plane.
type started struct {
	Directory string
	Ports     []int
}

func TestEnd_WhateverEndsItsOwnerEndsThePlane(t *testing.T) {
	for _, end := range []struct {
		way    string
		signal os.Signal
	}{
		{way: "fails"},
		{way: "panics"},
		{way: "exits"},
		{way: "is interrupted", signal: os.Interrupt},
		{way: "is killed", signal: syscall.SIGKILL},
	} {
		t.Run("the test "+end.way, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "started.json")
			child := exec.Command(os.Args[0], "-test.run=^TestEnd_ChildThatEnds$", "-test.v")
			child.Env = append(os.Environ(), endVariable+"="+end.way, startedVariable+"="+file)
			var output bytes.Buffer
			child.Stdout, child.Stderr = &output, &output
			if err := child.Start(); err != nil {
				t.Fatal(err)
			}
			ended := make(chan error, 1)
			go func() { ended <- child.Wait() }()
			// A child that ends by itself may be gone before its file is looked for.
			var s started
			await(t, "plane of the child", func() bool {
				data, err := os.ReadFile(file)
				return err == nil && json.Unmarshal(data, &s) == nil
			})
			if end.signal != nil {
				if len(processesOf(t, s.Directory)) == 0 || !slices.ContainsFunc(s.Ports, isListening) {
					t.Error("the child's plane did not run")
				}
				if err := child.Process.Signal(end.signal); err != nil {
					t.Fatal(err)
				}
			}
			if err := <-ended; err == nil {
				t.Error("the child succeeded")
			}
			await(t, "end of the child's plane", func() bool {
				return !exists(s.Directory) && len(processesOf(t, s.Directory)) == 0 && !slices.ContainsFunc(s.Ports, isListening)
			})
			if end.way == "fails" && !bytes.Contains(output.Bytes(), []byte("end of the log of kube-apiserver")) {
				t.Errorf("a failing test does not show the logs:\n%s", output.String())
			}
		})
	}
}

// TestEnd_ChildThatEnds is the child of TestEnd_WhateverEndsItsOwnerEndsThePlane.
func TestEnd_ChildThatEnds(t *testing.T) {
	way := os.Getenv(endVariable)
	if way == "" {
		t.Skip("only as a child of another test")
	}
	plane := Start(t)
	data, err := json.Marshal(started{
		Directory: plane.Directory,
		Ports:     []int{plane.ports.etcdClient, plane.ports.etcdPeer, plane.ports.apiServer, plane.ports.controllerManager},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(os.Getenv(startedVariable), data, 0o600); err != nil {
		t.Fatal(err)
	}
	switch way {
	case "fails":
		t.Fatal("as asked")
	case "exits":
		os.Exit(3)
	case "panics":
		// In another goroutine: no cleanup runs then.
		go panic("as asked")
	}
	// No bare select: where nothing else could ever run, Go ends the program.
	<-time.After(time.Hour)
}

func TestEnd_Keeper(t *testing.T) {
	binaries, err := Build(t.Context(), testLog{t})
	if err != nil {
		t.Fatal(err)
	}
	// sleeper is a component that would run for a minute.
	sleeper := func(t *testing.T, k *keeperProcess) {
		t.Helper()
		sleep, err := exec.LookPath("sleep")
		if err != nil {
			t.Skip(err)
		}
		log := filepath.Join(k.directory, "sleep.log")
		// The name of its directory, which sleep takes for one more duration, is
		// how it is found.
		err = k.ask(keeperCommand{Start: &keeperStart{Name: "sleeper", Path: "/bin/sh", Arguments: []string{"-c", sleep + " 60 # " + k.directory + "\n:"}, Log: log}})
		if err != nil {
			t.Fatal(err)
		}
	}
	start := func(t *testing.T) *keeperProcess {
		t.Helper()
		directory := filepath.Join(t.TempDir(), "plane")
		if err := os.Mkdir(directory, 0o700); err != nil {
			t.Fatal(err)
		}
		k, err := startKeeper(binaries.keeper, directory)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = k.stop() })
		return k
	}

	for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP} {
		t.Run(fmt.Sprintf("ends its processes on signal %d", signal), func(t *testing.T) {
			k := start(t)
			sleeper(t, k)
			if err := k.command.Process.Signal(signal); err != nil {
				t.Fatal(err)
			}
			await(t, "end", func() bool { return !exists(k.directory) && len(processesOf(t, k.directory)) == 0 })
		})
	}

	t.Run("leaves no process when it is killed, and Stop removes the directory", func(t *testing.T) {
		k := start(t)
		sleeper(t, k)
		if err := k.command.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		if err := k.stop(); err == nil {
			t.Error("stop does not tell that the keeper was killed")
		}
		if exists(k.directory) {
			t.Error("the directory is still there")
		}
		await(t, "end", func() bool { return len(processesOf(t, k.directory)) == 0 })
	})

	t.Run("removes everything when its owner dies before it hears the answer", func(t *testing.T) {
		directory := filepath.Join(t.TempDir(), "plane")
		if err := os.Mkdir(directory, 0o700); err != nil {
			t.Fatal(err)
		}
		answers, closed, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		command := exec.Command(binaries.keeper, directory)
		command.Stdout = closed
		input, err := command.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := command.Start(); err != nil {
			t.Fatal(err)
		}
		_ = answers.Close()
		_ = closed.Close()
		if _, err := io.WriteString(input, `{"check":"nobody"}`+"\n"); err != nil {
			t.Fatal(err)
		}
		if err := command.Wait(); err != nil {
			t.Errorf("the keeper ended with %v", err)
		}
		if exists(directory) {
			t.Error("the directory is still there")
		}
	})

	t.Run("starts nothing twice and says what does not run", func(t *testing.T) {
		k := start(t)
		sleeper(t, k)
		if err := k.ask(keeperCommand{Start: &keeperStart{Name: "sleeper", Path: "/bin/sh", Log: os.DevNull}}); err == nil {
			t.Error("a second one of the same name was started")
		}
		if err := k.ask(keeperCommand{Stop: "sleeper"}); err != nil {
			t.Error(err)
		}
		if err := k.ask(keeperCommand{Check: "sleeper"}); err == nil {
			t.Error("it is said to run after it was stopped")
		}
		if err := k.ask(keeperCommand{}); err == nil {
			t.Error("a command that asks for nothing is obeyed")
		}
	})
}
