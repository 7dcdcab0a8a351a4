package controlplane

import (
	"fmt"
	"net"
	"path/filepath"
	"strconv"
	"strings"
)

// controllers are the controllers that identities and their rights depend on.
// The others look after nodes and workloads, which there are none of, and cost
// the start four seconds.
const controllers = "certificatesigningrequest-signing-controller," +
	"certificatesigningrequest-approving-controller," +
	"certificatesigningrequest-cleaner-controller," +
	"clusterrole-aggregation-controller," +
	"namespace-controller," +
	"root-ca-certificate-publisher-controller," +
	"serviceaccount-controller," +
	"serviceaccount-token-controller," +
	"validatingadmissionpolicy-status-controller"

// Component is one process of the control plane.
type Component string

// The components, in the order of their start.
const (
	Etcd              Component = "etcd"
	APIServer         Component = "kube-apiserver"
	ControllerManager Component = "kube-controller-manager"
)

// FurtherAPIServer is a further API server on the same etcd, from 2 on (see
// WithAuthorizationConfigs).
func FurtherAPIServer(number int) Component {
	return Component(fmt.Sprintf("%s-%d", APIServer, number))
}

// number is 1 for the first API server and more for a further one; 0 for another component.
func (c Component) number() int {
	if c == APIServer {
		return 1
	}
	suffix, isFurther := strings.CutPrefix(string(c), string(APIServer)+"-")
	number, err := strconv.Atoi(suffix)
	if !isFurther || err != nil {
		return 0
	}
	return number
}

// program is the binary that a component runs.
func (c Component) program() string {
	if c.number() > 0 {
		return string(APIServer)
	}
	return string(c)
}

// ports are the loopback ports of one run.
type ports struct {
	etcdClient, etcdPeer, apiServer, controllerManager int
	// further are those of further API servers.
	further []int
}

// ofAPIServer is the port of the API server of a number, from 1 on.
func (p ports) ofAPIServer(number int) int {
	if number == 1 {
		return p.apiServer
	}
	return p.further[number-2]
}

// freePorts picks ports that nobody listens on at this moment. Somebody may
// take one before its component does; Launch tries again then.
func freePorts(furtherAPIServers int) (ports, error) {
	p := ports{further: make([]int, furtherAPIServers)}
	all := []*int{&p.etcdClient, &p.etcdPeer, &p.apiServer, &p.controllerManager}
	for i := range p.further {
		all = append(all, &p.further[i])
	}
	for _, port := range all {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return ports{}, err
		}
		// Closed at the end only, so that no port is picked twice.
		defer listener.Close() //nolint:errcheck // Nothing was sent.
		*port = listener.Addr().(*net.TCPAddr).Port
	}
	return p, nil
}

func address(scheme string, port int) string {
	return fmt.Sprintf("%s://127.0.0.1:%d", scheme, port)
}

// arguments are a component's command line, for the files that credentials.go
// lays out in the run's directory.
func (p *Plane) arguments(component Component) []string {
	file := func(name string) string { return filepath.Join(p.Directory, name) }
	if number := component.number(); number > 0 {
		return p.apiServerArguments(number, file)
	}
	switch component {
	case Etcd:
		return []string{
			"--data-dir=" + file("etcd"),
			"--listen-client-urls=" + address("http", p.ports.etcdClient),
			"--advertise-client-urls=" + address("http", p.ports.etcdClient),
			"--listen-peer-urls=" + address("http", p.ports.etcdPeer),
			"--initial-advertise-peer-urls=" + address("http", p.ports.etcdPeer),
			"--initial-cluster=default=" + address("http", p.ports.etcdPeer),
			"--log-level=warn",
		}
	default:
		return append([]string{
			"--kubeconfig=" + file("controller-manager.kubeconfig"),
			"--authentication-kubeconfig=" + file("controller-manager.kubeconfig"),
			"--authorization-kubeconfig=" + file("controller-manager.kubeconfig"),
			"--bind-address=127.0.0.1",
			"--secure-port=" + strconv.Itoa(p.ports.controllerManager),
			"--tls-cert-file=" + file("controller-manager.crt"),
			"--tls-private-key-file=" + file("controller-manager.key"),
			"--leader-elect=false",
			"--controllers=" + controllers,
			"--cluster-signing-cert-file=" + file(clientCA+".crt"),
			"--cluster-signing-key-file=" + file(clientCA+".key"),
			"--use-service-account-credentials=true",
			"--service-account-private-key-file=" + file("service-accounts.key"),
		}, p.controllerFlags...)
	}
}

// apiServerArguments are the command line of the API server of a number.
func (p *Plane) apiServerArguments(number int, file func(string) string) []string {
	authorization, auditLog := "--authorization-mode=Node,RBAC", "audit.log"
	if len(p.authorizationConfigs) > 0 {
		authorization = "--authorization-config=" + p.authorizationConfigs[number-1]
	}
	if number > 1 {
		auditLog = fmt.Sprintf("audit-%d.log", number)
	}
	return append([]string{
		"--etcd-servers=" + address("http", p.ports.etcdClient),
		"--bind-address=127.0.0.1",
		"--advertise-address=127.0.0.1",
		"--secure-port=" + strconv.Itoa(p.ports.ofAPIServer(number)),
		"--client-ca-file=" + file(clientCA+".crt"),
		"--tls-cert-file=" + file("server.crt"),
		"--tls-private-key-file=" + file("server.key"),
		"--service-account-key-file=" + file("service-accounts.key"),
		"--service-account-signing-key-file=" + file("service-accounts.key"),
		"--service-account-issuer=https://kubernetes.default.svc",
		"--service-cluster-ip-range=10.0.0.0/24",
		authorization,
		"--endpoint-reconciler-type=none",
		"--audit-policy-file=" + file("audit-policy.yaml"),
		"--audit-log-path=" + file(auditLog),
	}, p.apiServerFlags...)
}
