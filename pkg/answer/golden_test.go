package answer_test

import (
	"testing"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/answer"
)

// Another version of the program reads what this one keeps.
func TestGolden_TheFormOfAnAnswerNeverChanges(t *testing.T) {
	for _, test := range []struct {
		about       string
		from, until int64
		want        string
	}{
		{"every digit", 123_456_789_012, 987_654_321_098, "123456789012 987654321098"},
		{"before 1970", -1, 0, "000000000000 000000000000"},
		{"one second", 1, 9, "000000000001 000000000009"},
		{"the latest time", 999_999_999_998, 999_999_999_999, "999999999998 999999999999"},
		{"later than the latest time", 1_000_000_000_000, 1 << 62, "999999999999 999999999999"},
	} {
		got := string(answer.Encode([]byte(`"spec":{}}`), test.from, test.until))
		if want := "kubectl-csr-onboard answer 1 " + test.want + "\n" + `"spec":{}}` + "\n"; got != want {
			t.Errorf("%s: it is %q, want %q", test.about, got, want)
		}
	}
}

func TestGolden_EveryDigitOfATimeCounts(t *testing.T) {
	const from, until = 123_456_789_012, 987_654_321_098
	file := answer.Encode([]byte("}"), from, until)
	for now, isGiven := range map[int64]bool{from - 1: false, from: true, until - 1: true, until: false} {
		if got := answer.Decode(file, answer.V1, now) != nil; got != isGiven {
			t.Errorf("at %d it is given: %v", now, got)
		}
	}
}

func TestGolden_ATimeHasDigitsAlone(t *testing.T) {
	for _, times := range []string{
		"00000000000/ 000000000009", "00000000000: 000000000009", "/00000000000 000000000009", ":00000000000 000000000009",
		"000000000000 00000000000/", "000000000000 00000000000:", "000000000000 :00000000009", "000000000000 -00000000009",
	} {
		if credential := answer.Decode([]byte("kubectl-csr-onboard answer 1 "+times+"\n}\n"), answer.V1, 1); credential != nil {
			t.Errorf("%q is taken for times: %q", times, credential)
		}
	}
	if credential := answer.Decode([]byte("kubectl-csr-onboard answer 1 000000000000 000000000009\n}\n"), answer.V1, 1); credential == nil {
		t.Error("the shortest answer is not given")
	}
}
