package pki

import (
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"strings"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
)

// The attribute types of RFC 4519 (2.5.4.…) and their like that this package
// has a name for. Kubernetes reads the first two.
const (
	CommonName   = "CN"
	Organization = "O"
)

var attributeNames = map[string]string{
	"2.5.4.3":                    CommonName,
	"2.5.4.10":                   Organization,
	"2.5.4.5":                    "serialNumber",
	"2.5.4.6":                    "C",
	"2.5.4.7":                    "L",
	"2.5.4.8":                    "ST",
	"2.5.4.9":                    "street",
	"2.5.4.11":                   "OU",
	"2.5.4.17":                   "postalCode",
	"1.2.840.113549.1.9.1":       "emailAddress",
	"0.9.2342.19200300.100.1.1":  "UID",
	"0.9.2342.19200300.100.1.25": "DC",
}

var (
	oidCommonName   = asn1.ObjectIdentifier{2, 5, 4, 3}
	oidOrganization = asn1.ObjectIdentifier{2, 5, 4, 10}
)

// Subject is a distinguished name as it stands in the DER: every attribute of
// every RDN, in order.
type Subject []Attribute

// Attribute is one attribute of a distinguished name.
type Attribute struct {
	// Type is the attribute's object identifier in dotted form.
	Type string
	// Value is the attribute's text; empty if IsText is false.
	Value string
	// IsText reports whether the value is a string type that could be decoded.
	IsText bool
}

// Name is the attribute's short name, such as "CN", or its dotted object
// identifier where this package has no name for it.
func (a Attribute) Name() string {
	if name, known := attributeNames[a.Type]; known {
		return name
	}
	return a.Type
}

// IsKnown reports whether this package has a name for the attribute's type.
func (a Attribute) IsKnown() bool {
	_, known := attributeNames[a.Type]
	return known
}

// User is who the API server takes the holder of this subject for: the last
// common name, as Go's pkix.Name and so the signer and the API server read it,
// and one group for each organization. Values that are not text count for
// nothing there, and so here.
func (s Subject) User() identity.User {
	var user identity.User
	for _, attribute := range s {
		switch {
		case !attribute.IsText:
		case attribute.Name() == CommonName:
			user.Name = attribute.Value
		case attribute.Name() == Organization:
			user.Groups = append(user.Groups, attribute.Value)
		}
	}
	return user
}

// Count says how many attributes of a short name there are.
func (s Subject) Count(name string) int {
	n := 0
	for _, attribute := range s {
		if attribute.Name() == name {
			n++
		}
	}
	return n
}

// String writes the subject for a person, in the order of the DER, safe to
// print on a terminal.
func (s Subject) String() string {
	parts := make([]string, len(s))
	for i, attribute := range s {
		value := identity.Printable(attribute.Value)
		if !attribute.IsText {
			value = "(not text)"
		}
		parts[i] = attribute.Name() + "=" + value
	}
	return strings.Join(parts, ", ")
}

// encodeSubject writes CN=name and then one RDN for each group, as openssl's
// -subj "/CN=jane/O=dev" does.
func encodeSubject(user identity.User) ([]byte, error) {
	sequence := pkix.RDNSequence{{{Type: oidCommonName, Value: user.Name}}}
	for _, group := range user.Groups {
		sequence = append(sequence, pkix.RelativeDistinguishedNameSET{{Type: oidOrganization, Value: group}})
	}
	return asn1.Marshal(sequence)
}

// parseSubject walks a DER-encoded Name (RFC 5280, section 4.1.2.4): every
// attribute of every RDN. It fails on anything that is none.
func parseSubject(der []byte) (Subject, error) {
	subject, err := walkSubject(der)
	if err != nil {
		return nil, fmt.Errorf("invalid distinguished name: %w", err)
	}
	return subject, nil
}

func walkSubject(der []byte) (Subject, error) {
	names, err := elements(der)
	if err != nil {
		return nil, err
	}
	if len(names) != 1 {
		return nil, fmt.Errorf("there are %d elements where one is expected", len(names))
	}
	sequence, err := within(names[0], asn1.TagSequence)
	if err != nil {
		return nil, err
	}
	var subject Subject
	for _, relative := range sequence {
		attributes, err := within(relative, asn1.TagSet)
		if err != nil {
			return nil, err
		}
		for _, element := range attributes {
			identifier, value, err := pair(element)
			if err != nil {
				return nil, err
			}
			attribute := Attribute{Type: identifier.String()}
			attribute.Value, attribute.IsText = decodeText(value)
			subject = append(subject, attribute)
		}
	}
	return subject, nil
}

// decodeText reads the string types that a DirectoryString (RFC 5280) and its
// older relatives may have.
func decodeText(value asn1.RawValue) (string, bool) {
	if value.Class != asn1.ClassUniversal || value.IsCompound {
		return "", false
	}
	switch value.Tag {
	case asn1.TagUTF8String, asn1.TagPrintableString, asn1.TagIA5String, asn1.TagT61String, asn1.TagNumericString, asn1.TagBMPString:
		var text string
		if rest, err := asn1.Unmarshal(value.FullBytes, &text); err == nil && len(rest) == 0 {
			return text, true
		}
	}
	return "", false
}
