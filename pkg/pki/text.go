package pki

import (
	"bytes"
	"encoding/base64"
	"encoding/pem"
	"regexp"

	"golang.org/x/text/encoding/unicode"
)

// byteOrderMark is what some Windows programs write first into a text.
var byteOrderMark = []byte("\uFEFF")

// Text returns a text of another tool as csr-onboard reads texts: UTF-8 without a byte
// order mark, with line feeds. UTF-16 is decoded, CRLF and CR become LF. Data that is
// not text, DER for one, is returned as it is.
func Text(data []byte) []byte {
	if IsDER(data) {
		return data
	}
	if order, isUTF16 := utf16Order(data); isUTF16 {
		if decoded, err := unicode.UTF16(order, unicode.IgnoreBOM).NewDecoder().Bytes(data); err == nil {
			data = decoded
		}
	}
	data = bytes.TrimPrefix(data, byteOrderMark)
	data = bytes.ReplaceAll(data, []byte("\r\n"), []byte("\n"))
	return bytes.ReplaceAll(data, []byte("\r"), []byte("\n"))
}

// utf16Order tells UTF-16 by its byte order mark, or, where there is none, by the zero
// bytes of two ASCII characters.
func utf16Order(data []byte) (unicode.Endianness, bool) {
	if len(data) < 4 || len(data)%2 != 0 {
		return unicode.LittleEndian, false
	}
	switch {
	case data[0] == 0xff && data[1] == 0xfe, data[0] != 0 && data[1] == 0 && data[2] != 0 && data[3] == 0:
		return unicode.LittleEndian, true
	case data[0] == 0xfe && data[1] == 0xff, data[0] == 0 && data[1] != 0 && data[2] == 0 && data[3] != 0:
		return unicode.BigEndian, true
	}
	return unicode.LittleEndian, false
}

// IsDER reports whether data looks like DER: a SEQUENCE, and not text.
func IsDER(data []byte) bool {
	return len(data) > 1 && data[0] == 0x30 && (data[1]&0x80 != 0 || int(data[1]) == len(data)-2)
}

const pemBegin = "-----BEGIN "

// countPEM counts the lines of a text that a PEM block begins with.
func countPEM(text []byte) int {
	n := bytes.Count(text, []byte("\n"+pemBegin))
	if bytes.HasPrefix(text, []byte(pemBegin)) {
		n++
	}
	return n
}

var (
	// indentedPEMLine is a PEM block's first line behind white space or a byte order
	// mark, as in a text that was copied, or in files that were joined.
	indentedPEMLine = regexp.MustCompile(`(?m)^[\s\x{FEFF}]*-----BEGIN `)
	// manifestLine is the field that every manifest and every kubeconfig has. A PEM
	// block that is indented below it is a value of theirs.
	manifestLine = regexp.MustCompile(`(?m)^[\s{]*["']?apiVersion["']?\s*:`)
)

// hasPEM reports whether a text (see Text) is PEM, and not a manifest.
func hasPEM(text []byte) bool {
	return countPEM(text) > 0 || indentedPEMLine.Match(text) && !manifestLine.Match(text)
}

// IsEncoded reports whether data is PEM, DER, or the base64 of either, in any form that
// AsRequestPEM, ParseCertificate and ParseKey read. A manifest or a kubeconfig, which
// holds such data in its fields, is not.
func IsEncoded(data []byte) bool { return IsDER(data) || hasPEM(asPEM(data, "")) }

// mostEncodings bounds how often base64 is decoded: kubectl's jsonpath prints a
// certificate as the base64 of its PEM, which is base64 itself.
const mostEncodings = 2

// asPEM writes what another tool has written (PEM in any text form, indented or with
// spaces after its lines; base64 without the PEM lines; DER) as PEM that package
// encoding/pem decodes. label is the type of the block for data that does not name it.
// What stands around the blocks stays. Data in another form is returned as text.
func asPEM(data []byte, label string) []byte {
	text := Text(data)
	encoded := text
	for range mostEncodings + 1 {
		if IsDER(encoded) {
			return pem.EncodeToMemory(&pem.Block{Type: label, Bytes: encoded})
		}
		if encoded = Text(encoded); hasPEM(encoded) {
			return withoutIndentation(encoded)
		}
		decoded, err := decodeBase64(encoded)
		if err != nil {
			return text
		}
		encoded = decoded
	}
	return text
}

// decodeBase64 decodes base64 in lines of any length, with or without padding (RFC 4648,
// section 4).
func decodeBase64(text []byte) ([]byte, error) {
	digits := bytes.TrimRight(bytes.Join(bytes.Fields(text), nil), "=")
	decoded := make([]byte, base64.RawStdEncoding.DecodedLen(len(digits)))
	n, err := base64.RawStdEncoding.Decode(decoded, digits)
	return decoded[:n], err
}

// withoutIndentation drops white space and byte order marks around each line, where
// package encoding/pem does not find a block otherwise.
func withoutIndentation(text []byte) []byte {
	lines := bytes.Split(text, []byte("\n"))
	for i, line := range lines {
		lines[i] = bytes.TrimSpace(bytes.TrimPrefix(bytes.TrimSpace(line), byteOrderMark))
	}
	return bytes.Join(lines, []byte("\n"))
}
