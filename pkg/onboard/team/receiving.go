package team

import (
	"context"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cluster/recording"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cluster/requests"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard"
)

// receiving takes users from the end of the wait for their certificates to kubeconfigs.
type receiving struct {
	*session

	// prove is nil where nobody is to log in.
	prove onboard.Prove
	// standby records certificates where no recorder does.
	standby *recording.Standby
}

// receive takes a user's certificate and writes their kubeconfig.
func (r *receiving) receive(ctx context.Context, ending requests.Ending) Result {
	member := r.in.Members[ending.Place]
	result := Result{Request: ending.Name, State: MemberFetched, Err: ending.Err}
	if result.Err != nil {
		return result
	}
	key, keyPEM, err := onboard.ReadKey(member.Directory)
	if err != nil {
		result.Err = err
		return result
	}
	isNew, err := r.standby.Record(ctx, ending.Object)
	r.program.TellRecorded(ending.Object, isNew, err)
	to := r.program.Destination(r.in.Kubeconfig, member.Directory, member.User)
	var fetched *onboard.Fetched
	result.Err = r.persevere(ctx, func() (err error) {
		fetched, err = r.program.Receive(ctx, to, &onboard.Submission{Object: ending.Object, Key: key, KeyPEM: keyPEM}, ending.Object, r.prove)
		return err
	})
	if result.Err == nil {
		result.Path, result.NotAfter, result.LoggedIn = fetched.Path, fetched.Certificate.Leaf.NotAfter, fetched.LoggedIn
	}
	if r.in.KeepObjects {
		result.Object = ending.Object
	}
	return result
}
