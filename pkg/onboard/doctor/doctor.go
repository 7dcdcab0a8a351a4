package doctor

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	"k8s.io/apimachinery/pkg/util/duration"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cluster"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cluster/requests"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/ledger"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/pki"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
)

// Verdict is what came of a check.
type Verdict string

// The verdicts. What could not be found out is Unknown, never Pass.
const (
	Pass    Verdict = "pass"
	Warn    Verdict = "warn"
	Fail    Verdict = "fail"
	Unknown Verdict = "unknown"
)

// Check is one thing that onboarding depends on.
type Check struct {
	// Name is the check's stable name.
	Name    string
	Verdict Verdict
	// Sentence says what was found, and Advice what to do; "" if nothing.
	Sentence, Advice string
}

// Input says how far an examination goes.
type Input struct {
	// Probe makes a request, approves it, waits for its certificate and deletes
	// it. Its private key is thrown away.
	Probe bool
	// ProbeTimeout is how long a certificate is waited for. Required with Probe.
	ProbeTimeout time.Duration
}

const (
	// stuckAfter is when an approved request should have been signed.
	stuckAfter = time.Minute
	// leaseGood is how long a lease stays good; it is renewed every few seconds.
	leaseGood = time.Minute
	// recently is for how long a signed request says that requests are signed.
	recently = 10 * time.Minute
)

// The differences between two clocks that matter: certificates begin five minutes
// before they are signed.
const (
	clockWarn = 30 * time.Second
	clockFail = 5 * time.Minute
)

// Run examines whether this cluster and this identity can onboard users. It
// fails only where it cannot ask at all.
func Run(ctx context.Context, p *onboard.Program, in Input) ([]Check, error) {
	me, err := p.Cluster.WhoAmI(ctx)
	if err != nil {
		return nil, err
	}
	d := &examination{program: p, in: in}
	d.add("identity", Pass, "", "you are %s on %s", me, p.Cluster.Endpoint().Server)
	d.checkAPI(ctx)
	d.checkRights(ctx)
	d.checkServer()
	d.checkCloud(ctx)
	d.look(ctx)
	d.checkClock(ctx)
	d.checkSigner(ctx)
	d.checkReached(ctx)
	d.checkClientAuthority(ctx)
	d.checkLifetimes(ctx)
	d.checkHeld()
	d.checkRevocation(ctx)
	d.checkMasters()
	if ctx.Err() != nil {
		return nil, outcome.Errorf(outcome.ErrInterrupted, "%w while examining the cluster", outcome.ErrInterrupted)
	}
	return d.checks, nil
}

// examination is one examination.
type examination struct {
	program *onboard.Program
	in      Input
	checks  []Check

	// issued are the issued requests on the cluster, and the probe's.
	issued []*request.Review
	// probed is what came of logging in with the probe's certificate.
	probed probed
	// kept are the permissions that the probe would need and that are missing.
	kept []string
	// stuck is a request that was approved a while ago and not signed.
	stuck *request.Review
	// held are the names of requests that were deleted a while ago, and that the ledger holds.
	held []string
	// unreadErr is why the requests could not be read.
	unreadErr error
}

func (d *examination) add(name string, verdict Verdict, advice, format string, arguments ...any) {
	d.checks = append(d.checks, Check{Name: name, Verdict: verdict, Sentence: fmt.Sprintf(format, arguments...), Advice: advice})
}

// unknown says that a check could not be made.
func (d *examination) unknown(name string, err error, what string) {
	d.add(name, Unknown, outcome.Hint(err), "%s: %v", what, err)
}

func (d *examination) checkAPI(ctx context.Context) {
	switch served, err := d.program.Cluster.ControlPlane().ServesCertificates(ctx); {
	case err != nil:
		d.unknown("certificates-api", err, "it is unknown whether certificates.k8s.io/v1 is served")
	case !served:
		d.add("certificates-api", Fail, "use Kubernetes 1.19 or later, and check that --runtime-config of the API server does not disable it", "certificates.k8s.io/v1 is not served")
	default:
		d.add("certificates-api", Pass, "", "certificates.k8s.io/v1 is served")
	}
}

