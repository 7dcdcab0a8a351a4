package teamfile

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

// cellSeparators are what spreadsheets put between cells, by the person's language and
// the kind of file.
const cellSeparators = ",;\t"

// table is where a table (RFC 4180) is in a file, as spreadsheets write it.
type table struct {
	// text is the file, with nothing before the line of column names but empty lines.
	text []byte
	// separator stands between the cells.
	separator rune
	// comments are the lines before that of column names that are commented out.
	comments []int
}

// findTable looks for a table in a text (see pki.Text): its first line that is not empty
// has the name of a field, alone or between separators. A line sep=; before it, by which
// Excel is told the separator, is not of the table, and neither are rows of empty cells.
// Lines that are commented out are passed over: in YAML they mean nothing.
func findTable(text []byte) (_ table, isTable bool) {
	blank := 0
	declared := rune(0)
	var comments []int
	rest := text
	for len(rest) > 0 {
		line, after, _ := bytes.Cut(rest, []byte("\n"))
		separator, declares := declaredSeparator(line)
		switch {
		case declares:
			declared = separator
		case isComment(string(line)) && !isNumberedHeader(string(line)):
			comments = append(comments, blank+1)
		case len(bytes.Trim(line, cellSeparators+" \"")) > 0:
			if !hasFieldName(string(line)) {
				return table{}, false
			}
			if declared == 0 {
				declared = separatorOf(string(line))
			}
			// The lines count, for mistakes.
			return table{append(bytes.Repeat([]byte("\n"), blank), rest...), declared, comments}, true
		}
		blank++
		rest = after
	}
	return table{}, false
}

// isComment reports whether a row, or its first cell, is commented out, as in other kinds of
// files. A table has no comments: what stands there is a user.
func isComment(text string) bool {
	return strings.HasPrefix(strings.TrimLeft(text, " \t\""), "#")
}

// isNumberedHeader reports whether a line of column names begins with a column #, as of
// numbered rows.
func isNumberedHeader(line string) bool {
	cell, _, _ := strings.Cut(line, string(separatorOf(line)))
	return strings.Trim(cell, " \"") == "#" && hasFieldName(line)
}

// declaredSeparator is the separator that a line such as sep=; declares. Where it is cut
// off by an empty cell, sep=,, it is the first.
func declaredSeparator(line []byte) (rune, bool) {
	value, found := bytes.CutPrefix(bytes.ToLower(bytes.Trim(line, " \"")), []byte("sep="))
	if !found || len(value) == 0 || !strings.ContainsRune(cellSeparators, rune(value[0])) {
		return 0, false
	}
	return rune(value[0]), true
}

func hasFieldName(line string) bool {
	cells := strings.FieldsFunc(line, func(r rune) bool { return strings.ContainsRune(cellSeparators, r) })
	return slices.ContainsFunc(cells, func(cell string) bool {
		return slices.ContainsFunc(userFields, func(field string) bool { return strings.EqualFold(field, strings.Trim(cell, " \"")) })
	})
}

// separatorOf is the separator that a line of column names uses: no name has one in it.
func separatorOf(line string) rune {
	if at := strings.IndexAny(line, cellSeparators); at >= 0 {
		return rune(line[at])
	}
	return ','
}

// workbooks are files of spreadsheet programs, by their first bytes.
var workbooks = []string{"PK\x03\x04", "\xd0\xcf\x11\xe0"}

// isWorkbook reports whether a file is a spreadsheet program's own, and not a table in
// text.
func isWorkbook(data []byte) bool {
	return slices.ContainsFunc(workbooks, func(beginning string) bool { return bytes.HasPrefix(data, []byte(beginning)) })
}

