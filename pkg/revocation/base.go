package revocation

import (
	"bytes"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"unicode/utf8"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	"sigs.k8s.io/yaml"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/document"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
)

const (
	// apiGroup and kind are those of the file, and defaultVersion is the version that every
	// Kubernetes reads that tells authorizers by which certificate somebody is logged in,
	// 1.32 and later.
	apiGroup       = "apiserver.config.k8s.io/"
	defaultVersion = apiGroup + "v1"
	betaVersion    = apiGroup + "v1beta1"
	kind           = "AuthorizationConfiguration"

	webhookType = "Webhook"
	// ownSuffix is how the names of the authorizers that the renderer adds end.
	ownSuffix = ".csr-onboard.github.io"
	ownPrefix = "revoked-"
)

// modes are the types of authorizers besides webhooks (Kubernetes
// pkg/kubeapiserver/authorizer/modes).
var modes = []string{"Node", "RBAC", "ABAC", "AlwaysAllow", "AlwaysDeny"}

// configuration, authorizer, webhook and their parts are those of
// apiserver.config.k8s.io/v1 (k8s.io/apiserver pkg/apis/apiserver/v1). Fields that are not
// here are refused, as the API server refuses those it does not know.
type configuration struct {
	metav1.TypeMeta `json:",inline"`

	Authorizers []authorizer `json:"authorizers"`
}

type authorizer struct {
	Type    string   `json:"type"`
	Name    string   `json:"name"`
	Webhook *webhook `json:"webhook,omitempty"`
}

type webhook struct {
	AuthorizedTTL                            *metav1.Duration `json:"authorizedTTL,omitempty"`
	CacheAuthorizedRequests                  *bool            `json:"cacheAuthorizedRequests,omitempty"`
	UnauthorizedTTL                          *metav1.Duration `json:"unauthorizedTTL,omitempty"`
	CacheUnauthorizedRequests                *bool            `json:"cacheUnauthorizedRequests,omitempty"`
	Timeout                                  *metav1.Duration `json:"timeout,omitempty"`
	SubjectAccessReviewVersion               string           `json:"subjectAccessReviewVersion,omitempty"`
	MatchConditionSubjectAccessReviewVersion string           `json:"matchConditionSubjectAccessReviewVersion,omitempty"`
	FailurePolicy                            string           `json:"failurePolicy,omitempty"`
	ConnectionInfo                           connectionInfo   `json:"connectionInfo"`
	MatchConditions                          []matchCondition `json:"matchConditions,omitempty"`
}

type connectionInfo struct {
	Type           string `json:"type"`
	KubeConfigFile string `json:"kubeConfigFile,omitempty"`
}

type matchCondition struct {
	Expression string `json:"expression"`
}

// Base are the authorizers that an API server has without csr-onboard.
type Base struct {
	version     string
	authorizers []authorizer
}

// BaseOfModes is the base of an API server that is started with --authorization-mode, such
// as "Node,RBAC". The mode Webhook, which takes further flags, is refused.
func BaseOfModes(text string) (Base, error) {
	base := Base{version: defaultVersion}
	for _, mode := range strings.Split(text, ",") {
		if mode == webhookType {
			return Base{}, outcome.WithHint(
				outcome.Errorf(outcome.ErrUsage, "the authorization mode Webhook depends on further flags of the API server"),
				"write an AuthorizationConfiguration with that webhook, and use: --authorization-config FILE")
		}
		base.authorizers = append(base.authorizers, authorizer{Type: mode, Name: strings.ToLower(mode)})
	}
	return base, base.check()
}

// ParseBase reads an AuthorizationConfiguration in YAML or JSON, strictly, as the API server
// does, and leaves out the authorizers that Render adds.
func ParseBase(text []byte) (Base, error) {
	parsed, err := parse(text)
	if err != nil {
		return Base{}, err
	}
	base := Base{version: parsed.APIVersion}
	for _, a := range parsed.Authorizers {
		if !a.isOwn() {
			base.authorizers = append(base.authorizers, a)
		}
	}
	return base, base.check()
}

func (a authorizer) isOwn() bool {
	return a.Type == webhookType && strings.HasPrefix(a.Name, ownPrefix) && strings.HasSuffix(a.Name, ownSuffix)
}

func parse(text []byte) (configuration, error) {
	invalid := func(format string, arguments ...any) (configuration, error) {
		return configuration{}, fmt.Errorf("invalid %s: %w", kind, fmt.Errorf(format, arguments...))
	}
	if err := document.Check(text); err != nil {
		return invalid("%w", err)
	}
	var parsed configuration
	// The file may be a kubeconfig, and the text of the YAML library quotes tokens: nothing is
	// quoted before the file is known to be of this kind.
	if yaml.Unmarshal(text, &parsed.TypeMeta) != nil {
		return invalid("invalid YAML or JSON")
	}
	if parsed.Kind != kind {
		return invalid("the kind is %s", identity.Quote(parsed.Kind))
	}
	if err := yaml.UnmarshalStrict(text, &parsed); err != nil {
		return invalid("%s", identity.Printable(err.Error()))
	}
	if parsed.APIVersion != defaultVersion && parsed.APIVersion != betaVersion {
		return invalid("the version is %s, not %s", identity.Quote(parsed.APIVersion), defaultVersion)
	}
	return parsed, nil
}

