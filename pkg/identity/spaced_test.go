package identity

import (
	"os/exec"
	"runtime"
	"testing"
)

func TestSpaced_AWordWithARunOfSpacesIsReadBackByAShell(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the words are for POSIX shells")
	}
	for _, text := range []string{"her  files", "a   b    c", "50%  of 'it'", `back\slash  "quoted" $HOME`, "Zoë  Å"} {
		word := ShellWord(text)
		if PrintableSentence(word) != word {
			t.Errorf("%q is written as %s, which is changed on its way to the terminal", text, word)
		}
		read, err := exec.Command("/bin/sh", "-c", "printf %s "+word).Output()
		if err != nil || string(read) != text {
			t.Errorf("%q is written as %s, which a shell reads as %q: %v", text, word, read, err)
		}
	}
}
