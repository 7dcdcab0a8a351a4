// Package answer is the form in which a credential cache keeps its answer to
// kubectl, such that it can be given again without knowing what is in it.
//
// kubectl waits for its credential plugin before every command. So this package
// imports nothing at all, and the program can use it before the rest of it is set
// up (see cmd/kubectl-csr_onboard/early). It promises to give an answer only in the
// time that it is good for, and only whole; anything else is left to the rest of
// the program.
package answer

// File is the name of the answer in a cache's directory.
const File = "answer"

// Command and CacheFlag are the arguments with which kubectl runs the credential
// plugin, as kubeconfigs have them: credential --cache DIRECTORY.
const (
	Command   = "credential"
	CacheFlag = "--cache"
)

// The API versions of an ExecCredential (client.authentication.k8s.io) that can be
// answered. They have the same fields.
const (
	V1      = "client.authentication.k8s.io/v1"
	V1beta1 = "client.authentication.k8s.io/v1beta1"
)

// InfoVariable is the environment variable in which client-go says what it wants to
// know, as an ExecCredential in JSON (plugin/pkg/client/auth/exec).
const InfoVariable = "KUBERNETES_EXEC_INFO"

// Largest bounds the file of an answer, in bytes: a chain of certificates with RSA
// keys is a twentieth.
const Largest = 1 << 20

// mark is the first line's beginning, with the form's version. Behind it are two
// numbers of digits each.
const (
	mark   = "kubectl-csr-onboard answer 1 "
	digits = 12
	latest = 999_999_999_999
)

// Encode makes the file of an answer that is good from a time on and until another,
// in seconds since 1970. body is the ExecCredential's JSON behind its kind and
// apiVersion, in one line, with the brace that ends it: "spec":{…},"status":{…}}.
func Encode(body []byte, from, until int64) []byte {
	file := append([]byte(mark), decimal(from)...)
	file = append(file, ' ')
	file = append(file, decimal(until)...)
	file = append(file, '\n')
	return append(append(file, body...), '\n')
}

// Decode returns the ExecCredential of a file as JSON in an API version, or nil: the
// file is none of Encode's, is not whole, or is not good now, in seconds since 1970.
func Decode(file []byte, apiVersion string, now int64) []byte {
	const first = len(mark) + digits + 1 + digits
	// JSON of one line is whole with its end of line.
	if len(file) < first+3 || string(file[:len(mark)]) != mark || file[first] != '\n' || string(file[len(file)-2:]) != "}\n" {
		return nil
	}
	from, isNumber := number(file[len(mark) : len(mark)+digits])
	until, alsoNumber := number(file[first-digits : first])
	if !isNumber || !alsoNumber || file[len(mark)+digits] != ' ' || now < from || now >= until {
		return nil
	}
	return Credential(file[first+1:len(file)-1], apiVersion)
}

// Credential is the ExecCredential of a body (see Encode), as it goes to standard
// output.
func Credential(body []byte, apiVersion string) []byte {
	credential := append([]byte(`{"kind":"ExecCredential","apiVersion":"`), apiVersion...)
	credential = append(append(credential, `",`...), body...)
	return append(credential, '\n')
}

// WantedVersion reads from the value of InfoVariable which API version a client asks
// for, as the usual encoders of JSON write it. Clients that say nothing, as those of
// other languages may, take v1. It is "" where that is neither V1 nor V1beta1, or
// cannot be told without a parser.
func WantedVersion(info string) string {
	if info == "" {
		return V1
	}
	const key = `"apiVersion"`
	if occurrences(info, key) != 1 {
		return ""
	}
	for _, known := range []string{V1, V1beta1} {
		// Go and JavaScript write no space there, Python does.
		if occurrences(info, key+`:"`+known+`"`)+occurrences(info, key+`: "`+known+`"`) == 1 {
			return known
		}
	}
	return ""
}

func occurrences(text, part string) int {
	n := 0
	for i := 0; i+len(part) <= len(text); i++ {
		if text[i:i+len(part)] == part {
			n++
		}
	}
	return n
}

// decimal writes a time in as many digits as there are. One before 1970 or behind the
// last that they hold, in the year 33658, is written as that border.
func decimal(n int64) []byte {
	n = max(0, min(n, latest))
	text := make([]byte, digits)
	for i := range text {
		text[len(text)-1-i] = "0123456789"[n%10]
		n /= 10
	}
	return text
}

func number(text []byte) (n int64, isNumber bool) {
	for _, c := range text {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = 10*n + int64(c-'0')
	}
	return n, true
}