// rights are what the commands take; without one, a check has the given verdict.
var rights = []struct {
	name, what string
	without    Verdict
	rights     []cluster.Right
}{
	{"may-create", "create requests (new-user)", Fail, []cluster.Right{cluster.RequestRight("", "create")}},
	{"may-read", "get, list and watch requests (fetch, list, approve)", Fail, []cluster.Right{cluster.RequestRight("", "get"), cluster.RequestRight("", "list"), cluster.RequestRight("", "watch")}},
	{"may-approve", "approve requests (approve, deny)", Fail, []cluster.Right{
		cluster.RequestRight("approval", "update"),
		{Group: certificatesv1.GroupName, Resource: "signers", Name: request.Signer, Verb: "approve"},
	}},
	{"may-bind", "create and patch role bindings (grant, offboard)", Warn, []cluster.Right{
		{Group: "rbac.authorization.k8s.io", Resource: "rolebindings", Verb: "create"},
		{Group: "rbac.authorization.k8s.io", Resource: "rolebindings", Verb: "patch"},
		{Group: "rbac.authorization.k8s.io", Resource: "clusterrolebindings", Verb: "create"},
		{Group: "rbac.authorization.k8s.io", Resource: "clusterrolebindings", Verb: "patch"},
	}},
}

func (d *examination) checkRights(ctx context.Context) {
	for _, needed := range rights {
		var missing []string
		var rightsErr error
		for _, right := range needed.rights {
			allowed, err := d.program.Cluster.MayI(ctx, right)
			if err != nil {
				rightsErr = err
			} else if !allowed {
				missing = append(missing, describeRight(right))
			}
		}
		switch {
		case len(missing) > 0:
			advice := "ask a cluster administrator for: " + strings.Join(missing, ", ")
			if d.in.Probe && slices.Contains(forProbe, needed.name) {
				d.kept = append(d.kept, missing...)
			}
			d.add(needed.name, needed.without, advice, "you cannot %s", needed.what)
		case rightsErr != nil:
			d.unknown(needed.name, rightsErr, "whether you can "+needed.what+" is not known")
		default:
			d.add(needed.name, Pass, "", "you can %s", needed.what)
		}
	}
}

func describeRight(right cluster.Right) string {
	resource := right.Resource
	if right.Subresource != "" {
		resource += "/" + right.Subresource
	}
	if right.Name != "" {
		resource += " named " + right.Name
	}
	return right.Verb + " on " + resource
}

// checkServer looks whether the address is one that others reach.
func (d *examination) checkServer() {
	server := d.program.Cluster.Endpoint().Server
	address, err := url.Parse(server)
	if err != nil {
		d.unknown("server-address", err, "the server's address is not understood")
		return
	}
	host := address.Hostname()
	ip := net.ParseIP(host)
	const advice = "give users the address that they reach: --external-server URL"
	switch {
	case host == "localhost" || ip != nil && ip.IsLoopback():
		d.add("server-address", Warn, advice, "the server's address %s is reached from this machine only", server)
	case ip == nil && !strings.Contains(host, ".") || strings.HasSuffix(host, ".svc") || strings.HasSuffix(host, ".cluster.local"):
		d.add("server-address", Warn, advice, "the server's address %s is a name that resolves only within a cluster or a network", server)
	default:
		d.add("server-address", Pass, "", "the server's address %s is not local", server)
	}
}

// clouds are managed Kubernetes services that are known not to serve the signer, or
// not for everybody, by a mark in the server's address or version.
var clouds = []struct {
	name, inHost, inVersion string
	verdict                 Verdict
	sentence                string
}{
	{"Amazon EKS", ".eks.amazonaws.com", "-eks-", Fail, "does not issue certificates for the signer " + request.Signer},
	{"Google GKE", ".gke.goog", "-gke.", Warn, "restricts client certificates, and might not issue them"},
}

func (d *examination) checkCloud(ctx context.Context) {
	version, err := d.program.Cluster.ControlPlane().Version(ctx)
	server := d.program.Cluster.Endpoint().Server
	for _, cloud := range clouds {
		if strings.Contains(server, cloud.inHost) || strings.Contains(version, cloud.inVersion) {
			d.add("managed-cloud", cloud.verdict, "use the cloud's own identities there, or OpenID Connect", "this is %s, which %s", cloud.name, cloud.sentence)
			return
		}
	}
	if err != nil {
		d.unknown("managed-cloud", err, "it is unknown whether this is a managed cluster")
		return
	}
	d.add("managed-cloud", Pass, "", "Kubernetes %s, and not a managed cluster that is known not to sign", identity.Printable(version))
}

// look reads what is on the cluster already.
func (d *examination) look(ctx context.Context) {
	now := d.program.Now()
	d.unreadErr = d.program.Cluster.Requests().Each(ctx, requests.Query{}, func(object *request.Request) {
		review := request.ReviewOf(object)
		object.Forget()
		if deleted := object.DeletionTimestamp; deleted != nil && now.Sub(deleted.Time) > stuckAfter && slices.Contains(object.Finalizers, ledger.Finalizer) {
			d.held = append(d.held, identity.Printable(object.Name))
		}
		switch {
		case review.Certificate != nil:
			d.issued = append(d.issued, review)
		case review.State == request.Approved && now.Sub(approvedAt(object)) > stuckAfter:
			d.stuck = review
		}
	})
}

