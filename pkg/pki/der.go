package pki

import (
	"encoding/asn1"
	"errors"
	"fmt"
)

// elements splits DER into its elements, so that every byte belongs to one.
// encoding/asn1 itself, told to fill a struct, skips what stands behind the
// struct's last field; a walk that must account for everything cannot use that.
func elements(der []byte) ([]asn1.RawValue, error) {
	var list []asn1.RawValue
	for len(der) > 0 {
		var element asn1.RawValue
		rest, err := asn1.Unmarshal(der, &element)
		if err != nil {
			return nil, err
		}
		list = append(list, element)
		der = rest
	}
	return list, nil
}

// within returns the elements of a constructed element of a universal type: a
// SEQUENCE or a SET.
func within(element asn1.RawValue, tag int) ([]asn1.RawValue, error) {
	if element.Class != asn1.ClassUniversal || element.Tag != tag || !element.IsCompound {
		return nil, fmt.Errorf("there is an element of type %d where type %d is expected", element.Tag, tag)
	}
	return elements(element.Bytes)
}

// pair returns the object identifier and the value of a SEQUENCE of just these
// two.
func pair(element asn1.RawValue) (asn1.ObjectIdentifier, asn1.RawValue, error) {
	parts, err := within(element, asn1.TagSequence)
	if err != nil {
		return nil, asn1.RawValue{}, err
	}
	if len(parts) != 2 {
		return nil, asn1.RawValue{}, fmt.Errorf("there are %d elements where a type and its value are expected", len(parts))
	}
	identifier, err := objectIdentifier(parts[0])
	return identifier, parts[1], err
}

func objectIdentifier(element asn1.RawValue) (asn1.ObjectIdentifier, error) {
	var identifier asn1.ObjectIdentifier
	rest, err := asn1.Unmarshal(element.FullBytes, &identifier)
	if err == nil && len(rest) > 0 {
		err = errors.New("there is something after an object identifier")
	}
	return identifier, err
}
