package screen

import (
	"strings"
	"testing"
	"time"
)

func TestLive_ALiveLineLeavesTheLastColumnFree(t *testing.T) {
	for _, text := range []string{"waiting", strings.Repeat("waiting for jane ", 10), strings.Repeat("日本語", 40), strings.Repeat("e\u0301", 200)} {
		for columns := 1; columns <= 200; columns++ {
			line := liveText(text, 90*time.Minute, columns)
			if Width(line) > max(columns-1, 0) {
				t.Errorf("in %d columns the line takes %d: %q", columns, Width(line), line)
			}
			if columns >= 30 && !strings.HasSuffix(line, " (90m)") {
				t.Errorf("in %d columns the line does not say how long: %q", columns, line)
			}
		}
	}
	if line := liveText("waiting", time.Second, 80); line != "waiting (1s)" {
		t.Errorf("a short line is %q", line)
	}
}
