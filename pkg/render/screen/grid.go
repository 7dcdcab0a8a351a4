package screen

import (
	"io"
	"strings"

	"k8s.io/cli-runtime/pkg/printers"
)

// Grid writes a table as kubectl get does. It aligns by the columns that a text takes on a
// terminal, where kubectl's own printers count bytes, and on a terminal it cuts names so that a
// row fits. Columns stay where they are from one write to the next as long as nothing wider comes.
type Grid struct {
	columns []GridColumn
	// hasHeader reports whether the headers are still to be written.
	hasHeader bool
	// Limit is how wide a row may be; 0 where that is not bounded.
	Limit int
	// IsColored reports whether rows have their colors.
	IsColored bool
	// widths is how wide each column is.
	widths []int
}

// GridColumn is one column of a grid.
type GridColumn struct {
	// Header is the column's name, in upper case. Required.
	Header string
	// IsName reports whether the column holds names, which may be cut in the middle.
	IsName bool
	// IsPhrase reports whether the column holds phrases, whose end may be cut.
	IsPhrase bool
	// IsWide reports whether the column is shown with -o wide only.
	IsWide bool
}

// GridRow has a cell for each column, safe to print.
type GridRow struct {
	Cells []string
	// Color is that of the row on a terminal; "" for none.
	Color string
}

const (
	// betweenColumns is what kubectl's tables have between two columns.
	betweenColumns = 3
	// shortestName is how many columns a name or phrase keeps.
	shortestName = 10
)

// NewGrid makes a grid of those columns that are shown. Rows have a cell for every column.
func NewGrid(out io.Writer, columns []GridColumn, wide, noHeaders bool) *Grid {
	g := &Grid{hasHeader: !noHeaders, IsColored: printers.AllowsColorOutput(out), columns: columns}
	if limit, isTerminal := TerminalColumns(out); isTerminal && !wide {
		g.Limit = limit
	}
	g.widths = make([]int, len(columns))
	for i, column := range columns {
		g.widths[i] = -1
		if wide || !column.IsWide {
			g.widths[i] = 0
		}
	}
	return g
}

// Write adds rows, the first time under the headers.
func (g *Grid) Write(out io.Writer, rows ...GridRow) error {
	if len(rows) == 0 {
		return nil
	}
	if g.hasHeader {
		headers := GridRow{}
		for _, column := range g.columns {
			headers.Cells = append(headers.Cells, column.Header)
		}
		rows = append([]GridRow{headers}, rows...)
		g.hasHeader = false
	}
	g.measure(rows)
	var text strings.Builder
	for _, row := range rows {
		line := g.line(row.Cells)
		if g.IsColored && row.Color != "" {
			line = row.Color + line + NoColor
		}
		text.WriteString(line + "\n")
	}
	_, err := io.WriteString(out, text.String())
	return err
}

// measure widens the columns to what the rows need, and narrows those of names and phrases, the
// widest first, until a row fits. Two that were cut may look the same; -o wide shows them whole.
func (g *Grid) measure(rows []GridRow) {
	total := -betweenColumns
	for i, shown := range g.widths {
		if shown < 0 {
			continue
		}
		for _, row := range rows {
			g.widths[i] = max(g.widths[i], Width(row.Cells[i]))
		}
		total += g.widths[i] + betweenColumns
	}
	for ; g.Limit > 0 && total > g.Limit; total-- {
		widest := -1
		for i, column := range g.columns {
			if (column.IsName || column.IsPhrase) && g.widths[i] > shortestName && (widest < 0 || g.widths[i] > g.widths[widest]) {
				widest = i
			}
		}
		if widest < 0 {
			break
		}
		g.widths[widest]--
	}
}

func (g *Grid) line(cells []string) string {
	var line strings.Builder
	gap := 0
	for i, shown := range g.widths {
		if shown < 0 {
			continue
		}
		cell := cells[i]
		switch {
		case g.Limit == 0:
		case g.columns[i].IsName:
			cell = CutInMiddle(cell, shown)
		case g.columns[i].IsPhrase:
			cell = Cut(cell, shown)
		}
		line.WriteString(strings.Repeat(" ", gap) + cell)
		gap = shown - Width(cell) + betweenColumns
	}
	return line.String()
}
