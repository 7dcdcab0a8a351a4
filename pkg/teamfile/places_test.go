package teamfile

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// shortly are mistakes as "line: problem", each problem cut to what is compared.
func shortly(mistakes []Mistake, length int) []string {
	var short []string
	for _, mistake := range mistakes {
		problem := mistake.Problem
		if len(problem) > length {
			problem = problem[:length]
		}
		short = append(short, fmt.Sprintf("%d: %s", mistake.Line, problem))
	}
	return short
}

func TestPlaces_MistakesComeInTheOrderOfTheirLines(t *testing.T) {
	_, mistakes := Parse([]byte("name,groups\njane,dev\nsystem:a,dev\nbob,dev\njane,ops\nbob,dev,more\nJANE,dev\njane,dev\n"))
	want := []string{
		"3: ", "5: ", "6: ", "8: ",
	}
	if diff := cmp.Diff(want, shortly(mistakes, 0)); diff != "" {
		t.Errorf("(-want +got):\n%s\n%v", diff, mistakes)
	}
	for _, mistake := range mistakes {
		// Of three, both later ones name the first.
		if (mistake.Line == 5 || mistake.Line == 8) && !strings.Contains(mistake.Problem, `the user "jane" is named in line 2`) {
			t.Errorf("line %d: %s", mistake.Line, mistake.Problem)
		}
	}
}

func TestPlaces_ALineOfColumnNamesIsFoundWhereverItIs(t *testing.T) {
	for about, test := range map[string]struct{ data, want string }{
		"names with blanks around":      {" name , groups \njane,dev\n", "jane: dev"},
		"one column":                    {"name\njane\n", "jane: "},
		"names in quotes":               {"\"name\",\"groups\"\njane,dev\n", "jane: dev"},
		"the last column has no name":   {"name,groups,\njane,dev,\n", "jane: dev"},
		"a cell that is empty":          {"name,groups\njane,\n", "jane: "},
		"a separator that is declared":  {"sep=;\nname;groups\njane;dev\n", "jane: dev"},
		"an empty line at the very top": {"\nname,groups\njane,dev\n", "jane: dev"},
	} {
		members, mistakes := Parse([]byte(test.data))
		if got := strings.Join(namesAndGroups(members), ", "); got != test.want || mistakes != nil {
			t.Errorf("%s: %q, %v", about, got, mistakes)
		}
	}
	for about, test := range map[string]struct {
		data string
		line int
		want string
	}{
		"open quotes in the names": {"name,\"groups\njane,dev\n", 2, "invalid CSV"},
		"open quotes below":        {"name,groups\njane,\"dev\n", 2, "invalid CSV"},
		"a quote within a cell":    {"name,groups\nja\"ne,dev\n", 2, "invalid CSV"},
		"a column twice":           {"\nname,groups,groups\njane,dev,dev\n", 2, "the column groups appears twice"},
		"a column that is unknown": {"name,group\njane,dev\n", 1, `unknown column "group"`},
		"no column of names":       {"groups\ndev\n", 1, "column name not found"},
		"no user":                  {"name,groups\n", 0, "it contains no user"},
		"a cell too many":          {"name;groups\njane;dev;ops\n", 2, "the row has 3 cells, and there are 2 columns; several"},
		"a cell too few":           {"name,groups\njane\n", 2, "the row has 1 cells, and there are 2 columns"},
		"a workbook":               {"PK\x03\x04rest", 0, "it is a workbook"},
		"an older workbook":        {"\xd0\xcf\x11\xe0rest", 0, "it is a workbook"},
		"another encoding":         {"name,groups\nZo\xeb,dev\n", 0, "invalid UTF-8"},
	} {
		members, mistakes := Parse([]byte(test.data))
		if members != nil || len(mistakes) == 0 || mistakes[0].Line != test.line || !strings.HasPrefix(mistakes[0].Problem, test.want) {
			t.Errorf("%s: %v, %v, want line %d: %s", about, members, mistakes, test.line, test.want)
		}
	}
}