// checkHeld tells of requests that wait for a recorder.
func (d *examination) checkHeld() {
	if len(d.held) > 0 {
		d.add("held-requests", Fail,
			"see that it runs: kubectl -n csr-onboard-system get deployment csr-onboard-recorder; to uninstall the ledger: kubectl csr-onboard ledger release",
			"no recorder of the ledger works: requests that were deleted are held until their certificates are recorded: %s", strings.Join(d.held, ", "))
	}
}

// approvedAt is when a request was approved, by the API server's clock.
func approvedAt(object *request.Request) time.Time {
	for _, condition := range object.Status.Conditions {
		if condition.Type == certificatesv1.CertificateApproved {
			return condition.LastUpdateTime.Time
		}
	}
	return object.CreationTimestamp.Time
}

// probeRequest is a request for a user who is nobody, for the shortest time.
func probeRequest() (*request.Request, crypto.Signer, error) {
	key, err := pki.NewKey(pki.DefaultKeyAlgorithm)
	if err != nil {
		return nil, nil, err
	}
	made, err := pki.NewRequest(key, identity.User{Name: probeUser})
	if err != nil {
		return nil, nil, err
	}
	return request.Build(made, request.Terms{Lifetime: request.MinimumLifetime}), key, nil
}

func (d *examination) checkClock(ctx context.Context) {
	object, _, err := probeRequest()
	var server time.Time
	if err == nil {
		server, err = d.program.Cluster.Requests().Now(ctx, object)
	}
	if err != nil {
		d.unknown("clock", err, "the difference to the server's clock is unknown")
		return
	}
	difference := d.program.Now().Sub(server).Abs()
	const advice = "set this machine's clock, for example by NTP"
	// The server tells its time in whole seconds.
	switch told := difference.Truncate(time.Second); {
	case difference > clockFail:
		d.add("clock", Fail, advice, "this machine's clock and the server's differ by %s, and certificates begin five minutes before they are signed", told)
	case difference > clockWarn:
		d.add("clock", Warn, advice, "this machine's clock and the server's differ by %s", told)
	default:
		d.add("clock", Pass, "", "this machine's clock and the server's differ by %s", told)
	}
}

// findOut is what to do where only a certificate would show something.
const findOut = "find out with one throw-away request: kubectl csr-onboard doctor --probe"

// forProbe are the checks of the permissions that a probe needs.
var forProbe = []string{"may-create", "may-approve"}

// withoutCertificate is what to do without any certificate, even of a probe.
func (d *examination) withoutCertificate() string {
	switch {
	case len(d.kept) > 0:
		return "ask a cluster administrator for what the probe needs: " + strings.Join(d.kept, ", ")
	case d.in.Probe:
		return "see what the check signer says of the probe"
	}
	return findOut
}

func (d *examination) checkSigner(ctx context.Context) {
	if d.in.Probe {
		d.probe(ctx)
		return
	}
	switch {
	case d.unreadErr != nil:
		d.unknown("signer", d.unreadErr, "it is unknown whether requests are signed")
	case d.stuck != nil:
		d.notSigning(ctx, fmt.Sprintf("the request %s was approved %s ago and is not signed",
			identity.Quote(d.stuck.Object.Name), duration.HumanDuration(d.program.Now().Sub(approvedAt(d.stuck.Object)))))
	case d.lastIssued() != nil && d.program.Now().Sub(approvedAt(d.lastIssued().Object)) < recently:
		last := d.lastIssued()
		d.add("signer", Pass, "", "the request %s was signed %s ago", identity.Quote(last.Object.Name), duration.HumanDuration(d.program.Now().Sub(approvedAt(last.Object))))
	default:
		d.add("signer", Unknown, findOut, "no request of the last %s shows whether requests are signed", duration.HumanDuration(recently))
	}
}

// lastIssued is the request that was issued last; nil if none was.
func (d *examination) lastIssued() *request.Review { return request.Newest(d.issued) }

