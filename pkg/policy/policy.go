package policy

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
)

const (
	// mostConditions, mostListed and longestExpression bound a policy, as its schema does.
	mostConditions    = 32
	mostListed        = 256
	longestExpression = 4096
	longestMessage    = 1024
	// longestPeriod is for how long the cluster keeps a request after it was issued
	// (Kubernetes pkg/controller/certificates/cleaner).
	longestPeriod = time.Hour
)

// keyAlgorithms are the names of key algorithms in policies, and what pki.DescribeKey calls them.
var keyAlgorithms = [][2]string{
	{"ECDSA-P256", "ECDSA P-256"},
	{"ECDSA-P384", "ECDSA P-384"},
	{"ECDSA-P521", "ECDSA P-521"},
	{"Ed25519", "Ed25519"},
	{"RSA-2048", "RSA 2048"},
	{"RSA-3072", "RSA 3072"},
	{"RSA-4096", "RSA 4096"},
}

// KeyAlgorithms lists the names of key algorithms that a policy can have.
func KeyAlgorithms() []string {
	names := make([]string, len(keyAlgorithms))
	for i, algorithm := range keyAlgorithms {
		names[i] = algorithm[0]
	}
	return names
}

// KeyAlgorithm is what policies call the algorithm and size of a key, of which key is what
// pki.DescribeKey says. A size that no policy can name stays as it is, such as "RSA 8192".
func KeyAlgorithm(key string) string {
	for _, algorithm := range keyAlgorithms {
		if algorithm[1] == key {
			return algorithm[0]
		}
	}
	return key
}

// acceptable are the findings that a policy can accept: who requests, and what the signer
// leaves out of every certificate. Everything else that is refused is left to people.
var acceptable = []string{request.RequestedByOther, request.MoreThanRequester, request.UnexpectedExtension}

// Acceptable lists the findings that a policy can accept.
func Acceptable() []string { return slices.Clone(acceptable) }

// Policy is what an ApprovalPolicy object means.
type Policy struct {
	Name string
	// Generation counts the changes of the spec; 0 of a policy that is not on the cluster.
	Generation int64
	// Hash is the SHA-256 of the spec, in hexadecimal: two policies that say the same have the
	// same hash.
	Hash string

	Action        Action
	Groups, Users []string
	KeyAlgorithms []string
	Accept        []string
	Conditions    []Condition
	// The other bounds are zero where the policy has none.
	MaximumLifetime, MaximumChainAge time.Duration
	MaximumCertificates              int
	RateRequests                     int
	RatePeriod                       time.Duration

	// positions are the line and column of fields in the file that the policy came in.
	positions map[string][2]int
}

// String names the policy as it was evaluated, in messages and logs. It is safe to print.
func (p *Policy) String() string {
	return fmt.Sprintf("policy %q (generation %d, sha256:%s)", identity.Printable(p.Name), p.Generation, p.Hash)
}

// Mistake is what is wrong with a policy.
type Mistake struct {
	// Field is the path of the field, such as spec.conditions[0].expression; "" for the whole.
	Field string
	// Line and Column are where in the file, counted from 1; 0 without a file. Of a
	// mistake within an expression they are those of the expression.
	Line, Column int
	// At is where in an expression, such as "1:7"; "" elsewhere.
	At string
	// Problem says what. It is safe to print.
	Problem string
}

// String is safe to print.
func (m Mistake) String() string {
	text := m.Problem
	if m.At != "" {
		text = m.At + ": " + text
	}
	if m.Field != "" {
		text = m.Field + ": " + text
	}
	if m.Line > 0 {
		text = fmt.Sprintf("line %d, column %d: %s", m.Line, m.Column, text)
	}
	return text
}

// Joined are the first mistakes in one text.
func Joined(mistakes []Mistake) string {
	const most = 10
	text := ""
	for i, mistake := range mistakes {
		if i == most {
			return text + "; and more"
		}
		if text != "" {
			text += "; "
		}
		text += mistake.String()
	}
	return text
}

