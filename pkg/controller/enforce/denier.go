package enforce

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/access"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/revocation"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/store"
)

// DefaultDenier is where the denier listens, unless another address is given.
const DefaultDenier = "127.0.0.1:10298"

// nobodyListens is the address of the webhook where no denier runs, which is never called:
// port 1 of the machine itself is for TCPMUX (RFC 1078), which nobody runs.
const nobodyListens = "127.0.0.1:1"

const (
	// largestReview bounds what the denier reads, in bytes, and denierPatience how long that
	// may take.
	largestReview  = 1 << 20
	denierPatience = 5 * time.Second
)

// loopback are the addresses that the denier can listen at, for which its certificate is.
func loopback() []net.IP { return []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback} }

// CheckDenierAddress refuses an address that is not one of this machine alone.
func CheckDenierAddress(address string) error {
	host, port, err := net.SplitHostPort(address)
	number, portErr := strconv.ParseUint(port, 10, 16)
	if err == nil && portErr == nil && number > 0 {
		for _, ip := range loopback() {
			if ip.Equal(net.ParseIP(host)) {
				return nil
			}
		}
	}
	return outcome.WithHint(outcome.Errorf(outcome.ErrUsage, "--denier %q is not an address with a port that this machine alone can reach", address),
		"for example: %s", identity.NewCommand("--denier="+DefaultDenier))
}

// denier answers the API server that the revoked are denied, and why. It never answers anything
// else: who could answer in its place could permit everything, so it has a certificate of its
// own, which is the only one that its kubeconfig trusts, and whose key does not leave the
// directory of the enforcer.
type denier struct {
	address     string
	certificate tls.Certificate
	// kubeconfig is the API server's, and token what it shows.
	kubeconfig []byte
	token      string
	// reasons are what the administrators wrote about each entry that is in force.
	reasons     atomic.Pointer[map[access.Blocked]string]
	isListening atomic.Bool
}

// newDenier reads the key and certificate of an earlier run, or makes them. They are only
// replaced if they cannot be used any more.
func newDenier(directory store.Enforcement, address string, now time.Time) (*denier, error) {
	text, err := directory.ReadDenierKey()
	if err != nil && !store.IsMissing(err) {
		return nil, err
	}
	d := &denier{address: address}
	if err == nil && d.use(text, now) {
		return d, nil
	}
	if text, err = newDenierKey(now); err != nil {
		return nil, err
	}
	if err := directory.WriteDenierKey(text); err != nil {
		return nil, err
	}
	if !d.use(text, now) {
		return nil, errors.New("the denier's key cannot be used")
	}
	return d, nil
}

// use takes key and certificate from a file, and reports whether they are whole and valid.
func (d *denier) use(text []byte, now time.Time) bool {
	certificate, err := tls.X509KeyPair(text, text)
	if err != nil || now.Before(certificate.Leaf.NotBefore) || !now.Before(certificate.Leaf.NotAfter) {
		return false
	}
	secret := sha256.Sum256(append([]byte("csr-onboard denier token\n"), text...))
	d.certificate, d.token = certificate, hex.EncodeToString(secret[:])
	authority := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Certificate[0]})
	d.kubeconfig, err = revocation.DenierKubeconfig(d.address, authority, d.token)
	return err == nil
}

// name tells the API server's kubeconfig from another one.
func (d *denier) name() string {
	sum := sha256.Sum256(d.kubeconfig)
	return hex.EncodeToString(sum[:4])
}

// newDenierKey makes a certificate, for the machine itself and nothing else, and its key, in
// PEM.
func newDenierKey(now time.Time) ([]byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "csr-onboard denier"},
		IPAddresses: loopback(), NotBefore: now.AddDate(0, 0, -1), NotAfter: now.AddDate(100, 0, 0),
		BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	encodedKey, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	var text bytes.Buffer
	for _, block := range []*pem.Block{{Type: "CERTIFICATE", Bytes: der}, {Type: "PRIVATE KEY", Bytes: encodedKey}} {
		if err := pem.Encode(&text, block); err != nil {
			return nil, err
		}
	}
	return text.Bytes(), nil
}

