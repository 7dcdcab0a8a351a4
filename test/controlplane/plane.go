// Package controlplane starts a real Kubernetes control plane for tests and
// for people: etcd, kube-apiserver and kube-controller-manager, built from
// their Go modules, on free loopback ports, with certificate authorities made
// for the run.
//
// It promises that what it started is stopped and its directory removed in
// whatever way the process ends: Stop, a failing test, a panic, Ctrl-C or
// SIGKILL. It never touches a cluster that it did not start, or the machine's
// own kubeconfig.
package controlplane

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// Plane is a running control plane.
type Plane struct {
	// Directory holds the run's files: credentials, kubeconfigs, logs, data.
	Directory string
	// Server is the API server's URL.
	Server string
	// Kubeconfig is the administrator's kubeconfig, who can do everything.
	Kubeconfig string
	// CertificateAuthority is the certificate of the authority that signs
	// clients' certificates, in PEM.
	CertificateAuthority string
	// AuditLog is the API server's log of requests about certificates: one JSON
	// object (audit.k8s.io/v1 Event) a line, without bodies.
	AuditLog string

	binaries             Binaries
	keeper               *keeperProcess
	ports                ports
	clients              *authority
	controllerFlags      []string
	apiServerFlags       []string
	oneAuthority         bool
	authorityAge         time.Duration
	authorizationConfigs []string
}

const (
	// startTimeout bounds the wait for one component; four seconds is usual for
	// all of them.
	startTimeout = 90 * time.Second
	// startAttempts bounds how often other ports are tried, when somebody took
	// one between its choice and its use.
	startAttempts = 3
)

// Start starts a control plane for a test and stops it when the test ends. If
// the test failed, the ends of the components' logs are in its output.
func Start(t testing.TB, options ...Option) *Plane {
	t.Helper()
	options = append([]Option{WithProgress(testLog{t})}, options...)
	plane, err := Launch(t.Context(), options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(plane.logs())
		}
		if err := plane.Stop(); err != nil {
			t.Errorf("stopping the control plane: %v", err)
		}
	})
	return plane
}

type testLog struct{ t testing.TB }

func (l testLog) Write(line []byte) (int, error) {
	l.t.Helper()
	l.t.Log(strings.TrimSuffix(string(line), "\n"))
	return len(line), nil
}

// Launch starts a control plane and returns when it is ready. The caller stops
// it; the end of the process does, too.
func Launch(ctx context.Context, options ...Option) (*Plane, error) {
	s := settings{progress: io.Discard, withControllerManager: true, authorityAge: time.Hour}
	for _, option := range options {
		option(&s)
	}
	binaries, err := Build(ctx, s.progress, s.programs...)
	if err != nil {
		return nil, err
	}
	for attempt := 1; ; attempt++ {
		plane, err := launchOnce(ctx, binaries, s)
		if err == nil {
			return plane, nil
		}
		if attempt == startAttempts || !errors.Is(err, errAddressInUse) {
			return nil, err
		}
		say(s.progress, "a port was taken meanwhile; trying others")
	}
}

// errAddressInUse is a component that ended because somebody had its port.
var errAddressInUse = errors.New("address already in use")

func launchOnce(ctx context.Context, binaries Binaries, s settings) (_ *Plane, err error) {
	directory, err := newDirectory(s.directory)
	if err != nil {
		return nil, err
	}
	keeper, err := startKeeper(binaries.keeper, directory)
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(directory))
	}
	p := &Plane{
		Directory:            directory,
		CertificateAuthority: filepath.Join(directory, clientCA+".crt"),
		AuditLog:             filepath.Join(directory, "audit.log"),
		binaries:             binaries,
		keeper:               keeper,
		controllerFlags:      s.controllerFlags,
		apiServerFlags:       s.apiServerFlags,
		oneAuthority:         s.oneAuthority,
		authorizationConfigs: s.authorizationConfigs,
		authorityAge:         s.authorityAge,
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, p.Stop())
		}
	}()
	if p.ports, err = freePorts(max(0, len(s.authorizationConfigs)-1)); err != nil {
		return nil, err
	}
	p.Server = address("https", p.ports.apiServer)
	p.Kubeconfig = p.kubeconfig("admin")
	if err := p.writeCredentials(); err != nil {
		return nil, err
	}
	begin := time.Now()
	components := []Component{Etcd, APIServer}
	for i := range p.ports.further {
		components = append(components, FurtherAPIServer(i+2))
	}
	if s.withControllerManager {
		components = append(components, ControllerManager)
	}
	for _, component := range components {
		if err := p.StartComponent(ctx, component); err != nil {
			return nil, err
		}
	}
	for _, user := range s.users {
		if err := p.AddUser(ctx, user.name, user.groups, user.rules...); err != nil {
			return nil, err
		}
	}
	say(s.progress, "control plane ready after %s at %s", time.Since(begin).Round(100*time.Millisecond), p.Server)
	return p, nil
}

func newDirectory(path string) (string, error) {
	if path == "" {
		return os.MkdirTemp("", "csr-onboard-controlplane-")
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return "", err
	}
	return path, os.Mkdir(path, 0o700)
}

