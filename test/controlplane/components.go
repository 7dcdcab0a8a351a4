package controlplane

import (
	"fmt"
	"net"
	"path/filepath"
	"strconv"
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

// ports are the loopback ports of one run.
type ports struct {
	etcdClient, etcdPeer, apiServer, controllerManager int
}

// freePorts picks ports that nobody listens on at this moment. Somebody may
// take one before its component does; Launch tries again then.
func freePorts() (ports, error) {
	var p ports
	for _, port := range []*int{&p.etcdClient, &p.etcdPeer, &p.apiServer, &p.controllerManager} {
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
	case APIServer:
		return append([]string{
			"--etcd-servers=" + address("http", p.ports.etcdClient),
			"--bind-address=127.0.0.1",
			"--advertise-address=127.0.0.1",
			"--secure-port=" + strconv.Itoa(p.ports.apiServer),
			"--client-ca-file=" + file(clientCA+".crt"),
			"--tls-cert-file=" + file("server.crt"),
			"--tls-private-key-file=" + file("server.key"),
			"--service-account-key-file=" + file("service-accounts.key"),
			"--service-account-signing-key-file=" + file("service-accounts.key"),
			"--service-account-issuer=https://kubernetes.default.svc",
			"--service-cluster-ip-range=10.0.0.0/24",
			"--authorization-mode=Node,RBAC",
			"--endpoint-reconciler-type=none",
			"--audit-policy-file=" + file("audit-policy.yaml"),
			"--audit-log-path=" + file("audit.log"),
		}, p.apiServerFlags...)
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