// probe makes a request and sees it through.
func (d *examination) probe(ctx context.Context) {
	const name = "signer"
	object, key, err := probeRequest()
	if err != nil {
		d.unknown(name, err, "the probe could not be created")
		return
	}
	submitted, _, err := d.program.Cluster.Requests().Submit(ctx, object, false)
	if err != nil {
		d.unknown(name, err, "the probe could not be created")
		return
	}
	defer func() {
		// Also when the person has had enough.
		after, cancel := context.WithTimeout(context.WithoutCancel(ctx), d.in.ProbeTimeout)
		defer cancel()
		if err := d.program.Cluster.Requests().Delete(after, submitted); err != nil {
			d.add("probe-removed", Warn, "delete it: "+identity.NewCommand("kubectl delete csr").Argument(submitted.Name).String(), "the probe %s is left: %v", submitted.Name, err)
		}
	}()
	approved, err := d.program.Cluster.Requests().Decide(ctx, request.ReviewOf(submitted), request.Approval(), request.Approval().Message("probe", submitted.Spec.Username, d.program.Version), false)
	if err != nil {
		d.unknown(name, err, "the probe could not be approved")
		return
	}
	begin := d.program.Now()
	wait, cancel := context.WithTimeout(ctx, d.in.ProbeTimeout)
	defer cancel()
	issued, err := d.program.Cluster.Requests().Await(wait, approved, func(requests.Sighting) {})
	switch {
	case errors.Is(err, outcome.ErrTimedOut):
		d.notSigning(ctx, fmt.Sprintf("a probe was approved and not signed within %s", d.in.ProbeTimeout))
	case errors.Is(err, outcome.ErrRejected):
		d.add(name, Fail, "look at the log of the signer", "a probe was not signed: %v", err)
	case err != nil:
		d.unknown(name, err, "the result of the probe is unknown")
	default:
		review := request.ReviewOf(issued)
		d.issued = append(d.issued, review)
		d.probed = d.logIn(ctx, review, key)
		d.add(name, Pass, "", "a probe was signed within %s", d.program.Now().Sub(begin).Round(time.Millisecond))
	}
}

// notSigning says that requests are not signed, and why, as far as that can be seen.
func (d *examination) notSigning(ctx context.Context, what string) {
	const name = "signer"
	seen, err := d.program.Cluster.ControlPlane().ControllerManagerSeen(ctx)
	own, errOwn := d.program.Cluster.ControlPlane().HasCertificateController(ctx)
	flags, errFlags := d.program.Cluster.ControlPlane().ControllerManagerFlags(ctx)
	switch {
	case err != nil:
		d.add(name, Fail, "see whether a controller manager runs: kubectl get lease kube-controller-manager -n kube-system", "%s; why cannot be found out from here: %v", what, err)
	case d.program.Now().Sub(seen) > leaseGood:
		d.add(name, Fail, "start the kube-controller-manager, or ask the operators of the control plane", "%s: no controller manager is running, as its lease says", what)
	case errOwn == nil && !own:
		d.add(name, Fail, "run the kube-controller-manager with --use-service-account-credentials=true", "%s: the controller manager runs without --use-service-account-credentials, so its signer does not have the permissions that it needs", what)
	case errFlags == nil && flags != nil && hasFlag(flags, "--cluster-signing-cert-file") && hasFlag(flags, "--cluster-signing-key-file"):
		d.add(name, Fail, "look at the kube-controller-manager's log", "%s: the controller manager runs and was given a CA", what)
	default:
		d.add(name, Fail, "give the kube-controller-manager --cluster-signing-cert-file and --cluster-signing-key-file", "%s: the controller manager runs, so it has no CA key to sign with", what)
	}
}

func hasFlag(flags []string, name string) bool {
	for _, flag := range flags {
		if value, found := strings.CutPrefix(flag, name+"="); found && value != "" {
			return true
		}
	}
	return false
}

// checkLifetimes says how long certificates were good for.
func (d *examination) checkLifetimes(ctx context.Context) {
	const name = "lifetimes"
	if len(d.issued) == 0 {
		d.add(name, Unknown, "", "no certificate found whose lifetime could be checked")
		return
	}
	var shortest, longest time.Duration
	shortened := false
	for i, review := range d.issued {
		given := review.Certificate.Lifetime()
		if i == 0 || given < shortest {
			shortest = given
		}
		longest = max(longest, given)
		shortened = shortened || review.Lifetime-given > time.Hour
	}
	told := "the certificates on the cluster are valid for " + duration.HumanDuration(shortest)
	if most := duration.HumanDuration(longest); !strings.HasSuffix(told, " "+most) {
		told += " to " + most
	}
	if flags, err := d.program.Cluster.ControlPlane().ControllerManagerFlags(ctx); err == nil {
		for _, flag := range flags {
			if most, found := strings.CutPrefix(flag, "--cluster-signing-duration="); found {
				told += ", and the signer gives " + identity.Printable(most) + " at most"
			}
		}
	}
	if shortened {
		d.add(name, Warn, "ask for less: --expiration", "%s; some asked for more than they got", told)
		return
	}
	d.add(name, Pass, "", "%s", told)
}
