package condition

import (
	"github.com/google/cel-go/cel"
	"k8s.io/apimachinery/pkg/util/version"
	celtypes "k8s.io/apiserver/pkg/cel"
	"k8s.io/apiserver/pkg/cel/environment"
	"k8s.io/apiserver/pkg/cel/library"
)

// The variables of conditions, which docs/guides/policy.md explains.
const (
	varRequest      = "request"
	varSubject      = "subject"
	varKey          = "key"
	varRequester    = "requester"
	varRenewal      = "renewal"
	varFindings     = "findings"
	varBound        = "bound"
	varCertificates = "certificates"
	varRevoked      = "revoked"
	varNow          = "now"
	varAuthorizer   = "authorizer"
)

// object declares a type of named fields. All of them are optional to the type checker: one that
// is absent is an error where it is used without has().
func object(name string, fields map[string]*celtypes.DeclType) *celtypes.DeclType {
	declared := make(map[string]*celtypes.DeclField, len(fields))
	for field, kind := range fields {
		declared[field] = celtypes.NewDeclField(field, kind, false, nil, nil)
	}
	return celtypes.NewObjectType("csr_onboard."+name, declared)
}

func listOf(element *celtypes.DeclType) *celtypes.DeclType { return celtypes.NewListType(element, -1) }

// Compiler makes policies ready to be evaluated.
type Compiler struct{ env *cel.Env }

// NewCompiler makes a compiler, which takes some milliseconds.
func NewCompiler() (*Compiler, error) {
	text, texts := celtypes.StringType, listOf(celtypes.StringType)
	grant := object("Grant", map[string]*celtypes.DeclType{"role": text, "namespace": text})
	certificate := object("Certificate", map[string]*celtypes.DeclType{
		"credentialID": text, "groups": texts, "key": text, "renews": text,
		"notBefore": celtypes.TimestampType, "notAfter": celtypes.TimestampType,
	})
	variables := map[string]*celtypes.DeclType{
		varRequest: object("Request", map[string]*celtypes.DeclType{
			"uid": text, "signerName": text, "usages": texts, "lifetime": celtypes.DurationType, "created": celtypes.TimestampType,
		}),
		varSubject: object("Subject", map[string]*celtypes.DeclType{"name": text, "groups": texts}),
		varKey:     object("Key", map[string]*celtypes.DeclType{"algorithm": text, "fingerprint": text}),
		varRequester: object("Requester", map[string]*celtypes.DeclType{
			"name": text, "uid": text, "groups": texts, "extra": celtypes.NewMapType(text, texts, -1),
		}),
		varRenewal: object("Renewal", map[string]*celtypes.DeclType{
			"isRenewal": celtypes.BoolType, "credentialID": text, "notAfter": celtypes.TimestampType, "chainStart": celtypes.TimestampType,
		}),
		varBound: object("Bound", map[string]*celtypes.DeclType{
			"user": listOf(grant), "groups": celtypes.NewMapType(text, listOf(grant), -1),
		}),
		varFindings: texts, varCertificates: listOf(certificate), varRevoked: texts, varNow: celtypes.TimestampType,
	}
	options := []cel.EnvOption{cel.Variable(varAuthorizer, library.AuthorizerType)}
	var declared []*celtypes.DeclType
	for name, kind := range variables {
		options = append(options, cel.Variable(name, kind.CelType()))
		if kind.IsObject() {
			declared = append(declared, kind)
		}
	}
	declared = append(declared, grant, certificate)
	set, err := environment.MustBaseEnvSet(environment.DefaultCompatibilityVersion()).Extend(
		environment.VersionedOptions{IntroducedVersion: version.MajorMinor(1, 0), EnvOptions: options, DeclTypes: declared},
		environment.StrictCostOpt,
	)
	if err != nil {
		return nil, err
	}
	return &Compiler{env: set.NewExpressionsEnv()}, nil
}
