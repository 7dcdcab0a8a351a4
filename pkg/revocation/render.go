package revocation

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/access"
)

const (
	// Message is what a revoked identity reads.
	Message = access.RevokedMessage

	// largestExpression bounds one expression, in code points, which are bytes here: the API
	// server rejects more than 100,000 (k8s.io/apiserver pkg/cel, the parser's limit), and
	// with it the whole file.
	largestExpression = 95_000
	// markPrefix is how the name of the user begins that only one rendering refuses. A file has
	// it for the first time where its mark is: no other name is written like it.
	markPrefix = "csr-onboard:proof:"
	// markDigits is how many digits follow.
	markDigits = 32
	// pinSeparator stands between a user's name and the group of a pin. No such group has a
	// space, so no two pairs are written alike.
	pinSeparator = " "
	// retries is how many renderings of the same content an API server takes for different.
	retries = 50
)

// Options are what a rendering depends on besides base and entries.
type Options struct {
	// Kubeconfig is the absolute path of the kubeconfig of DenierKubeconfig, as the API server
	// sees it. Required.
	Kubeconfig string
	// Denier has the API server ask the denier, whose answer the revoked then read in a 403,
	// and names what the kubeconfig says: an API server reads that again only if the file names
	// another one. Lowercase letters and digits. Without it, "", the revoked are refused without
	// a call, by a 500 with Message.
	Denier string
	// Attempt counts up when an API server has missed a reload: it loads a file again only if
	// it says something else than the one before.
	Attempt int
}

// File is an AuthorizationConfiguration that was rendered.
type File struct {
	// Text is the content of the file.
	Text []byte
	// Mark is the name of a user whom this file refuses and no other one does. An API server
	// that refuses that user has loaded this file.
	Mark string
}

// SHA256 is the hash of the file in hexadecimal, as the API server's metric
// apiserver_authorization_config_controller_last_config_info has it.
func (f File) SHA256() string {
	sum := sha256.Sum256(f.Text)
	return hex.EncodeToString(sum[:])
}

// MarkOf is the mark of a rendered file; "" if the text is not one.
func MarkOf(text []byte) string {
	_, rest, isMarked := bytes.Cut(text, []byte(markPrefix))
	if !isMarked || len(rest) < markDigits {
		return ""
	}
	return markPrefix + string(rest[:markDigits])
}

// Render makes the file by which an API server refuses the entries, and then asks the
// authorizers of the base. The same input always gives the same file.
func Render(base Base, entries []access.Entry, options Options) (File, error) {
	if err := base.check(); err != nil {
		return File{}, err
	}
	if !path.IsAbs(options.Kubeconfig) {
		return File{}, errors.New("the path of the denier's kubeconfig must be absolute")
	}
	if strings.Contains(options.Kubeconfig, markPrefix) {
		return File{}, fmt.Errorf("the path of the denier's kubeconfig must not contain %q", markPrefix)
	}
	var chunks []chunk
	for _, entry := range sorted(entries) {
		if err := Check(entry); err != nil {
			return File{}, err
		}
		if len(chunks) == 0 || !chunks[len(chunks)-1].add(entry) {
			chunks = append(chunks, newChunk())
			chunks[len(chunks)-1].add(entry)
		}
	}
	if len(chunks) == 0 {
		chunks = append(chunks, newChunk())
	}
	// The mark is a digest of everything else.
	unmarked, err := options.encode(base, chunks, "")
	if err != nil {
		return File{}, err
	}
	sum := sha256.Sum256(unmarked)
	mark := markPrefix + hex.EncodeToString(sum[:])[:markDigits]
	text, err := options.encode(base, chunks, mark)
	if err != nil {
		return File{}, err
	}
	return File{Text: text, Mark: mark}, CheckFile(text)
}

