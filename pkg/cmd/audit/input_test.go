package audit

import (
	"testing"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cmd/cli/clitest"
)

func TestInput_TheLedgerIsOfTheContextsThatAreNamed(t *testing.T) {
	clitest.Contexts(t)
	o, err := clitest.Run[*ledgerOptions](t, New, "--contexts", "prod,d*", "--for-user", "jane")
	if err != nil || len(o.clusters.Each) != 2 || o.clusters.Each[0].Cluster != "prod" || *o.clusters.Each[1].Flags.Context != "dev" || o.query.User != "jane" {
		t.Errorf("%v, %+v", err, o)
	}
}