// readCSV reads a table with a line of column names. An empty cell says nothing, and
// neither do empty columns and rows, which spreadsheets write where a cell once was used.
func (r *reader) readCSV(found table) {
	if err := document.CheckValues(found.text); err != nil {
		r.mistake(0, "%s", err)
		return
	}
	if !utf8.Valid(found.text) {
		r.mistake(0, "invalid UTF-8: save it from the spreadsheet as CSV UTF-8, or convert it: iconv -f WINDOWS-1252 -t UTF-8 FILE")
		return
	}
	rows := csv.NewReader(bytes.NewReader(found.text))
	rows.Comma = found.separator
	// Rows of another length are said in words below.
	rows.FieldsPerRecord = -1
	rows.ReuseRecord = true
	for _, line := range found.comments {
		r.commentMistake(line)
	}
	header, err := rows.Read()
	if err != nil {
		r.csvMistake(err)
		return
	}
	top, _ := rows.FieldPos(0)
	before := len(r.mistakes)
	columns := r.columns(top, header)
	if len(r.mistakes) > before {
		return
	}
	for {
		row, err := rows.Read()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			r.rowMistake(found.text, err)
			return
		}
		at, _ := rows.FieldPos(0)
		cells := withoutEmptyEnd(row, len(columns))
		switch {
		case isEmptyRow(row):
		case isComment(row[0]):
			r.commentMistake(at)
		case len(cells) != len(columns):
			r.mistake(at, "the row has %d cells, and there are %d columns%s", len(cells), len(columns), quoteLists(found.separator))
		default:
			r.addRow(at, columns, cells, found.separator)
		}
	}
}

// columns are the names of the columns; trailing ones without a name are none.
func (r *reader) columns(top int, header []string) []string {
	columns := slices.Clone(withoutEmptyEnd(header, 1))
	for i := range columns {
		columns[i] = fieldNamed(strings.TrimSpace(columns[i]))
		switch {
		case !slices.Contains(userFields, columns[i]):
			r.mistake(top, "unknown column %s; the columns are %s", identity.Quote(columns[i]), strings.Join(userFields, ", "))
		case slices.Contains(columns[:i], columns[i]):
			r.mistake(top, "the column %s appears twice", columns[i])
		}
	}
	if !slices.Contains(columns, nameField) {
		r.mistake(top, "column %s not found", nameField)
	}
	return columns
}

// fieldNamed is the field that a column's name means, in any case; a name that means none is as it was.
func fieldNamed(column string) string {
	for _, field := range userFields {
		if strings.EqualFold(field, column) {
			return field
		}
	}
	return column
}

// withoutEmptyEnd drops empty cells from a row's end, down to a least number of cells.
func withoutEmptyEnd(row []string, least int) []string {
	for len(row) > least && strings.TrimSpace(row[len(row)-1]) == "" {
		row = row[:len(row)-1]
	}
	return row
}

func isEmptyRow(row []string) bool {
	return !slices.ContainsFunc(row, func(cell string) bool { return strings.TrimSpace(cell) != "" })
}

// quoteLists says what makes cells of a list's values in a table that is separated by
// what stands between them.
func quoteLists(separator rune) string {
	if string(separator) != listSeparator {
		return ""
	}
	return `; several values of a cell stand in quotes: "dev;ops"`
}

func (r *reader) addRow(at int, columns, row []string, separator rune) {
	v := values{line: at, text: map[string]string{}, lists: map[string][]string{}}
	for i, column := range columns {
		switch {
		case row[i] == "":
		case slices.Contains(listFields, column):
			v.lists[column] = valuesIn(row[i], separator)
		default:
			v.text[column] = strings.Clone(row[i])
		}
	}
	r.add(v)
}

// valuesIn are the values of a cell. Semicolons separate them; in a table whose columns are not
// separated by commas, commas and bars do as well, with blanks around them.
func valuesIn(cell string, separator rune) []string {
	if separator == ',' {
		return strings.Split(cell, listSeparator)
	}
	found := strings.Split(strings.NewReplacer(",", listSeparator, "|", listSeparator).Replace(cell), listSeparator)
	for i := range found {
		found[i] = strings.TrimSpace(found[i])
	}
	return found
}

func (r *reader) commentMistake(line int) {
	r.mistake(line, "comments are not part of CSV; remove the row")
}

// rowMistake says what is wrong with a row that cannot be read: a comment may have quotes in it.
func (r *reader) rowMistake(text []byte, err error) {
	var parse *csv.ParseError
	if errors.As(err, &parse) {
		if lines := bytes.Split(text, []byte("\n")); parse.StartLine <= len(lines) && isComment(string(lines[parse.StartLine-1])) {
			r.commentMistake(parse.StartLine)
			return
		}
	}
	r.csvMistake(err)
}

func (r *reader) csvMistake(err error) {
	var parse *csv.ParseError
	if errors.As(err, &parse) {
		r.mistake(parse.Line, "invalid CSV: %s", identity.PrintableSentence(parse.Err.Error()))
		return
	}
	r.mistake(0, "invalid CSV: %s", identity.PrintableSentence(err.Error()))
}