func (o Options) encode(base Base, chunks []chunk, mark string) ([]byte, error) {
	whole := configuration{TypeMeta: metav1.TypeMeta{APIVersion: base.version, Kind: kind}}
	for i, c := range chunks {
		if i == 0 {
			c.users = append(slices.Clone(c.users), quoteMark(mark))
		}
		conditions := []matchCondition{{Expression: c.expression()}}
		name := ownPrefix + strconv.Itoa(i)
		if o.Denier != "" {
			name += "-" + o.Denier
		} else {
			// It fails for everybody: nobody has such a key. It depends on the request, so no
			// compiler finds that out before.
			conditions = append(conditions, matchCondition{Expression: "request.extra[" + quote(Message) + "] != []"})
		}
		whole.Authorizers = append(whole.Authorizers, authorizer{
			Type: webhookType,
			Name: name + ownSuffix,
			Webhook: &webhook{
				AuthorizedTTL:                            &metav1.Duration{Duration: time.Second},
				UnauthorizedTTL:                          &metav1.Duration{Duration: 10*time.Second + time.Duration(o.Attempt%retries)*time.Second},
				Timeout:                                  &metav1.Duration{Duration: 3 * time.Second},
				SubjectAccessReviewVersion:               "v1",
				MatchConditionSubjectAccessReviewVersion: "v1",
				FailurePolicy:                            "Deny",
				ConnectionInfo:                           connectionInfo{Type: kubeConfigFileType, KubeConfigFile: o.Kubeconfig},
				MatchConditions:                          conditions,
			},
		})
	}
	whole.Authorizers = append(whole.Authorizers, base.authorizers...)
	return encode(header, whole)
}

// sorted are the entries in the order of their keys, each identity once, so that a file does
// not depend on the order of a list.
func sorted(entries []access.Entry) []access.Entry {
	ordered := slices.Clone(entries)
	slices.SortStableFunc(ordered, func(a, b access.Entry) int { return strings.Compare(a.Blocked.Key(), b.Blocked.Key()) })
	return slices.CompactFunc(ordered, func(a, b access.Entry) bool { return a.Blocked == b.Blocked })
}

// chunk are the entries of one authorizer: as many as fit into one expression. All texts are
// quoted.
type chunk struct {
	users, certificates, tokens, pinned, pins []string
	size                                      int
}

func newChunk() chunk {
	c := chunk{users: []string{quoteMark(markPrefix + strings.Repeat("0", markDigits))}}
	c.size = len(c.expression()) + 1000
	c.users = nil
	return c
}

// add takes an entry in, or reports that it does not fit. An empty chunk has room for any.
func (c *chunk) add(entry access.Entry) bool {
	blocked := entry.Blocked
	size := len(quote(blocked.User)) + len(quote(blocked.CredentialID))
	var pins []string
	if group := entry.Details.PinGroup; blocked.IsPin && group != "" {
		pins = []string{quote(blocked.User + pinSeparator + group)}
		size += len(pins[0]) + 1
	}
	if c.size+size > largestExpression {
		return false
	}
	c.size += size
	switch {
	case blocked.IsPin:
		c.pinned, c.pins = append(c.pinned, quote(blocked.User)), append(c.pins, pins...)
	case blocked.User != "":
		c.users = append(c.users, quote(blocked.User))
	case IsToken(blocked):
		c.tokens = append(c.tokens, quote(blocked.CredentialID))
	default:
		c.certificates = append(c.certificates, quote(blocked.CredentialID))
	}
	return true
}

// expression is true of who is refused. It never fails to evaluate: a key is looked at before
// it is read, and the credentials of a request are few except of an impersonator. Users of
// Kubernetes are sorted out before anything else of them is looked at.
func (c *chunk) expression() string {
	const key = "'" + access.CredentialIDKey + "'"
	hasOneOf := func(ids []string) string {
		return key + " in request.extra && request.extra[" + key + "].exists(id, id in " + literals(ids) + ")"
	}
	var people []string
	if len(c.users) > 0 {
		people = append(people, "request.user in "+literals(c.users))
	}
	if len(c.certificates) > 0 {
		people = append(people, hasOneOf(c.certificates))
	}
	if len(c.pinned) > 0 {
		pinned := "request.user in " + literals(c.pinned)
		if len(c.pins) > 0 {
			pinned += " && !request.groups.exists(group, request.user + " + quote(pinSeparator) + " + group in " + literals(c.pins) + ")"
		}
		people = append(people, pinned)
	}
	var whole []string
	if len(people) > 0 {
		whole = append(whole, "(!request.user.startsWith("+quote(systemPrefix)+") || request.user.startsWith("+quote(nodePrefix)+")) && ("+strings.Join(people, " || ")+")")
	}
	if len(c.tokens) > 0 {
		whole = append(whole, "request.user.startsWith("+quote(serviceAccountPrefix)+") && "+hasOneOf(c.tokens))
	}
	return strings.Join(whole, " || ")
}

