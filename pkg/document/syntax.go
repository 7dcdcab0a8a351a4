package document

import (
	"bytes"
	"errors"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"
)

// ErrSyntax is the error of Check for a document with aliases that is not valid YAML.
var ErrSyntax = errors.New("invalid YAML")

// yamlLine is how go.yaml.in/yaml says where a mistake is. It quotes values in quotedValue, and in
// quotedWord what it expected, such as ',', or the name of an alias. For errors ofParser, it counts lines from 0
// (go.yaml.in/yaml decode.go, fail).
var (
	yamlLine    = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^yaml: (?:unmarshal errors:\s*)?line (\d+): `) })
	quotedValue = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile("[`\"].*[`\"] ?") })
	ofParser    = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`^did not find expected (key|node content|'-' indicator|',' or '[]}]'|<document start>)$`)
	})
	quotedWord = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`'([^']*)' ?`) })
)

// SyntaxMistake says in which line, counted from 1, and how data is not valid YAML, by an error of
// go.yaml.in/yaml. The line is 0 if it is unknown. The text has nothing of the data in it,
// which may be a kubeconfig by mistake, with a token.
func SyntaxMistake(data []byte, err error) (line int, what string) {
	text := err.Error()
	if match := yamlLine().FindStringSubmatch(text); match != nil {
		line, _ = strconv.Atoi(match[1])
		text = strings.TrimPrefix(text, match[0])
	}
	text = strings.TrimPrefix(text, "yaml: ")
	if ofParser().MatchString(text) {
		line++
	}
	// What is missing at the end is in the last line, not behind it.
	line = min(line, bytes.Count(bytes.TrimSuffix(data, []byte("\n")), []byte("\n"))+1)
	text = quotedValue().ReplaceAllString(text, "")
	text = quotedWord().ReplaceAllStringFunc(text, func(found string) string {
		if word := quotedWord().FindStringSubmatch(found)[1]; utf8.RuneCountInString(word) > 1 {
			return ""
		}
		return found
	})
	return line, text
}