// listen begins to answer, unless it does already, and continues until the context ends.
func (d *denier) listen(ctx context.Context) error {
	if d.isListening.Load() {
		return nil
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", d.address)
	if err != nil {
		return err
	}
	d.isListening.Store(true)
	server := &http.Server{
		Handler: http.HandlerFunc(d.answer), ReadHeaderTimeout: denierPatience, ReadTimeout: denierPatience, WriteTimeout: denierPatience,
		MaxHeaderBytes: 16 << 10, ErrorLog: log.New(io.Discard, "", 0),
		TLSConfig: &tls.Config{Certificates: []tls.Certificate{d.certificate}, MinVersion: tls.VersionTLS13},
	}
	context.AfterFunc(ctx, func() { _ = server.Close() })
	go func() {
		// If it fails, it is tried again.
		_ = server.ServeTLS(listener, "", "")
		d.isListening.Store(false)
	}()
	return nil
}

// answer denies.
func (d *denier) answer(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != access.DenierPath || r.Method != http.MethodPost {
		http.NotFound(w, r)
		return
	}
	// Only the API server is told the reasons.
	if subtle.ConstantTimeCompare([]byte(r.Header.Get("Authorization")), []byte("Bearer "+d.token)) != 1 {
		http.Error(w, "unauthorized", http.StatusUnauthorized)
		return
	}
	var asked authorizationv1.SubjectAccessReview
	if body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, largestReview)); err != nil || json.Unmarshal(body, &asked) != nil {
		http.Error(w, "invalid SubjectAccessReview", http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	// What fails here fails in the API server as well, which denies then.
	_ = json.NewEncoder(w).Encode(authorizationv1.SubjectAccessReview{
		TypeMeta: metav1.TypeMeta{APIVersion: authorizationv1.SchemeGroupVersion.String(), Kind: "SubjectAccessReview"},
		Status:   authorizationv1.SubjectAccessReviewStatus{Denied: true, Reason: d.reasonFor(asked.Spec)},
	})
}

// reasonFor is what somebody is told who is denied: that access was revoked, and the reason
// that the administrator gave, but not who that is.
func (d *denier) reasonFor(who authorizationv1.SubjectAccessReviewSpec) string {
	var candidates []access.Blocked
	for _, id := range who.Extra[access.CredentialIDKey] {
		candidates = append(candidates, access.Blocked{CredentialID: id})
	}
	candidates = append(candidates, access.Blocked{User: who.User}, access.Blocked{User: who.User, IsPin: true})
	if reasons := d.reasons.Load(); reasons != nil {
		for _, blocked := range candidates {
			if reason := (*reasons)[blocked]; reason != "" {
				return revocation.Message + ": " + identity.Printable(reason)
			}
		}
	}
	return revocation.Message
}

// tell has the reasons of entries be the ones to tell.
func (d *denier) tell(entries []access.Entry) {
	reasons := map[access.Blocked]string{}
	for _, entry := range entries {
		reasons[entry.Blocked] = entry.Details.Reason
	}
	d.reasons.Store(&reasons)
}

// newSilentKubeconfig makes the kubeconfig of the webhook that is never called. A server that
// answered there with "allowed" would be believed, so it trusts a certificate authority whose key is
// forgotten here.
func newSilentKubeconfig() ([]byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "csr-onboard denier"},
		// It signs nothing, at any time.
		NotBefore: time.Unix(0, 0), NotAfter: time.Unix(0, 0).AddDate(200, 0, 0),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	return revocation.DenierKubeconfig(nobodyListens, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), "")
}

// isCertificate reports whether a text is a certificate in PEM.
func isCertificate(text []byte) bool {
	block, _ := pem.Decode(text)
	if block == nil || block.Type != "CERTIFICATE" {
		return false
	}
	_, err := x509.ParseCertificate(block.Bytes)
	return err == nil
}
