package prompt

import "testing"

func TestPrompt_AMenuIsAsLongAsTheScreenHasRoom(t *testing.T) {
	const question = "Which requests do you want to look at, to approve them?"
	for _, test := range []struct{ columns, rows, want int }{
		{200, 60, mostOptions}, {80, 24, mostOptions}, {80, 10, 6}, {40, 10, 4}, {40, 24, mostOptions}, {20, 8, 1}, {1, 1, 1},
	} {
		if got := optionsShown(question, test.columns, test.rows); got != test.want {
			t.Errorf("on %d×%d it shows %d options, want %d", test.columns, test.rows, got, test.want)
		}
	}
}
