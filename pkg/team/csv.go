package team

import (
	"bytes"
	"encoding/csv"
	"errors"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/document"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
)

// listSeparator stands between the values of a cell that holds several.
const listSeparator = ";"

// isCSV says whether a file is meant for a table (RFC 4180): its first line has the
// name of a field, alone or between separators.
func isCSV(data []byte) bool {
	first, _, _ := bytes.Cut(bytes.TrimLeft(data, "\r\n"), []byte("\n"))
	for _, column := range strings.FieldsFunc(string(first), func(r rune) bool { return strings.ContainsRune(",;\t", r) }) {
		if slices.ContainsFunc(userFields, func(field string) bool { return strings.EqualFold(field, strings.Trim(column, " \r\"")) }) {
			return true
		}
	}
	return false
}

// readCSV reads a table with a line of column names. An empty cell says nothing.
func (r *reader) readCSV(data []byte) {
	if err := document.CheckValues(data); err != nil {
		r.mistake(0, "%s", err)
		return
	}
	if !utf8.Valid(data) {
		r.mistake(0, "it is no UTF-8")
		return
	}
	table := csv.NewReader(bytes.NewReader(data))
	// Rows of another length are said in words below.
	table.FieldsPerRecord = -1
	table.ReuseRecord = true
	header, err := table.Read()
	if err != nil {
		r.csvMistake(err)
		return
	}
	top, _ := table.FieldPos(0)
	if len(header) == 1 && strings.ContainsAny(header[0], ";\t") {
		r.mistake(top, "columns are separated by commas; there is only %s", identity.Quote(header[0]))
		return
	}
	columns := slices.Clone(header)
	for i := range columns {
		columns[i] = strings.TrimSpace(columns[i])
		switch {
		case !slices.Contains(userFields, columns[i]):
			r.mistake(top, "there is no column %s; there are %s", identity.Quote(columns[i]), strings.Join(userFields, ", "))
		case slices.Contains(columns[:i], columns[i]):
			r.mistake(top, "the column %s is there twice", columns[i])
		}
	}
	if !slices.Contains(columns, nameField) {
		r.mistake(top, "there is no column %s", nameField)
	}
	if len(r.mistakes) > 0 {
		return
	}
	for {
		row, err := table.Read()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			r.csvMistake(err)
			return
		}
		at, _ := table.FieldPos(0)
		if len(row) != len(columns) {
			r.mistake(at, "the row has %d cells, and there are %d columns", len(row), len(columns))
			continue
		}
		r.addRow(at, columns, row)
	}
}

func (r *reader) addRow(at int, columns, row []string) {
	v := values{line: at, text: map[string]string{}, lists: map[string][]string{}}
	for i, column := range columns {
		switch {
		case row[i] == "":
		case slices.Contains(listFields, column):
			v.lists[column] = strings.Split(row[i], listSeparator)
		default:
			v.text[column] = strings.Clone(row[i])
		}
	}
	r.add(v)
}

func (r *reader) csvMistake(err error) {
	var parse *csv.ParseError
	if errors.As(err, &parse) {
		r.mistake(parse.Line, "it is no CSV: %s", identity.PrintableSentence(parse.Err.Error()))
		return
	}
	r.mistake(0, "it is no CSV: %s", identity.PrintableSentence(err.Error()))
}
