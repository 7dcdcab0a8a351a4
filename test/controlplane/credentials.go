package controlplane

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// The names of the run's two authorities' files, without their endings: one
// signs the API server's certificate, the other the clients', so that a test
// which takes the one for the other fails.
const (
	servingCA = "serving-ca"
	clientCA  = "client-ca"
)

// clusterName and administrator name the entries of the kubeconfigs.
const (
	clusterName   = "csr-onboard"
	administrator = "administrator"
)

// auditPolicy records who did what with which program, and no bodies.
const auditPolicy = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: Metadata
  resources:
  - group: certificates.k8s.io
- level: None
`

// authority is a certificate authority made for one run.
type authority struct {
	certificate *x509.Certificate
	key         crypto.Signer
}

// writeCredentials makes every certificate, key and kubeconfig that the
// components and the administrator need.
func (p *Plane) writeCredentials() error {
	serving, err := p.newAuthority(servingCA)
	if err != nil {
		return err
	}
	if p.clients, err = p.clientAuthority(serving); err != nil {
		return err
	}
	err = p.writeCertificate("server", serving, &x509.Certificate{
		Subject:     pkix.Name{CommonName: "kube-apiserver"},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames:    []string{"localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc"},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback, net.IPv4(10, 0, 0, 1)},
	})
	if err != nil {
		return err
	}
	err = p.writeCertificate("controller-manager", serving, &x509.Certificate{
		Subject:     pkix.Name{CommonName: "kube-controller-manager"},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	})
	if err != nil {
		return err
	}
	serviceAccounts, err := newKey()
	if err != nil {
		return err
	}
	if err := p.writeKey("service-accounts.key", serviceAccounts); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(p.Directory, "audit-policy.yaml"), []byte(auditPolicy), 0o600); err != nil {
		return err
	}
	if err := p.writeKubeconfig("controller-manager", "system:kube-controller-manager", nil); err != nil {
		return err
	}
	return p.writeKubeconfig("admin", administrator, []string{"system:masters"})
}

// clientAuthority makes the authority of clients, or takes that of the server.
func (p *Plane) clientAuthority(serving *authority) (*authority, error) {
	if !p.oneAuthority {
		return p.newAuthority(clientCA)
	}
	if err := p.writePEM(clientCA+".crt", "CERTIFICATE", serving.certificate.Raw); err != nil {
		return nil, err
	}
	key, err := os.ReadFile(filepath.Join(p.Directory, servingCA+".key"))
	if err != nil {
		return nil, err
	}
	return serving, os.WriteFile(filepath.Join(p.Directory, clientCA+".key"), key, 0o600)
}

func newKey() (*ecdsa.PrivateKey, error) {
	return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
}

func (p *Plane) newAuthority(name string) (*authority, error) {
	key, err := newKey()
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber:          serialNumber(),
		Subject:               pkix.Name{CommonName: "csr-onboard test " + name},
		NotBefore:             time.Now().Add(-p.authorityAge),
		NotAfter:              time.Now().AddDate(10, 0, 0),
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature | x509.KeyUsageCRLSign,
		BasicConstraintsValid: true,
		IsCA:                  true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	if err := p.writePEM(name+".crt", "CERTIFICATE", der); err != nil {
		return nil, err
	}
	return &authority{certificate: certificate, key: key}, p.writeKey(name+".key", key)
}

// issue signs a certificate for a new key, for a year.
func (a *authority) issue(template *x509.Certificate) (certificate []byte, key *ecdsa.PrivateKey, _ error) {
	key, err := newKey()
	if err != nil {
		return nil, nil, err
	}
	template.SerialNumber = serialNumber()
	template.NotBefore = time.Now().Add(-time.Hour)
	template.NotAfter = time.Now().AddDate(1, 0, 0)
	template.KeyUsage = x509.KeyUsageDigitalSignature
	der, err := x509.CreateCertificate(rand.Reader, template, a.certificate, key.Public(), a.key)
	return der, key, err
}

func serialNumber() *big.Int {
	number := make([]byte, 16)
	// It never fails (crypto/rand).
	_, _ = rand.Read(number)
	number[0] &= 0x7f
	return new(big.Int).SetBytes(number)
}

func (p *Plane) writeCertificate(name string, by *authority, template *x509.Certificate) error {
	der, key, err := by.issue(template)
	if err != nil {
		return err
	}
	if err := p.writePEM(name+".crt", "CERTIFICATE", der); err != nil {
		return err
	}
	return p.writeKey(name+".key", key)
}

func (p *Plane) writeKey(name string, key *ecdsa.PrivateKey) error {
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return err
	}
	return p.writePEM(name, "EC PRIVATE KEY", der)
}

func (p *Plane) writePEM(name, kind string, der []byte) error {
	return os.WriteFile(filepath.Join(p.Directory, name), pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600)
}

// writeKubeconfig makes a client certificate and a kubeconfig that holds all it
// needs, FILE.kubeconfig in the run's directory.
func (p *Plane) writeKubeconfig(file, user string, groups []string) error {
	der, key, err := p.clients.issue(&x509.Certificate{
		Subject:     pkix.Name{CommonName: user, Organization: groups},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
	if err != nil {
		return err
	}
	keyDER, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return err
	}
	authorities, err := os.ReadFile(filepath.Join(p.Directory, servingCA+".crt"))
	if err != nil {
		return err
	}
	config := clientcmdapi.NewConfig()
	config.Clusters[clusterName] = &clientcmdapi.Cluster{Server: p.Server, CertificateAuthorityData: authorities}
	config.AuthInfos[user] = &clientcmdapi.AuthInfo{
		ClientCertificateData: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		ClientKeyData:         pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: keyDER}),
	}
	context := user + "@" + clusterName
	config.Contexts[context] = &clientcmdapi.Context{Cluster: clusterName, AuthInfo: user}
	config.CurrentContext = context
	return clientcmd.WriteToFile(*config, p.kubeconfig(file))
}

func (p *Plane) kubeconfig(file string) string {
	return filepath.Join(p.Directory, file+".kubeconfig")
}

// AddContext adds the current user of a kubeconfig to another kubeconfig, under one name for context,
// cluster and user. server is the address of the API server; "" is the kubeconfig's.
func AddContext(config *clientcmdapi.Config, name, kubeconfig, server string) error {
	one, err := clientcmd.LoadFromFile(kubeconfig)
	if err != nil {
		return err
	}
	if err := clientcmdapi.FlattenConfig(one); err != nil {
		return err
	}
	current := one.Contexts[one.CurrentContext]
	cluster := one.Clusters[current.Cluster]
	if server != "" {
		cluster.Server = server
	}
	config.Clusters[name], config.AuthInfos[name] = cluster, one.AuthInfos[current.AuthInfo]
	config.Contexts[name] = &clientcmdapi.Context{Cluster: name, AuthInfo: name}
	return nil
}
