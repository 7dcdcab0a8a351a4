package doctor

import (
	"testing"
	"time"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cmd/cli/clitest"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/doctor"
)

func TestInput_TheInputOfAnExaminationIsWhatWasTyped(t *testing.T) {
	for _, test := range []struct {
		arguments []string
		want      doctor.Input
	}{
		{nil, doctor.Input{ProbeTimeout: defaultProbeTimeout}},
		{[]string{"--probe", "-o", "json"}, doctor.Input{Probe: true, ProbeTimeout: defaultProbeTimeout}},
		{[]string{"--probe", "--timeout", "1m"}, doctor.Input{Probe: true, ProbeTimeout: time.Minute}},
	} {
		o, err := clitest.Run[*doctorOptions](t, New, test.arguments...)
		if err != nil {
			t.Errorf("%q: %v", test.arguments, err)
		} else if got := o.input(); got != test.want {
			t.Errorf("%q: got %+v, want %+v", test.arguments, got, test.want)
		}
	}
}

func TestInput_DoctorRunsOnTheContextsThatAreNamed(t *testing.T) {
	clitest.Contexts(t)
	o, err := clitest.Run[*doctorOptions](t, New, "--contexts", "prod,d*")
	if err != nil || len(o.clusters.Each) != 2 || o.clusters.Each[0].Cluster != "prod" || *o.clusters.Each[1].Flags.Context != "dev" {
		t.Errorf("%v, %+v", err, o)
	}
}