// Stop ends every component, removes the directory, and returns when both are
// done. Stopping twice is not an error.
func (p *Plane) Stop() error { return p.keeper.stop() }

// Binary is the path of a program that was built: Kubectl, or a component's
// name.
func (p *Plane) Binary(name string) string { return p.binaries.Path(name) }

// Kubectl runs kubectl as the administrator. An error holds what it says.
func (p *Plane) Kubectl(ctx context.Context, stdin string, arguments ...string) error {
	command := exec.CommandContext(ctx, p.Binary(Kubectl), append([]string{"--kubeconfig", p.Kubeconfig}, arguments...)...)
	command.Stdin = strings.NewReader(stdin)
	if output, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("kubectl %q: %w: %s", arguments, err, output)
	}
	return nil
}

// ServerOf is the URL of the API server of a number, from 1 on (see
// WithAuthorizationConfigs).
func (p *Plane) ServerOf(number int) string { return address("https", p.ports.ofAPIServer(number)) }

// RESTConfig is the administrator's, without client-go's rate limit.
func (p *Plane) RESTConfig() (*rest.Config, error) {
	config, err := clientcmd.BuildConfigFromFlags("", p.Kubeconfig)
	if err != nil {
		return nil, err
	}
	config.QPS = -1
	return config, nil
}

// StopComponent stops one component: SIGTERM, and SIGKILL three seconds later. Its
// ports and data stay for StartComponent.
func (p *Plane) StopComponent(component Component) error {
	return p.keeper.ask(keeperCommand{Stop: component})
}

// StartComponent starts a component that does not run, on the ports and with the
// data it had before, and waits until it is ready.
func (p *Plane) StartComponent(ctx context.Context, component Component) error {
	err := p.keeper.ask(keeperCommand{Start: &keeperStart{
		Name:      component,
		Path:      p.binaries.Path(component.program()),
		Arguments: p.arguments(component),
		Log:       p.logPath(component),
	}})
	if err != nil {
		return fmt.Errorf("%s: %w", component, err)
	}
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	client, err := p.healthClient()
	if err != nil {
		return err
	}
	tick := time.NewTicker(25 * time.Millisecond)
	defer tick.Stop()
	for {
		if err := p.keeper.ask(keeperCommand{Check: component}); err != nil {
			log := p.tail(component)
			if strings.Contains(log, errAddressInUse.Error()) {
				return fmt.Errorf("%s: %w", component, errAddressInUse)
			}
			return fmt.Errorf("%s ended at its start: %w\n%s", component, err, log)
		}
		if answer, ok := health(ctx, client, p.healthURL(component)); ok &&
			(component != ControllerManager || strings.Contains(answer, builtCheck)) {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s did not become ready: %w\n%s", component, ctx.Err(), p.tail(component))
		case <-tick.C:
		}
	}
}

func (p *Plane) healthURL(component Component) string {
	if number := component.number(); number > 0 {
		return p.ServerOf(number) + "/readyz"
	}
	switch component {
	case Etcd:
		return address("http", p.ports.etcdClient) + "/health"
	default:
		return address("https", p.ports.controllerManager) + "/healthz?verbose"
	}
}

// builtCheck is in the controller manager's answer once its controllers are
// built; before, it says that it is well and knows none, and ends if the API
// server goes away. It is of a controller that every plane has, also one that cannot
// sign.
const builtCheck = "certificatesigningrequest-approving-controller ok"

// healthClient asks the components how they are. It trusts the run's own
// certificates only: on a port that was taken meanwhile another run's component
// may answer.
func (p *Plane) healthClient() (*http.Client, error) {
	authorities, err := os.ReadFile(filepath.Join(p.Directory, servingCA+".crt"))
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(authorities)
	return &http.Client{
		Timeout: 2 * time.Second,
		Transport: &http.Transport{
			DisableKeepAlives: true,
			TLSClientConfig:   &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12},
		},
	}, nil
}

// health asks one component how it is.
func health(ctx context.Context, client *http.Client, address string) (answer string, ok bool) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return "", false
	}
	response, err := client.Do(request)
	if err != nil {
		return "", false
	}
	defer response.Body.Close() //nolint:errcheck // It is read, or not of interest.
	body, err := io.ReadAll(io.LimitReader(response.Body, 64<<10))
	return string(body), err == nil && response.StatusCode == http.StatusOK
}

func (p *Plane) logPath(component Component) string {
	return filepath.Join(p.Directory, string(component)+".log")
}

// tail is the end of a component's log.
func (p *Plane) tail(component Component) string {
	const most = 4000
	data, err := os.ReadFile(p.logPath(component))
	if err != nil {
		return err.Error()
	}
	return string(data[max(0, len(data)-most):])
}

func (p *Plane) logs() string {
	var b strings.Builder
	for _, component := range []Component{Etcd, APIServer, ControllerManager} {
		if exists(p.logPath(component)) {
			fmt.Fprintf(&b, "--- end of the log of %s\n%s\n", component, p.tail(component))
		}
	}
	return b.String()
}
