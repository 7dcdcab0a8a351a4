package teamfile

import (
	"bytes"
	"encoding/binary"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/google/go-cmp/cmp"
)

func utf16Of(text string) []byte {
	var encoded bytes.Buffer
	_ = binary.Write(&encoded, binary.LittleEndian, utf16.Encode([]rune("\uFEFF"+text)))
	return encoded.Bytes()
}

// namesAndGroups are the users of a team, in short.
func namesAndGroups(members []Member) []string {
	var short []string
	for _, member := range members {
		short = append(short, member.User.Name+": "+strings.Join(member.User.Groups, ";"))
	}
	return short
}

func TestCSV_ATableIsReadAsSpreadsheetsWriteIt(t *testing.T) {
	want := []string{"jane: dev;ops", "bob: ops"}
	const ordinary = "name,groups\njane,dev;ops\nbob,ops\n"
	for name, data := range map[string][]byte{
		"as it is":                     []byte(ordinary),
		"CRLF":                         []byte(strings.ReplaceAll(ordinary, "\n", "\r\n")),
		"CR, as for the old Macintosh": []byte(strings.ReplaceAll(ordinary, "\n", "\r")),
		"empty columns and rows":       []byte("name,groups,,\r\njane,dev;ops,,\r\nbob,ops,,\r\n,,,\r\n , ,,\r\n"),
		"an empty row before":          []byte(",,\n\n" + strings.ReplaceAll(ordinary, "\n", ",\n")),
		"sep=,":                        []byte("sep=,\r\n" + ordinary),
		"sep=; in quotes":              []byte("\"sep=;\"\n" + "name;groups\njane;\"dev;ops\"\nbob;ops\n"),
		"sep= with empty columns":      []byte("sep=,,,\n" + ordinary),
		"semicolons":                   []byte("name;groups;;\njane;\"dev;ops\";;\nbob;ops;;\n;;;\n"),
		"tabs":                         []byte("name\tgroups\t\njane\tdev;ops\t\nbob\tops\t\n"),
		"UTF-16 with tabs":             utf16Of("name\tgroups\r\njane\tdev;ops\r\nbob\tops\r\n"),
		"UTF-16 with CR and a sep":     utf16Of("sep=\t\rname\tgroups\rjane\tdev;ops\rbob\tops\r"),
	} {
		members, mistakes := Parse(data)
		if mistakes != nil {
			t.Errorf("%s: %v", name, mistakes)
			continue
		}
		if diff := cmp.Diff(want, namesAndGroups(members)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestCSV_ListsAreSeparatedByWhatTheColumnsAreNot(t *testing.T) {
	both, bar, comma := []string{"dev", "ops"}, []string{"dev|ops"}, []string{"dev,ops"}
	for text, want := range map[string][]string{
		"name;groups\njane;dev,ops\n":     both,
		"name;groups\njane;dev | ops\n":   both,
		"name;groups\njane;\"dev;ops\"\n": both,
		"name\tgroups\njane\tdev, ops\n":  both,
		"NAME,Groups\njane,dev;ops\n":     both,
		"name,groups\njane,dev|ops\n":     bar,
		"name,groups\njane,\"dev,ops\"\n": comma,
	} {
		members, mistakes := Parse([]byte(text))
		if len(mistakes) > 0 || len(members) != 1 || !slices.Equal(members[0].User.Groups, want) {
			t.Errorf("%q: %v, %v, want the groups %q", text, members, mistakes, want)
		}
	}
}

func TestCSV_AMistakeOfASpreadsheetIsNamed(t *testing.T) {
	for name, test := range map[string]struct {
		data string
		line int
		want string
	}{
		"a workbook":                    {"PK\x03\x04\x14\x00", 0, "workbook"},
		"an older workbook":             {"\xd0\xcf\x11\xe0\xa1\xb1", 0, "workbook"},
		"the encoding of old Windows":   {"name\nZo\xeb\n", 0, "iconv -f WINDOWS-1252 -t UTF-8"},
		"a cell more than columns":      {"name,groups\njane,dev,ops\n", 2, "the row has 3 cells, and there are 2 columns"},
		"a list without quotes":         {"sep=;\nname;groups\njane;dev;ops\n", 3, `several values of a cell stand in quotes: "dev;ops"`},
		"a column without a name":       {"name,,groups\njane,,dev\n", 1, `unknown column ""`},
		"a line that counts after sep=": {"sep=,\n\nname\nsystem:x\n", 4, ""},
	} {
		members, mistakes := Parse([]byte(test.data))
		if len(mistakes) != 1 || members != nil {
			t.Errorf("%s: %v, %v", name, members, mistakes)
			continue
		}
		if mistakes[0].Line != test.line || !strings.Contains(mistakes[0].Problem, test.want) {
			t.Errorf("%s: line %d: %s", name, mistakes[0].Line, mistakes[0].Problem)
		}
	}
}

func TestCSV_ARowThatIsCommentedOutIsRefused(t *testing.T) {
	const comment = "comments are not part of CSV; remove the row"
	for data, want := range map[string][]Mistake{
		"name,groups,clusterRoles\n#left,dev,view\nc9,dev,view\n": {{2, comment}},
		"name,groups\nc9,dev\n# left,dev\n":                       {{3, comment}},
		"name,groups\n\"#left\",dev\n":                            {{2, comment}},
		"name,groups\n\" #left\",dev\n":                           {{2, comment}},
		"name;groups\n#left;dev\n":                                {{2, comment}},
		"groups\tname\n\n#\t\n#dev\tleft\n":                       {{3, comment}, {4, comment}},
		"name,groups\n# all of them, and more, left\n":            {{2, comment}},
		"name,groups\n# called \"left\"\njane,dev\n":              {{2, comment}},
		"# the team\nname,groups\n#left,dev\n":                    {{1, comment}, {3, comment}},
		"\"# the, team\"\nsep=;\n#name\nname;groups\njane;dev\n":  {{1, comment}, {3, comment}},
		"#,name\n1,jane\n":                                        {{1, `unknown column "#"; the columns are ` + strings.Join(userFields, ", ")}},
		"name,groups\njane,\"dev\n":                               {{2, `invalid CSV: extraneous or missing " in quoted-field`}},
	} {
		members, mistakes := Parse([]byte(data))
		if diff := cmp.Diff(want, mistakes); diff != "" || members != nil {
			t.Errorf("%q: %v: %s", data, members, diff)
		}
	}
}

// TestCSV_ACommentInYAMLIsNotATable is for comments that have the names of fields in them.
func TestCSV_ACommentInYAMLIsNotATable(t *testing.T) {
	members, mistakes := Parse([]byte("# name, groups\n" + header + "- name: jane\n"))
	if len(members) != 1 || mistakes != nil {
		t.Errorf("%v, %v", members, mistakes)
	}
}

func TestCSV_ATeamInYAMLIsReadInEveryEncoding(t *testing.T) {
	text := header + "- name: jane\n  groups: [dev]\n"
	for name, data := range map[string][]byte{
		"CR":               []byte(strings.ReplaceAll(text, "\n", "\r")),
		"UTF-16 with CRLF": utf16Of(strings.ReplaceAll(text, "\n", "\r\n")),
	} {
		if members, mistakes := Parse(data); mistakes != nil || len(members) != 1 || members[0].Line != 4 {
			t.Errorf("%s: %v, %v", name, members, mistakes)
		}
	}
}