// check refuses what an API server refuses (k8s.io/apiserver pkg/apis/apiserver/validation,
// Kubernetes pkg/kubeapiserver/authorizer), except for the expressions of webhooks, which only
// the API server can compile, and the files that webhooks name.
func (b Base) check() error {
	if len(b.authorizers) == 0 {
		return outcome.Errorf(outcome.ErrUsage, "no authorizer is configured; without csr-onboard the API server must have one")
	}
	names, types := map[string]bool{}, map[string]bool{}
	for _, a := range b.authorizers {
		if err := a.check(); err != nil {
			return outcome.Errorf(outcome.ErrUsage, "the authorizer %s: %w", identity.Quote(a.Name), err)
		}
		if names[a.Name] || types[a.Type] && a.Type != webhookType {
			return outcome.Errorf(outcome.ErrUsage, "the authorizer %s is configured twice", identity.Quote(a.Name))
		}
		names[a.Name], types[a.Type] = true, true
	}
	return nil
}

func (a authorizer) check() error {
	switch {
	case slices.Contains(modes, a.Type):
		if a.Name != strings.ToLower(a.Type) || a.Webhook != nil {
			return fmt.Errorf("an authorizer of the type %s is called %q and has nothing else", a.Type, strings.ToLower(a.Type))
		}
		return nil
	case a.Type != webhookType:
		return fmt.Errorf("unknown type %s", identity.Quote(a.Type))
	case len(validation.IsDNS1123Subdomain(a.Name)) > 0:
		return errors.New("the name is not a DNS subdomain")
	case a.Webhook == nil:
		return errors.New("a webhook needs the field webhook")
	}
	return a.Webhook.check()
}

func (w webhook) check() error {
	switch {
	case w.Timeout == nil || w.Timeout.Duration <= 0 || w.Timeout.Seconds() > 30:
		return errors.New("the timeout must be more than 0s and at most 30s")
	case w.AuthorizedTTL != nil && w.AuthorizedTTL.Duration <= 0, w.UnauthorizedTTL != nil && w.UnauthorizedTTL.Duration <= 0:
		return errors.New("a TTL must be more than 0s")
	case w.SubjectAccessReviewVersion != "v1" && w.SubjectAccessReviewVersion != "v1beta1":
		return errors.New("subjectAccessReviewVersion must be v1 or v1beta1")
	case w.MatchConditionSubjectAccessReviewVersion != "v1" && (w.MatchConditionSubjectAccessReviewVersion != "" || len(w.MatchConditions) > 0):
		return errors.New("matchConditionSubjectAccessReviewVersion must be v1")
	case w.FailurePolicy != "NoOpinion" && w.FailurePolicy != "Deny":
		return errors.New("failurePolicy must be NoOpinion or Deny")
	case w.ConnectionInfo.Type != kubeConfigFileType || !path.IsAbs(w.ConnectionInfo.KubeConfigFile):
		// kube-apiserver has no other: it reads the field without looking at the type.
		return errors.New("connectionInfo must have the type KubeConfigFile and an absolute path")
	case len(w.MatchConditions) > 64:
		return errors.New("at most 64 matchConditions are possible")
	}
	seen := map[string]bool{}
	for _, condition := range w.MatchConditions {
		if strings.TrimSpace(condition.Expression) == "" || seen[condition.Expression] {
			return errors.New("an expression is empty, or is written twice")
		}
		seen[condition.Expression] = true
	}
	texts := []string{w.ConnectionInfo.KubeConfigFile}
	for _, condition := range w.MatchConditions {
		texts = append(texts, condition.Expression)
	}
	if slices.ContainsFunc(texts, hasUnwritable) {
		return errors.New("an expression or a path has an invalid character")
	}
	return nil
}

// hasUnwritable reports whether a text has a character that JSON writes as it is, and YAML
// does not read (YAML 1.2, section 5.1, Character Set).
func hasUnwritable(text string) bool {
	return !utf8.ValidString(text) || strings.ContainsFunc(text, func(r rune) bool {
		return r >= 0x7f && r < 0xa0 || r == 0xfeff || r == 0xfffe || r == 0xffff
	})
}

// kubeConfigFileType is the connection of a webhook whose address is in a kubeconfig.
const kubeConfigFileType = "KubeConfigFile"

// Missing are the types of authorizers that another base has and this one does not: an API
// server never drops one while it runs (Kubernetes pkg/kubeapiserver/authorizer, reload.go).
// Webhooks come and go.
func (b Base) Missing(of Base) (types []string) {
	for _, a := range of.authorizers {
		if a.Type != webhookType && !slices.ContainsFunc(b.authorizers, func(own authorizer) bool { return own.Type == a.Type }) {
			types = append(types, a.Type)
		}
	}
	return types
}

// String names the authorizers, safe to print.
func (b Base) String() string {
	names := make([]string, len(b.authorizers))
	for i, a := range b.authorizers {
		names[i] = identity.Printable(a.Type)
		if a.Type == webhookType {
			names[i] += " " + identity.Printable(a.Name)
		}
	}
	return strings.Join(names, ", ")
}

// IsIn reports whether a text is this base, however it is written.
func (b Base) IsIn(text []byte) bool {
	other, err := ParseBase(text)
	if err != nil {
		return false
	}
	encoded, err := b.Encode()
	again, againErr := other.Encode()
	return err == nil && againErr == nil && bytes.Equal(encoded, again)
}

// Encode is the base as a file of its own.
func (b Base) Encode() ([]byte, error) {
	return encode(baseHeader, configuration{TypeMeta: metav1.TypeMeta{APIVersion: b.version, Kind: kind}, Authorizers: b.authorizers})
}
