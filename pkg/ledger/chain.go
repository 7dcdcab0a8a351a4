package ledger

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// An export is a text of JSON lines. Each has its number and the SHA-256 of the line before, so
// that a line that was changed, removed or moved is found. The hash of the last one, the head, is
// kept on the cluster: to hide a change, all lines behind it and the head have to be changed as well.

// ExportsNamespace and ExportsName are of the ConfigMap that keeps the heads: the hash of the last
// line of each export, with JSON of Export.
const (
	ExportsNamespace = Namespace
	ExportsName      = "csr-onboard-exports"
)

// Export is what is kept of an export.
type Export struct {
	// Lines is how many lines it has, At when it was made, and By who made it.
	Lines int       `json:"lines"`
	At    time.Time `json:"at"`
	By    string    `json:"by"`
}

// The events of an export: its begin, a record, and its end.
const (
	eventBegin  = "export"
	eventRecord = "recorded"
	eventEnd    = "end"
)

// exportLine is a line of an export.
type exportLine struct {
	Line     int    `json:"line"`
	Previous string `json:"previous"`
	Event    string `json:"event"`
	// At and By are of the begin.
	At *time.Time `json:"at,omitempty"`
	By string     `json:"by,omitempty"`
	// Certificate is the record, and State what it was good for at the time of the export.
	Certificate *ClientCertificate `json:"certificate,omitempty"`
	State       State              `json:"state,omitempty"`
}

// Chain makes the lines of an export.
type Chain struct {
	export Export
	head   string
}

// NewChain begins an export.
func NewChain(at time.Time, by string) *Chain {
	return &Chain{export: Export{At: at.UTC().Truncate(time.Second), By: by}}
}

// Begin is the first line, with its line feed.
func (c *Chain) Begin() ([]byte, error) {
	return c.next(exportLine{Event: eventBegin, At: &c.export.At, By: c.export.By})
}

// Record is the line of a record.
func (c *Chain) Record(record *ClientCertificate) ([]byte, error) {
	return c.next(exportLine{Event: eventRecord, Certificate: record, State: record.StateAt(c.export.At)})
}

// End is the last line. Without it, nobody could tell that lines are missing at the end.
func (c *Chain) End() ([]byte, error) { return c.next(exportLine{Event: eventEnd}) }

// Head is the hash of the last line, and what is kept with it.
func (c *Chain) Head() (string, Export) { return c.head, c.export }

func (c *Chain) next(line exportLine) ([]byte, error) {
	c.export.Lines++
	line.Line, line.Previous = c.export.Lines, c.head
	text, err := json.Marshal(line)
	if err != nil {
		return nil, err
	}
	c.head = hashOf(text)
	return append(text, '\n'), nil
}

func hashOf(line []byte) string {
	sum := sha256.Sum256(line)
	return hex.EncodeToString(sum[:])
}

// Verification reads an export line by line.
type Verification struct {
	lines   int
	head    string
	isEnded bool
}

// Add takes the next line, without its line feed. The error names the line that is not as it was
// exported.
func (v *Verification) Add(line []byte) error {
	number := v.lines + 1
	decoder := json.NewDecoder(bytes.NewReader(line))
	decoder.DisallowUnknownFields()
	var read exportLine
	if err := decoder.Decode(&read); err != nil || decoder.More() {
		return fmt.Errorf("line %d is not a line of an export", number)
	}
	switch {
	case v.isEnded:
		return fmt.Errorf("line %d follows the end of the export", number)
	case read.Line > number:
		return fmt.Errorf("line %d is missing: line %d of the export is in its place", number, read.Line)
	case read.Line != number:
		return fmt.Errorf("line %d was moved or added: it says that it is line %d", number, read.Line)
	case read.Previous != v.head && number == 1:
		return errors.New("line 1 is not the start of an export")
	case read.Previous != v.head:
		return fmt.Errorf("line %d was changed: line %d has the hash of another", v.lines, number)
	case (number == 1) != (read.Event == eventBegin):
		return fmt.Errorf("line %d is not what belongs there: %q", number, read.Event)
	}
	v.lines, v.head, v.isEnded = number, hashOf(line), read.Event == eventEnd
	return nil
}

// End checks that the export is whole, and returns its head and how many lines it has.
func (v *Verification) End() (head string, lines int, _ error) {
	switch {
	case v.lines == 0:
		return "", 0, errors.New("the file is empty")
	case !v.isEnded:
		return "", 0, fmt.Errorf("line %d is missing: the file ends before the export", v.lines+1)
	}
	return v.head, v.lines, nil
}
