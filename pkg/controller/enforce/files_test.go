package enforce

import (
	"bytes"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/access"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome/outcometest"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/revocation"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/store"
)

// preparedIn is a directory that was set up for an API server with Node and RBAC.
func preparedIn(t *testing.T) store.Enforcement {
	t.Helper()
	directory := directoryIn(t)
	if _, err := Prepare(Setup{Directory: directory, Modes: "Node,RBAC"}); err != nil {
		t.Fatal(err)
	}
	return directory
}

// fileRefusing is an authorization file for a directory that refuses users.
func fileRefusing(t *testing.T, directory store.Enforcement, users ...string) []byte {
	t.Helper()
	base, err := revocation.BaseOfModes("Node,RBAC")
	if err != nil {
		t.Fatal(err)
	}
	var entries []access.Entry
	for _, user := range users {
		entries = append(entries, access.Entry{Blocked: access.Blocked{User: user}})
	}
	file, err := revocation.Render(base, entries, revocation.Options{Kubeconfig: directory.DenierPath()})
	if err != nil {
		t.Fatal(err)
	}
	return file.Text
}

func write(t *testing.T, path string, text []byte) {
	t.Helper()
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// occupy has a directory in the place of a file, which can neither be read nor replaced.
func occupy(t *testing.T, path string) {
	t.Helper()
	if err := os.RemoveAll(path); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
}

func remove(t *testing.T, path string) {
	t.Helper()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
}

// operators is an authorization file that is not of csr-onboard.
const operators = `{"apiVersion":"apiserver.config.k8s.io/v1beta1","kind":"AuthorizationConfiguration","authorizers":[{"type":"Node","name":"node"},{"type":"RBAC","name":"rbac"}]}`

// TestFiles_ADirectoryThatCannotBeUsedIsRefusedAndLeftAsItIs has one thing wrong at a time in a directory that was
// set up.
func TestFiles_ADirectoryThatCannotBeUsedIsRefusedAndLeftAsItIs(t *testing.T) {
	for about, test := range map[string]struct {
		spoil func(d store.Enforcement)
		says  []string
	}{
		"a directory in the place of the authorization file": {func(d store.Enforcement) { occupy(t, d.AuthorizationPath()) }, []string{"authorization.yaml"}},
		"a directory in the place of the base":               {func(d store.Enforcement) { occupy(t, d.BasePath()) }, []string{"base.yaml"}},
		"a directory in the place of the kubeconfig":         {func(d store.Enforcement) { occupy(t, d.DenierPath()) }, []string{store.DenierName}},
		"a damaged file without a last good one": {
			func(d store.Enforcement) { write(t, d.AuthorizationPath(), []byte("{")) },
			[]string{"authorization.yaml", "cannot be used", "nothing to replace it with"},
		},
		"a damaged file and a damaged last good one": {
			func(d store.Enforcement) {
				write(t, d.AuthorizationPath(), []byte("{"))
				write(t, d.LastGoodPath(), []byte("{"))
			},
			[]string{"cannot be used", "nothing to replace it with"},
		},
		"a damaged base": {func(d store.Enforcement) { write(t, d.BasePath(), []byte("kind: Pod\n")) }, []string{"base.yaml", `the kind is "Pod"`}},
		"a base without any authorizer": {
			func(d store.Enforcement) {
				write(t, d.BasePath(), []byte(`{"apiVersion":"apiserver.config.k8s.io/v1","kind":"AuthorizationConfiguration","authorizers":[]}`))
			},
			[]string{"base.yaml", "no authorizer is configured"},
		},
	} {
		directory := preparedIn(t)
		test.spoil(directory)
		before, _ := os.ReadFile(directory.AuthorizationPath())
		_, err := openFiles(directory)
		outcometest.Says(t, about, err, test.says...)
		if after, _ := os.ReadFile(directory.AuthorizationPath()); !bytes.Equal(before, after) {
			t.Errorf("%s: the authorization file was changed", about)
		}
	}
}

func TestFiles_ADirectoryThatWasNotSetUpIsRefusedWithTheNextStep(t *testing.T) {
	directory := directoryIn(t)
	_, err := openFiles(directory)
	if outcometest.Says(t, "an empty directory", err, "has no authorization file", "enforce init --directory DIR"); !errors.Is(err, outcome.ErrUsage) {
		t.Errorf("%v is not wrong usage", err)
	}
	if _, err := os.Stat(directory.DenierPath()); !os.IsNotExist(err) {
		t.Errorf("something was written: %v", err)
	}
}

// TestFiles_AnOperatorsFileBecomesTheBase is for a directory in which the operator wrote the authorization file before csr-onboard
// came.
func TestFiles_AnOperatorsFileBecomesTheBase(t *testing.T) {
	directory := directoryIn(t)
	write(t, directory.AuthorizationPath(), []byte(operators))
	opened, err := openFiles(directory)
	if err != nil {
		t.Fatal(err)
	}
	if len(opened.wanted) != 0 || read(t, directory.AuthorizationPath()) != operators {
		t.Errorf("the file was replaced before the list is known: %s", opened.wanted)
	}
	base, err := revocation.ParseBase([]byte(read(t, directory.BasePath())))
	if err != nil || base.String() != "Node, RBAC" || opened.base.String() != "Node, RBAC" || !strings.Contains(string(opened.baseText), "v1beta1") {
		t.Errorf("%s, %v: %s", base, err, opened.baseText)
	}
	if !isDenierKubeconfig([]byte(read(t, directory.DenierPath()))) {
		t.Error("the kubeconfig that the file names is missing")
	}
	// Without an authorization file to be kept, only the kubeconfig is.
	remove(t, directory.DenierPath())
	if err := opened.keep(); err != nil || read(t, directory.AuthorizationPath()) != operators || read(t, directory.DenierPath()) != string(opened.denier) {
		t.Errorf("%v: %s", err, read(t, directory.AuthorizationPath()))
	}
}

// TestFiles_ABaseIsTakenFromTheAuthorizationFileOnlyIfThatIsWhole deletes the base while the enforcer runs.
func TestFiles_ABaseIsTakenFromTheAuthorizationFileOnlyIfThatIsWhole(t *testing.T) {
	directory := preparedIn(t)
	opened, err := openFiles(directory)
	if err != nil {
		t.Fatal(err)
	}
	authorization := read(t, directory.AuthorizationPath())
	for about, test := range map[string]struct {
		spoil func()
		says  []string
	}{
		"it is missing too": {func() { remove(t, directory.AuthorizationPath()) }, []string{"authorization.yaml"}},
		"it is damaged":     {func() { write(t, directory.AuthorizationPath(), []byte("kind: Secret\n")) }, []string{"authorization.yaml", `the kind is "Secret"`}},
	} {
		_ = os.Remove(directory.BasePath())
		write(t, directory.AuthorizationPath(), []byte(authorization))
		test.spoil()
		outcometest.Says(t, about, opened.readBase(), test.says...)
		if _, err := os.Stat(directory.BasePath()); !os.IsNotExist(err) || opened.base.String() != "Node, RBAC" {
			t.Errorf("%s: a base was written: %v, %s", about, err, opened.base)
		}
	}
	write(t, directory.AuthorizationPath(), []byte(authorization))
	if err := opened.readBase(); err != nil || !strings.Contains(read(t, directory.BasePath()), `"RBAC"`) || strings.Contains(read(t, directory.BasePath()), "Webhook") {
		t.Errorf("%v: %s", err, read(t, directory.BasePath()))
	}
}

func TestFiles_AnAuthorizerThatTheAPIServerKeepsCannotBeDropped(t *testing.T) {
	directory := preparedIn(t)
	opened, err := openFiles(directory)
	if err != nil {
		t.Fatal(err)
	}
	write(t, directory.BasePath(), []byte(strings.Replace(operators, `{"type":"Node","name":"node"},`, "", 1)))
	outcometest.Says(t, "without Node", opened.readBase(), "base.yaml", "has no authorizer [Node] any more", "restart the API server")
	if opened.base.String() != "Node, RBAC" {
		t.Errorf("the base is %s", opened.base)
	}
}

// TestFiles_OnlyAFileThatTheAPIServerCanStartWithIsPutInPlace: without its kubeconfig, or damaged, it would keep the
// API server from starting.
func TestFiles_OnlyAFileThatTheAPIServerCanStartWithIsPutInPlace(t *testing.T) {
	directory := preparedIn(t)
	opened, err := openFiles(directory)
	if err != nil {
		t.Fatal(err)
	}
	before, wanted := read(t, directory.AuthorizationPath()), string(opened.wanted)
	next := fileRefusing(t, directory, "jane")
	expect := func(about string) {
		t.Helper()
		if read(t, directory.AuthorizationPath()) != before || string(opened.wanted) != wanted {
			t.Errorf("%s: the file was replaced", about)
		}
	}
	outcometest.Says(t, "cut off", opened.put(next[:len(next)-10]), "is not written")
	expect("cut off")
	occupy(t, directory.DenierPath())
	outcometest.Says(t, "without its kubeconfig", opened.put(next), store.DenierName)
	expect("without its kubeconfig")
	outcometest.Says(t, "kept without its kubeconfig", opened.keep(), store.DenierName)
	if err := os.Remove(directory.DenierPath()); err != nil {
		t.Fatal(err)
	}
	if err := opened.put(next); err != nil || read(t, directory.AuthorizationPath()) != string(next) || read(t, directory.DenierPath()) != string(opened.denier) {
		t.Errorf("%v", err)
	}
	occupy(t, directory.AuthorizationPath())
	outcometest.Says(t, "nowhere", opened.keep(), "authorization.yaml")
}

func TestFiles_TheLastGoodFileIsReadOnlyIfItIsWhole(t *testing.T) {
	directory := preparedIn(t)
	opened, err := openFiles(directory)
	if err != nil {
		t.Fatal(err)
	}
	if opened.lastGood() != nil {
		t.Error("there is a last good file before an API server used one")
	}
	if err := opened.keepLastGood(); err != nil || !bytes.Equal(opened.lastGood(), opened.wanted) {
		t.Errorf("%v: %s", err, opened.lastGood())
	}
	write(t, directory.LastGoodPath(), opened.wanted[:len(opened.wanted)-10])
	if opened.lastGood() != nil {
		t.Error("a damaged file is the last good one")
	}
	if err := opened.keepLastGood(); err != nil || read(t, directory.LastGoodPath()) != string(opened.wanted) {
		t.Errorf("a damaged file stays: %v", err)
	}
}

func TestFiles_WhatIsRememberedOfTheListIsReadWholeOrNotAtAll(t *testing.T) {
	directory := preparedIn(t)
	opened, err := openFiles(directory)
	if err != nil {
		t.Fatal(err)
	}
	if remembered, err := opened.remembered(); err != nil || remembered.UID != "" {
		t.Errorf("before the first list: %+v, %v", remembered, err)
	}
	seen := revocation.Remembered{UID: "uid", Data: map[string]string{"user-6a616e65": "user:jane"}}
	if err := opened.remember(seen); err != nil {
		t.Fatal(err)
	}
	if remembered, err := opened.remembered(); err != nil || remembered.UID != "uid" || len(remembered.Data) != 1 {
		t.Errorf("%+v, %v", remembered, err)
	}
	write(t, directory.ListPath(), []byte(`{"uid":"uid","data":`))
	if remembered, err := opened.remembered(); err == nil || remembered.UID != "" || remembered.Data != nil {
		t.Errorf("cut off: %+v, %v", remembered, err)
	}
	occupy(t, directory.ListPath())
	_, err = opened.remembered()
	outcometest.Says(t, "a directory", err, "list.json")
	seen.UID = "other"
	outcometest.Says(t, "a directory", opened.remember(seen), "list.json")
}

func TestFiles_AnEmptyBaseIsDamagedFromTheStart(t *testing.T) {
	n := newNode(t)
	n.revoke(t, "jane")
	write(t, n.directory.BasePath(), nil)
	if err := Once(t.Context(), n.input()); err == nil || !strings.Contains(err.Error(), `base.yaml": invalid`) {
		t.Errorf("%v", err)
	}
}
