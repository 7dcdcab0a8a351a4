package report

import (
	"strings"
	"testing"
)

// TestEncode_EscapesAreThoseOfTheFormat is for a reader of the data, who gets every character.
func TestEncode_EscapesAreThoseOfTheFormat(t *testing.T) {
	value := map[string]string{"aa": "\x1b\u202e\U000e0041", "bb": "yes", "cc": "two  blanks", "dd": "plain text", "ee": "1", "ff": "<&>"}
	for format, want := range map[string]string{
		"json": `{
    "aa": "\u001b\u202e\udb40\udc41",
    "bb": "yes",
    "cc": "two  blanks",
    "dd": "plain text",
    "ee": "1",
    "ff": "<&>"
}
`,
		"yaml": `aa: "\e\u202e\U000E0041"
bb: "yes"
cc: "two  blanks"
dd: plain text
ee: "1"
ff: "<&>"
`,
		"kyaml": `---
{
  aa: "\e\u202e\U000e0041",
  bb: "yes",
  cc: "two  blanks",
  dd: "plain text",
  ee: "1",
  ff: "<&>",
}
`,
	} {
		var written strings.Builder
		if err := encode(&written, format, value); err != nil || written.String() != want {
			t.Errorf("%s, %v: got\n%s\nwant\n%s", format, err, written.String(), want)
		}
	}
}

func TestEncode_AFormatIsOneOfThoseThatAreNamed(t *testing.T) {
	for format, isFormat := range map[string]bool{
		"json": true, "yaml": true, "kyaml": true, "jsonpath={.kind}": true, "go-template={{.kind}}": true,
		"": false, "name": false, "wide": false, "jsonpath=": false, "jsonpath": false, "jsonpath={.a[}": false, "go-template={{": false,
		"template={{.kind}}": false, "go-template-file=does-not-exist": false, "xml": false,
	} {
		if err := CheckFormat(format); (err == nil) != isFormat {
			t.Errorf("%q: %v", format, err)
		}
	}
}
