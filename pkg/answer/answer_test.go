package answer_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/answer"
)

const (
	body  = `"spec":{},"status":{"clientKeyData":"secret"}}`
	from  = 1_700_000_000
	until = 1_700_000_600
)

func TestAnswer_AnAnswerIsGivenInItsTimeOnly(t *testing.T) {
	file := answer.Encode([]byte(body), from, until)
	for _, test := range []struct {
		name    string
		now     int64
		isGiven bool
	}{
		{"a second before", from - 1, false},
		{"at its begin", from, true},
		{"in the last second", until - 1, true},
		{"at its end", until, false},
		{"with a clock that was never set", 0, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			credential := answer.Decode(file, answer.V1beta1, test.now)
			if isGiven := credential != nil; isGiven != test.isGiven {
				t.Fatalf("it is %q", credential)
			}
			if test.isGiven && !bytes.Equal(credential, answer.Credential([]byte(body), answer.V1beta1)) {
				t.Errorf("it is %q", credential)
			}
		})
	}
}

func TestAnswer_AnAnswerOfAnyTimesIsWritten(t *testing.T) {
	for _, test := range []struct {
		name        string
		from, until int64
		isGiven     bool
	}{
		{"of a certificate from 1960", -315_619_200, 2_000_000_000, true},
		{"of one that ended in 1961", -315_619_200, -283_996_800, false},
		{"of one without an end", from, 253_402_300_799, true},
		{"of all times", -1 << 63, 1<<63 - 1, true},
		{"that ends before it begins", until, from, false},
	} {
		credential := answer.Decode(answer.Encode([]byte(body), test.from, test.until), answer.V1, 1_700_000_300)
		if isGiven := credential != nil; isGiven != test.isGiven {
			t.Errorf("%s: it is %q", test.name, credential)
		}
	}
}

func TestAnswer_ACredentialIsJSON(t *testing.T) {
	var read struct {
		Kind, APIVersion string
		Status           struct{ ClientKeyData string }
	}
	encoded := answer.Credential([]byte(body), answer.V1)
	if err := json.Unmarshal(encoded, &read); err != nil {
		t.Fatalf("%v in %q", err, encoded)
	}
	if read.Kind != "ExecCredential" || read.APIVersion != "client.authentication.k8s.io/v1" || read.Status.ClientKeyData != "secret" {
		t.Errorf("it is %+v", read)
	}
	if !bytes.HasSuffix(encoded, []byte("}\n")) {
		t.Errorf("it ends in %q", encoded[len(encoded)-2:])
	}
}

func TestAnswer_NothingElseIsTakenForAnAnswer(t *testing.T) {
	whole := string(answer.Encode([]byte(body), from, until))
	head, _, _ := strings.Cut(whole, "\n")
	replaced := func(old, replacement string) string {
		t.Helper()
		if !strings.Contains(whole, old) {
			t.Fatalf("there is no %q in %q", old, whole)
		}
		return strings.Replace(whole, old, replacement, 1)
	}
	for name, file := range map[string]string{
		"empty":                 "",
		"the head alone":        head,
		"the head's line alone": head + "\n",
		"another program's":     replaced("kubectl-csr-onboard", "kubectl-csr-offboard"),
		"another version":       replaced("answer 1 ", "answer 2 "),
		"a letter in from":      replaced("001700000000", "00170000000x"),
		"a letter in until":     replaced("001700000600", "00170000060x"),
		"a sign":                replaced("001700000000", "-01700000000"),
		"no space between":      replaced("001700000000 ", "001700000000-"),
		"one digit more":        replaced("001700000600", "0001700000600"),
		"a carriage return":     replaced("\n", "\r\n"),
		"a line more":           whole + "\n",
		"JSON":                  `{"kind":"ExecCredential"}` + "\n",
	} {
		if credential := answer.Decode([]byte(file), answer.V1, from); credential != nil {
			t.Errorf("%s: it is %q", name, credential)
		}
	}
	for length := range len(whole) {
		if credential := answer.Decode([]byte(whole[:length]), answer.V1, from); credential != nil {
			t.Errorf("cut off after %d bytes: it is %q", length, credential)
		}
	}
}

func TestAnswer_WantedVersion(t *testing.T) {
	for info, want := range map[string]string{
		"": answer.V1,
		`{"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/v1","spec":{"interactive":false}}`:      answer.V1,
		`{"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/v1beta1","spec":{"interactive":false}}`: answer.V1beta1,
		`{"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/v1alpha1","spec":{}}`:                   "",
		`{"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/v2","spec":{}}`:                         "",
		`{"kind":"ExecCredential"}`: "",
		`nonsense`:                  "",
		// As Python writes it.
		`{"apiVersion": "client.authentication.k8s.io/v1beta1", "kind": "ExecCredential", "spec": {"interactive": false}}`: answer.V1beta1,
		// Which of two is meant is not for csr-onboard to say.
		`{"apiVersion":"client.authentication.k8s.io/v1","apiVersion":"client.authentication.k8s.io/v1beta1"}`:       "",
		`{"apiVersion":"client.authentication.k8s.io/v1","apiVersion":"client.authentication.k8s.io/v1"}`:            "",
		`{"apiVersion":"client.authentication.k8s.io/v1","spec":{"cluster":{"config":{"apiVersion":"example/v7"}}}}`: "",
	} {
		if got := answer.WantedVersion(info); got != want {
			t.Errorf("%s: %q, want %q", info, got, want)
		}
	}
}

// FuzzDecode asserts that what is given is always what Encode was given, in its time.
func FuzzDecode(f *testing.F) {
	f.Add(answer.Encode([]byte(body), from, until), int64(from))
	f.Add([]byte("kubectl-csr-onboard answer 1 "), int64(0))
	f.Fuzz(func(t *testing.T, file []byte, now int64) {
		credential := answer.Decode(file, answer.V1, now)
		if credential == nil {
			return
		}
		_, rest, _ := bytes.Cut(file, []byte("\n"))
		if !bytes.Equal(credential, answer.Credential(bytes.TrimSuffix(rest, []byte("\n")), answer.V1)) {
			t.Errorf("of %q is made %q", file, credential)
		}
		if now < 0 || now > 999_999_999_999 {
			t.Errorf("%q is given at %d", file, now)
		}
	})
}

// FuzzWantedVersion asserts that whenever a version is found, it is what a JSON parser
// finds.
func FuzzWantedVersion(f *testing.F) {
	f.Add(`{"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/v1","spec":{"interactive":false}}`)
	f.Add(`{"apiVersion":"client.authentication.k8s.io/v1beta1"}`)
	f.Fuzz(func(t *testing.T, info string) {
		found := answer.WantedVersion(info)
		var read map[string]any
		if found == "" || info == "" || json.Unmarshal([]byte(info), &read) != nil {
			return
		}
		if asked, isThere := read["apiVersion"]; isThere && asked != found {
			t.Errorf("%q asks for %q, and %q was found", info, asked, found)
		}
	})
}
