package pki

import (
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
)

var oidExtensionRequest = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 14}

// harmlessAttributes are the attributes of a request that mean something to a
// certificate authority's own enrolment and nothing to Kubernetes: the
// challenge password and the unstructured name of RFC 2985, section 5.4, for
// which openssl's default configuration asks.
var harmlessAttributes = []asn1.ObjectIdentifier{
	{1, 2, 840, 113549, 1, 9, 7},
	{1, 2, 840, 113549, 1, 9, 2},
}

// walk goes through the raw DER of a CertificationRequest (RFC 2986, section
// 4.2), which crypto/x509 has parsed already, and collects what that leaves out:
// crypto/x509 reads the first value of an attribute only, skips attributes that
// it cannot parse, and passes over elements behind the last it knows.
func (r *Request) walk() error {
	outer, err := elements(r.DER)
	if err != nil {
		return err
	}
	if len(outer) != 1 {
		return fmt.Errorf("there are %d elements where one is expected", len(outer))
	}
	parts, err := within(outer[0], asn1.TagSequence)
	if err != nil {
		return err
	}
	if len(parts) != 3 {
		return fmt.Errorf("it has %d parts in place of three", len(parts))
	}
	// version, subject, subjectPKInfo, and [0] attributes.
	info, err := within(parts[0], asn1.TagSequence)
	if err != nil {
		return err
	}
	if len(info) != 4 {
		return fmt.Errorf("what is signed has %d parts in place of four", len(info))
	}
	attributes, err := elements(info[3].Bytes)
	if err != nil {
		return err
	}
	for _, attribute := range attributes {
		if err := r.walkAttribute(attribute); err != nil {
			return fmt.Errorf("an attribute cannot be read: %w", err)
		}
	}
	return nil
}

func (r *Request) walkAttribute(attribute asn1.RawValue) error {
	identifier, set, err := pair(attribute)
	if err != nil {
		return err
	}
	values, err := within(set, asn1.TagSet)
	if err != nil {
		return err
	}
	if !identifier.Equal(oidExtensionRequest) {
		for _, harmless := range harmlessAttributes {
			if identifier.Equal(harmless) {
				return nil
			}
		}
		r.UnknownAttributes = append(r.UnknownAttributes, identifier.String())
		return nil
	}
	for _, value := range values {
		extensions, err := within(value, asn1.TagSequence)
		if err != nil {
			return err
		}
		for _, element := range extensions {
			extension, err := parseExtension(element)
			if err != nil {
				return err
			}
			r.Extensions = append(r.Extensions, extension)
		}
	}
	return nil
}

// parseExtension reads an Extension (RFC 5280, section 4.1): a type, whether it
// is critical, and an OCTET STRING.
func parseExtension(element asn1.RawValue) (pkix.Extension, error) {
	var extension pkix.Extension
	parts, err := within(element, asn1.TagSequence)
	if err != nil {
		return extension, err
	}
	if len(parts) != 2 && len(parts) != 3 {
		return extension, fmt.Errorf("an extension has %d parts", len(parts))
	}
	if extension.Id, err = objectIdentifier(parts[0]); err != nil {
		return extension, err
	}
	if len(parts) == 3 {
		if _, err := asn1.Unmarshal(parts[1].FullBytes, &extension.Critical); err != nil {
			return extension, err
		}
	}
	value := parts[len(parts)-1]
	if value.Class != asn1.ClassUniversal || value.Tag != asn1.TagOctetString || value.IsCompound {
		return extension, errors.New("the value of an extension is not an octet string")
	}
	extension.Value = value.Bytes
	return extension, nil
}
