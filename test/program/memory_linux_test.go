package program

import (
	"os/exec"
	"testing"
)

// TestMemory_AProcessDoesNotReportThatOfItsParent is for measurements by a process that was large.
func TestMemory_AProcessDoesNotReportThatOfItsParent(t *testing.T) {
	const large = 200 << 20
	peak := func() int64 {
		command := exec.CommandContext(t.Context(), "true")
		if err := command.Run(); err != nil {
			t.Fatal(err)
		}
		return PeakMemory(command)
	}
	used := make([]byte, large)
	for i := range used {
		used[i] = 1
	}
	if got := peak(); got < large {
		t.Skipf("the system reports %d bytes for a small process of a large one", got)
	}
	used = nil //nolint:ineffassign,wastedassign // It is not used any more.
	if err := ForgetPeakMemory(); err != nil {
		t.Fatal(err)
	}
	if got := peak(); got > large/4 {
		t.Errorf("%d bytes", got)
	}
}
