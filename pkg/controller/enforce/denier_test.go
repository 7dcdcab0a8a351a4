package enforce

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/access"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/revocation"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/store"
)

var now = time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)

func directoryIn(t *testing.T) store.Enforcement {
	t.Helper()
	directory, err := store.EnforcementIn(filepath.Join(t.TempDir(), "D"))
	if err == nil {
		err = directory.Make()
	}
	if err != nil {
		t.Fatal(err)
	}
	return directory
}

func TestDenier_ItsKeyIsReplacedOnlyIfItCannotBeUsed(t *testing.T) {
	directory := directoryIn(t)
	path := filepath.Join(directory.Path(), "denier.pem")
	made := func(at time.Time) string {
		t.Helper()
		if _, err := newDenier(directory, DefaultDenier, at); err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	first := made(now)
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	if made(now) != first || made(now.AddDate(99, 0, 0)) != first {
		t.Error("a valid key was replaced")
	}
	expired := made(now.AddDate(101, 0, 0))
	if expired == first {
		t.Error("an expired certificate was kept")
	}
	if err := os.WriteFile(path, []byte(first[:len(first)/2]), 0o600); err != nil {
		t.Fatal(err)
	}
	whole := made(now)
	if err := os.Chmod(path, 0o644); err != nil { //nolint:gosec // It is what is refused.
		t.Fatal(err)
	}
	if _, err := newDenier(directory, DefaultDenier, now); err == nil || !strings.Contains(err.Error(), "can be read by others") {
		t.Errorf("a key that others can read is used: %v", err)
	}
	if text, err := os.ReadFile(path); err != nil || string(text) != whole {
		t.Errorf("it was replaced: %v", err)
	}
}

func TestDenier_ItDeniesWhateverItIsAsked(t *testing.T) {
	d, err := newDenier(directoryIn(t), DefaultDenier, now)
	if err != nil {
		t.Fatal(err)
	}
	d.tell([]access.Entry{
		{Blocked: access.Blocked{User: "jane"}, Details: access.Details{Reason: "left \x1b[2J", By: "boss"}},
		{Blocked: access.Blocked{User: "kim", IsPin: true}, Details: access.Details{Reason: "lost"}},
		{Blocked: access.Blocked{CredentialID: "JTI=1"}, Details: access.Details{Reason: "stolen"}},
		{Blocked: access.Blocked{User: "silent"}, Details: access.Details{By: "boss"}},
	})
	ask := func(method, path, token, body string) *httptest.ResponseRecorder {
		request := httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(body))
		request.Header.Set("Authorization", "Bearer "+token)
		recorder := httptest.NewRecorder()
		d.answer(recorder, request)
		return recorder
	}
	for about, test := range map[string]struct {
		body   string
		reason string
	}{
		"a user":                       {`{"spec":{"user":"jane"}}`, `: left \x1b[2J`},
		"one who claims to be allowed": {`{"spec":{"user":"jane"},"status":{"allowed":true}}`, `: left \x1b[2J`},
		"a pinned user":                {`{"spec":{"user":"kim"}}`, ": lost"},
		"a token":                      {`{"spec":{"user":"system:serviceaccount:a:b","extra":{"` + access.CredentialIDKey + `":["JTI=1"]}}}`, ": stolen"},
		"without a reason":             {`{"spec":{"user":"silent"}}`, ""},
		"the mark of a file":           {`{"spec":{"user":"csr-onboard:proof:0"}}`, ""},
		"nobody":                       {`{}`, ""},
	} {
		answered := ask(http.MethodPost, access.DenierPath+"?timeout=3s", d.token, test.body)
		var review authorizationv1.SubjectAccessReview
		if err := json.Unmarshal(answered.Body.Bytes(), &review); err != nil || answered.Code != http.StatusOK ||
			review.Status.Allowed || !review.Status.Denied || review.Status.Reason != revocation.Message+test.reason {
			t.Errorf("%s: %d %s %v", about, answered.Code, answered.Body, err)
		}
		if bytes.Contains(answered.Body.Bytes(), []byte("boss")) {
			t.Errorf("%s: it names the administrator: %s", about, answered.Body)
		}
	}
	for about, test := range map[string]struct {
		method, path, token, body string
		code                      int
	}{
		"somebody without the token": {http.MethodPost, access.DenierPath, "", `{"spec":{"user":"jane"}}`, http.StatusUnauthorized},
		"another path":               {http.MethodPost, "/", d.token, `{}`, http.StatusNotFound},
		"another method":             {http.MethodGet, access.DenierPath, d.token, ``, http.StatusNotFound},
		"no JSON":                    {http.MethodPost, access.DenierPath, d.token, `x`, http.StatusBadRequest},
		"too much":                   {http.MethodPost, access.DenierPath, d.token, `"` + strings.Repeat("x", largestReview) + `"`, http.StatusBadRequest},
	} {
		if answered := ask(test.method, test.path, test.token, test.body); answered.Code != test.code || strings.Contains(answered.Body.String(), "left") {
			t.Errorf("%s: %d %s", about, answered.Code, answered.Body)
		}
	}
}

