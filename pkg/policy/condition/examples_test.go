package condition

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/policy"
)

func TestExamples_EveryExampleCompiles(t *testing.T) {
	compiler, err := NewCompiler()
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join("..", "..", "..", "deploy", "examples", "*.yaml"))
	if err != nil || len(files) != 5 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		policies, mistakes := policy.Parse(text)
		for _, mistake := range mistakes {
			t.Errorf("%s: %s", file, mistake)
		}
		for _, one := range policies {
			for _, mistake := range compiler.Compile(one).Mistakes {
				t.Errorf("%s: %s", file, mistake)
			}
		}
	}
}