func literals(quoted []string) string { return "[" + strings.Join(quoted, ",") + "]" }

// quote writes a text as a string literal of CEL (Common Expression Language specification,
// "String and Bytes Values"). What is written as it is, is an allow-list. A user can choose a
// name that has a mark in it: its colons are not written as they are.
func quote(text string) string {
	var b strings.Builder
	b.WriteByte('\'')
	hasMark := strings.Contains(text, markPrefix)
	for _, r := range text {
		switch {
		case r == ':' && hasMark:
			b.WriteString(`\u003a`)
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', strings.ContainsRune("-_.:@/=+ ", r):
			b.WriteRune(r)
		case r < 0x10000:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			fmt.Fprintf(&b, `\U%08x`, r)
		}
	}
	b.WriteByte('\'')
	return b.String()
}

// quoteMark writes a mark, or none, as a string literal.
func quoteMark(mark string) string { return "'" + mark + "'" }

// header says in a file whose it is, and baseHeader in a base that was encoded.
const (
	header = `# Rendered by csr-onboard from the list of revocations. It is replaced when the list changes.
# To change the other authorizers, change the base from which it is rendered: where an enforcer
# runs, base.yaml in the same directory.
`
	baseHeader = `# The authorizers of the API server that come after those of csr-onboard.
`
)

// encode writes a configuration as JSON, which is YAML in which nothing is taken for
// anything else than it is, after a comment.
func encode(comment string, whole configuration) ([]byte, error) {
	var b bytes.Buffer
	b.WriteString(comment)
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", " ")
	err := encoder.Encode(whole)
	return b.Bytes(), err
}

// CheckFile says why a text is not a file that Render made, whole: cut off, changed, or of
// somebody else.
func CheckFile(text []byte) error {
	parsed, err := parse(text)
	if err != nil {
		return err
	}
	base, err := ParseBase(text)
	if err != nil {
		return err
	}
	mark, own := MarkOf(text), 0
	for _, a := range parsed.Authorizers {
		if err := a.check(); err != nil {
			return err
		}
		if !a.isOwn() {
			break
		}
		own++
	}
	if mark == "" || own == 0 || own+len(base.authorizers) != len(parsed.Authorizers) {
		return errors.New("the authorizers of csr-onboard are missing, or not the first")
	}
	// The mark is a digest of all the rest.
	sum := sha256.Sum256(bytes.Replace(text, []byte(mark), nil, 1))
	if mark != markPrefix+hex.EncodeToString(sum[:])[:markDigits] {
		return errors.New("the file was changed")
	}
	return nil
}

// DenierKubeconfig is the kubeconfig of the webhook: nobody answers at its address unless
// the denier does, and nobody else can: authority is a certificate, in PEM, whose key was
// thrown away or is the denier's own. token is what the API server shows the denier, "" for
// none.
func DenierKubeconfig(address string, authority []byte, token string) ([]byte, error) {
	type named map[string]any
	user := named{}
	if token != "" {
		user["token"] = token
	}
	return json.MarshalIndent(named{
		"apiVersion": "v1", "kind": "Config", "current-context": "denier",
		"clusters": []named{{"name": "denier", "cluster": named{"server": "https://" + address + access.DenierPath, "certificate-authority-data": authority}}},
		"users":    []named{{"name": "denier", "user": user}},
		"contexts": []named{{"name": "denier", "context": named{"cluster": "denier", "user": "denier"}}},
	}, "", " ")
}

// RefusesNobody reports whether a file that Render made has no entries.
func RefusesNobody(text []byte) bool {
	parsed, err := parse(text)
	if err != nil {
		return false
	}
	own := 0
	for _, a := range parsed.Authorizers {
		if a.isOwn() {
			own++
			empty := chunk{users: []string{quoteMark(MarkOf(text))}}
			if own > 1 || len(a.Webhook.MatchConditions) == 0 || a.Webhook.MatchConditions[0].Expression != empty.expression() {
				return false
			}
		}
	}
	return true
}