func TestDenier_ItListensWhereOnlyTheMachineItselfReachesIt(t *testing.T) {
	for address, want := range map[string]bool{
		DefaultDenier: true, "[::1]:10298": true, "127.0.0.1:0": false, "127.0.0.1:65536": false, "127.0.0.1:x": false, "127.0.0.1": false,
		"0.0.0.0:10298": false, ":10298": false, "10.0.0.1:10298": false, "localhost:10298": false, "127.0.0.2:10298": false, "": false,
	} {
		if err := CheckDenierAddress(address); (err == nil) != want {
			t.Errorf("%q: %v", address, err)
		}
	}
}

func TestDenier_AKubeconfigThatWasMadeHereIsKnown(t *testing.T) {
	d, err := newDenier(directoryIn(t), DefaultDenier, now)
	if err != nil {
		t.Fatal(err)
	}
	silent, err := newSilentKubeconfig()
	if err != nil {
		t.Fatal(err)
	}
	for about, test := range map[string]struct {
		text string
		want bool
	}{
		"of the denier": {string(d.kubeconfig), true}, "of nobody": {string(silent), true},
		"cut off": {string(d.kubeconfig[:len(d.kubeconfig)-3]), false}, "empty": {"", false}, "another server": {strings.Replace(string(d.kubeconfig), "127.0.0.1", "192.0.2.1", 1), false},
		"another field": {strings.Replace(string(d.kubeconfig), `"token"`, `"tokenFile"`, 1), false},
	} {
		if got := isDenierKubeconfig([]byte(test.text)); got != test.want {
			t.Errorf("%s: %v", about, got)
		}
	}
}

func TestDenier_AKeyThatCannotBeMadeOrKeptIsAnError(t *testing.T) {
	missing, err := store.EnforcementIn(filepath.Join(t.TempDir(), "none"))
	if err != nil {
		t.Fatal(err)
	}
	if d, err := newDenier(missing, DefaultDenier, now); d != nil || err == nil || !strings.Contains(err.Error(), missing.Path()) {
		t.Errorf("without a directory: %v, %v", d, err)
	}
	// X.509 has no year after 9999.
	directory := directoryIn(t)
	if d, err := newDenier(directory, DefaultDenier, now.AddDate(7950, 0, 0)); d != nil || err == nil {
		t.Errorf("with a clock that is far ahead: %v, %v", d, err)
	}
	if _, err := os.Stat(filepath.Join(directory.Path(), "denier.pem")); !os.IsNotExist(err) {
		t.Errorf("a key was written: %v", err)
	}
}

// TestDenier_AKubeconfigThatTrustsNothingIsReplaced: the API server does not start with one.
func TestDenier_AKubeconfigThatTrustsNothingIsReplaced(t *testing.T) {
	directory := directoryIn(t)
	for about, authority := range map[string]string{
		"without a certificate": "x", "with a key": "-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----\n", "with a damaged one": "-----BEGIN CERTIFICATE-----\neA==\n-----END CERTIFICATE-----\n",
	} {
		text, err := revocation.DenierKubeconfig(DefaultDenier, []byte(authority), "token")
		if err != nil {
			t.Fatal(err)
		}
		write(t, directory.DenierPath(), text)
		if err := (&files{directory: directory}).keepDenier(); err != nil || read(t, directory.DenierPath()) == string(text) || !isDenierKubeconfig([]byte(read(t, directory.DenierPath()))) {
			t.Errorf("%s: %v", about, err)
		}
	}
}
