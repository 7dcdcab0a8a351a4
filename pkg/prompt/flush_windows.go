package prompt

import "golang.org/x/sys/windows"

// discardTyped throws away what was typed before there was a question.
func discardTyped(terminal uintptr) error {
	return windows.FlushConsoleInputBuffer(windows.Handle(terminal))
}