// conditionName is a name that can be written without quotes.
var conditionName = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$`) })

// Of reads what an object means. Either the policy is nil, or mistakes are empty.
func Of(object *ApprovalPolicy) (*Policy, []Mistake) {
	spec := object.Spec
	c := &checker{}
	policy := &Policy{
		Name: object.Name, Generation: object.Generation, Hash: hashOf(spec), Action: spec.Action,
		Groups: spec.Subject.Groups, Users: spec.Subject.Users,
		KeyAlgorithms: spec.KeyAlgorithms, Accept: spec.Accept, Conditions: spec.Conditions,
	}
	if problems := validation.IsDNS1123Subdomain(object.Name); len(problems) > 0 {
		c.mistake("metadata.name", "invalid name %s: %s", identity.Quote(object.Name), problems[0])
	}
	for _, field := range spec.unknown {
		c.mistake(identity.Printable(field), "unknown field: it may be of a later version of csr-onboard")
	}
	switch spec.Action {
	case Approve:
	case Deny:
		c.checkDeny(spec)
	case "":
		c.mistake("spec.action", "required: Approve or Deny")
	default:
		c.mistake("spec.action", "invalid action %s: use Approve or Deny", identity.Quote(string(spec.Action)))
	}
	c.checkList("spec.subject.groups", spec.Subject.Groups, nil)
	c.checkList("spec.subject.users", spec.Subject.Users, nil)
	c.checkList("spec.keyAlgorithms", spec.KeyAlgorithms, KeyAlgorithms())
	c.checkList("spec.accept", spec.Accept, acceptable)
	policy.MaximumLifetime = c.span("spec.maximumLifetime", spec.MaximumLifetime)
	policy.MaximumChainAge = c.span("spec.maximumChainAge", spec.MaximumChainAge)
	if spec.MaximumCertificates != nil {
		policy.MaximumCertificates = *spec.MaximumCertificates
		c.checkPositive("spec.maximumCertificates", *spec.MaximumCertificates)
	}
	if spec.Rate != nil {
		policy.RateRequests = spec.Rate.Requests
		c.checkPositive("spec.rate.requests", spec.Rate.Requests)
		if spec.Rate.Period == "" {
			c.mistake("spec.rate.period", "required: a duration of at most 1h")
		}
		if policy.RatePeriod = c.span("spec.rate.period", spec.Rate.Period); policy.RatePeriod > longestPeriod {
			c.mistake("spec.rate.period", "invalid period %q: at most 1h, for which the cluster keeps requests", spec.Rate.Period)
		}
	}
	c.checkConditions(spec.Conditions)
	if len(c.mistakes) > 0 {
		return nil, c.mistakes
	}
	return policy, nil
}

// hashOf names what a spec says.
func hashOf(spec Spec) string {
	// A struct of texts and numbers is always encoded, and its fields in one order.
	encoded, _ := json.Marshal(spec)
	sum := sha256.Sum256(encoded)
	return hex.EncodeToString(sum[:])
}

// checker collects the mistakes of a policy.
type checker struct{ mistakes []Mistake }

func (c *checker) mistake(field, format string, arguments ...any) {
	c.mistakes = append(c.mistakes, Mistake{Field: field, Problem: fmt.Sprintf(format, arguments...)})
}

// checkDeny refuses bounds of approvals in a policy that denies: whether a request beyond a
// bound is denied, or one within it, would be a guess.
func (c *checker) checkDeny(spec Spec) {
	for field, isSet := range map[string]bool{
		"spec.maximumLifetime": spec.MaximumLifetime != "", "spec.keyAlgorithms": spec.KeyAlgorithms != nil, "spec.accept": spec.Accept != nil,
		"spec.rate": spec.Rate != nil, "spec.maximumCertificates": spec.MaximumCertificates != nil, "spec.maximumChainAge": spec.MaximumChainAge != "",
	} {
		if isSet {
			c.mistake(field, "it bounds approvals, and this policy denies; write a condition instead")
		}
	}
	if len(spec.Conditions) == 0 && len(spec.Subject.Users) == 0 && len(spec.Subject.Groups) == 0 {
		c.mistake("spec.conditions", "required in a policy that denies, unless it names users or groups: it would deny every request")
	}
	slices.SortFunc(c.mistakes, func(a, b Mistake) int { return strings.Compare(a.Field, b.Field) })
}

// checkList checks a list of texts, each of which has to be one of known, if that is given.
func (c *checker) checkList(field string, list, known []string) {
	if list != nil && len(list) == 0 {
		c.mistake(field, "an empty list permits nothing; leave the field out, or name what is permitted")
	}
	if len(list) > mostListed {
		c.mistake(field, "it has %d items; at most %d are permitted", len(list), mostListed)
	}
	for i, one := range list {
		at := fmt.Sprintf("%s[%d]", field, i)
		switch {
		case one == "":
			c.mistake(at, "it is empty")
		case slices.Contains(list[:i], one):
			c.mistake(at, "%s is named more than once", identity.Quote(one))
		case known != nil && !slices.Contains(known, one):
			c.mistake(at, "invalid value %s: use one of %s", identity.Quote(one), strings.Join(known, ", "))
		}
	}
}

// span reads a duration above zero; 0 of none.
func (c *checker) span(field, text string) time.Duration {
	if text == "" {
		return 0
	}
	span, err := request.ParseSpan(text)
	switch {
	case err != nil:
		c.mistake(field, "invalid duration %s: write days, hours or minutes, for example 30d, 8h, 90m", identity.Quote(text))
	case span <= 0:
		c.mistake(field, "invalid duration %s: it must be longer than zero", identity.Quote(text))
	}
	return span
}

func (c *checker) checkPositive(field string, number int) {
	if number < 1 {
		c.mistake(field, "invalid number %d: at least 1", number)
	}
}

func (c *checker) checkConditions(conditions []Condition) {
	if len(conditions) > mostConditions {
		c.mistake("spec.conditions", "it has %d items; at most %d are permitted", len(conditions), mostConditions)
	}
	seen := map[string]bool{}
	for i, condition := range conditions {
		at := ConditionField(i)
		switch {
		case condition.Name == "":
			c.mistake(at+".name", "required")
		case !conditionName().MatchString(condition.Name):
			c.mistake(at+".name", "invalid name %s: letters, digits, and -._ between them", identity.Quote(condition.Name))
		case seen[condition.Name]:
			c.mistake(at+".name", "%s is the name of another condition", identity.Quote(condition.Name))
		}
		seen[condition.Name] = true
		switch length := len(condition.Expression); {
		case strings.TrimSpace(condition.Expression) == "":
			c.mistake(at+".expression", "required")
		case length > longestExpression:
			c.mistake(at+".expression", "it has %d bytes; at most %d are permitted", length, longestExpression)
		}
		if length := len(condition.Message); length > longestMessage {
			c.mistake(at+".message", "it has %d bytes; at most %d are permitted", length, longestMessage)
		}
	}
}

// ConditionField is the path of a policy's condition, counted from 0.
func ConditionField(i int) string { return fmt.Sprintf("spec.conditions[%d]", i) }
