package e2e

import (
	"context"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/csr-onboard/kubectl-csr-onboard/test/program"
)

func TestOnline_ThreeCommandsThroughKubectlMakeAUserWhoLogsIn(t *testing.T) {
	s := newSession(t, shared)
	plugin := func(arguments ...string) program.Result {
		t.Helper()
		result := s.kubectl(append([]string{"csr-onboard"}, arguments...)...)
		if result.Code != 0 {
			t.Fatalf("%q: exit code %d\n%s", arguments, result.Code, result.Stderr)
		}
		return result
	}
	plugin("new-user", "jane", "-g", "dev", "--dir", "D")
	plugin("approve", "jane", "--yes")
	fetched := plugin("fetch", "jane", "--dir", "D")

	if want := "D/jane.kubeconfig\n"; fetched.Stdout != want {
		t.Errorf("fetch printed %q, want %q", fetched.Stdout, want)
	}
	if !strings.Contains(fetched.Stderr, "logged in: the cluster knows the holder as jane (dev, system:authenticated)") {
		t.Errorf("fetch does not say who the cluster says the user is:\n%s", fetched.Stderr)
	}
	whoami := s.kubectl("--kubeconfig", "D/jane.kubeconfig", "auth", "whoami", "-o", "jsonpath={.status.userInfo.username} {.status.userInfo.groups}")
	if want := `jane ["dev","system:authenticated"]`; whoami.Stdout != want {
		t.Errorf("whoami says %q, want %q\n%s", whoami.Stdout, want, whoami.Stderr)
	}
	for _, file := range []string{"jane.key", "jane.kubeconfig"} {
		info, err := os.Stat(s.path("D", file))
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v, want 0600", file, info.Mode())
		}
	}
	if info, err := os.Stat(s.path("D")); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the directory: %v, %v; want mode 0700", info.Mode(), err)
	}
}

func TestOnline_TheRequestAsksForExactlyWhatTheContractSays(t *testing.T) {
	s := newSession(t, shared)
	printed := s.must("new-user", "carla", "-g", "dev", "-g", "the ops team", "--expiration", "8h", "--dir", "D")
	object := s.object(printed.Stdout)

	if object.Spec.SignerName != "kubernetes.io/kube-apiserver-client" {
		t.Errorf("the signer is %q", object.Spec.SignerName)
	}
	if len(object.Spec.Usages) != 1 || object.Spec.Usages[0] != "client auth" {
		t.Errorf("the usages are %q, want client auth alone", object.Spec.Usages)
	}
	if seconds := object.Spec.ExpirationSeconds; seconds == nil || *seconds != 8*60*60 {
		t.Errorf("expirationSeconds is %v, want 28800", seconds)
	}
	if !strings.HasPrefix(object.Name, "carla-") || len(object.Name) != len("carla-")+10 {
		t.Errorf("the object's name is %q", object.Name)
	}
	if got, want := string(object.Spec.Request), string(s.read("D", "carla.csr")); got != want {
		t.Errorf("the submitted request is not the one in the directory")
	}
	block, _ := pem.Decode(object.Spec.Request)
	request, err := x509.ParseCertificateRequest(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	if err := request.CheckSignature(); err != nil {
		t.Error(err)
	}
	if got, want := request.Subject.CommonName+"|"+strings.Join(request.Subject.Organization, "|"), "carla|dev|the ops team"; got != want {
		t.Errorf("the subject is %q, want %q", got, want)
	}
	key, _ := pem.Decode(s.read("D", "carla.key"))
	if key == nil || key.Type != "PRIVATE KEY" {
		t.Errorf("the key is no PKCS#8 PEM block")
	}
}

func TestOnline_NewUserWithApproveDoesAllInOneRun(t *testing.T) {
	s := newSession(t, shared)
	printed := s.must("new-user", "bob", "-g", "dev", "--approve", "--dir", "D")
	if want := "D/bob.kubeconfig\n"; printed.Stdout != want {
		t.Errorf("standard output is %q, want %q", printed.Stdout, want)
	}
	if who := whoIs(t, s.path("D", "bob.kubeconfig")); who != "bob" {
		t.Errorf("the kubeconfig logs in as %q", who)
	}

	again := s.must("new-user", "bob", "-g", "dev", "--approve", "--dir", "D")
	for _, text := range []string{"using the existing private key", "using the existing certificate signing request"} {
		if !strings.Contains(again.Stderr, text) {
			t.Errorf("a second run does not say %q:\n%s", text, again.Stderr)
		}
	}
}

func TestOnline_TheDefaultDirectoryIsTheUsersOwn(t *testing.T) {
	s := newSession(t, shared)
	s.must("new-user", "Zoë Å", "--approve")
	matches, err := os.ReadDir(s.path(".kube", "csr-onboard"))
	if err != nil {
		t.Fatal(err)
	}
	if len(matches) != 1 || !strings.HasPrefix(matches[0].Name(), "zo~") && !strings.HasPrefix(matches[0].Name(), "zo-") {
		t.Fatalf("the directories are %v", matches)
	}
	directory := matches[0].Name()
	if who := whoIs(t, s.path(".kube", "csr-onboard", directory, directory+".kubeconfig")); who != "Zoë Å" {
		t.Errorf("the kubeconfig logs in as %q", who)
	}
}

func TestOnline_NewUserAgainFindsItsKeyAndItsRequest(t *testing.T) {
	s := newSession(t, shared)
	first := s.must("new-user", "erin", "-g", "dev", "--dir", "D")
	key, request := s.read("D", "erin.key"), s.read("D", "erin.csr")

	second := s.must("new-user", "erin", "-g", "dev", "--dir", "D")
	if objectName(first.Stdout) != objectName(second.Stdout) {
		t.Errorf("the second run made %q, the first %q", second.Stdout, first.Stdout)
	}
	for _, text := range []string{"using the existing private key", "using the existing certificate signing request"} {
		if !strings.Contains(second.Stderr, text) {
			t.Errorf("the second run does not say %q:\n%s", text, second.Stderr)
		}
	}
	if string(s.read("D", "erin.key")) != string(key) || string(s.read("D", "erin.csr")) != string(request) {
		t.Error("the second run changed the key or the request")
	}
	if n := countRequestsOf(s, "erin-"); n != 1 {
		t.Errorf("there are %d requests, want 1", n)
	}

	longer := s.must("new-user", "erin", "-g", "dev", "--dir", "D", "--expiration", "60d")
	if text := "it asks for 30d, not for 60d"; !strings.Contains(longer.Stderr, text) {
		t.Errorf("a run with another lifetime does not say %q:\n%s", text, longer.Stderr)
	}
}

func TestOnline_OtherGroupsMakeAnotherRequestWithTheSameKey(t *testing.T) {
	s := newSession(t, shared)
	s.must("new-user", "frank", "-g", "dev", "--dir", "D")
	key := s.read("D", "frank.key")
	s.must("new-user", "frank", "-g", "ops", "--approve", "--dir", "D")
	if string(s.read("D", "frank.key")) != string(key) {
		t.Error("the key was replaced")
	}
	whoami := s.kubectl("--kubeconfig", "D/frank.kubeconfig", "auth", "whoami", "-o", "jsonpath={.status.userInfo.groups}")
	if want := `["ops","system:authenticated"]`; whoami.Stdout != want {
		t.Errorf("the groups are %s, want %s", whoami.Stdout, want)
	}
}

func TestOnline_FetchTakesTheRequestsNameAsWell(t *testing.T) {
	s := newSession(t, shared)
	name := objectName(s.must("new-user", "gina", "--dir", "D").Stdout)
	s.must("approve", name, "--yes")
	if fetched := s.must("fetch", name, "--dir", "D"); fetched.Stdout != "D/gina.kubeconfig\n" {
		t.Errorf("fetch printed %q", fetched.Stdout)
	}
}

func TestOnline_TheCertificateIsTheClustersForTheKeyInTheKubeconfig(t *testing.T) {
	s := newSession(t, shared)
	s.must("new-user", "hana", "-g", "dev", "--approve", "--dir", "D")
	config, err := clientcmd.LoadFromFile(s.path("D", "hana.kubeconfig"))
	if err != nil {
		t.Fatal(err)
	}
	user := config.AuthInfos["hana@csr-onboard"]
	if string(user.ClientKeyData) != string(s.read("D", "hana.key")) {
		t.Error("the kubeconfig holds another key than the directory")
	}
	block, rest := pem.Decode(user.ClientCertificateData)
	if len(rest) > 0 {
		t.Error("there is more than the certificate")
	}
	certificate, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	authority, err := os.ReadFile(shared.CertificateAuthority)
	if err != nil {
		t.Fatal(err)
	}
	roots.AppendCertsFromPEM(authority)
	if _, err := certificate.Verify(x509.VerifyOptions{Roots: roots, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}); err != nil {
		t.Error(err)
	}
	if lifetime := certificate.NotAfter.Sub(certificate.NotBefore); lifetime.Round(time.Hour) != 30*24*time.Hour {
		t.Errorf("the certificate is good for %s, want 30 days", lifetime)
	}
	if config.CurrentContext != "hana@csr-onboard" || config.Contexts["hana@csr-onboard"].AuthInfo != "hana@csr-onboard" {
		t.Errorf("the context is %q: %v", config.CurrentContext, config.Contexts)
	}
	if cluster := config.Clusters["csr-onboard"]; cluster.Server != shared.Server || len(cluster.CertificateAuthorityData) == 0 {
		t.Errorf("the cluster is %v", cluster)
	}
}

func TestOnline_OpenSSLAgrees(t *testing.T) {
	openssl, err := exec.LookPath("openssl")
	if err != nil {
		t.Skip("there is no openssl on this machine")
	}
	s := newSession(t, shared)
	s.must("new-user", "ivan", "-g", "dev", "--approve", "--dir", "D")
	config, err := clientcmd.LoadFromFile(s.path("D", "ivan.kubeconfig"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(s.path("ivan.crt"), config.AuthInfos["ivan@csr-onboard"].ClientCertificateData, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, arguments := range [][]string{
		{"req", "-in", s.path("D", "ivan.csr"), "-verify", "-noout"},
		{"verify", "-CAfile", shared.CertificateAuthority, "-purpose", "sslclient", s.path("ivan.crt")},
		{"pkey", "-in", s.path("D", "ivan.key"), "-check", "-noout"},
	} {
		if output, err := exec.Command(openssl, arguments...).CombinedOutput(); err != nil {
			t.Errorf("openssl %q: %v\n%s", arguments, err, output)
		}
	}
}

func TestOnline_NoPrivateKeyIsPrintedOrSent(t *testing.T) {
	s := newSession(t, shared)
	var printed strings.Builder
	for _, arguments := range [][]string{
		{"new-user", "judy", "--dir", "D"}, {"new-user", "judy", "--dir", "D"}, {"approve", "judy", "--yes"}, {"fetch", "judy", "--dir", "D"},
	} {
		result := s.must(arguments...)
		printed.WriteString(result.Stdout + result.Stderr)
	}
	object, err := json.Marshal(s.object(s.must("new-user", "judy", "--dir", "D").Stdout))
	if err != nil {
		t.Fatal(err)
	}
	audit, err := os.ReadFile(shared.AuditLog)
	if err != nil {
		t.Fatal(err)
	}
	printed.Write(object)
	printed.Write(audit)
	key := s.read("D", "judy.key")
	body := strings.Split(string(key), "\n")
	for _, secret := range []string{body[1], body[2], base64.StdEncoding.EncodeToString(key)[60:], "PRIVATE KEY"} {
		if strings.Contains(printed.String(), secret) {
			t.Errorf("the private key left its file: %q is in what was printed, sent or logged", secret)
		}
	}
	if leftovers := temporaryFiles(t, s.path("D")); len(leftovers) > 0 {
		t.Errorf("temporary files were left: %v", leftovers)
	}
}

func TestOnline_AuditLogsAndApprovalsNameTheProgram(t *testing.T) {
	s := newSession(t, shared)
	name := objectName(s.must("new-user", "karl", "--dir", "D").Stdout)
	s.as(approver).must("approve", "karl", "--yes", "--message", "joined on Monday")

	conditions := s.object("x/" + name).Status.Conditions
	if len(conditions) != 1 || conditions[0].Reason != "CSROnboardApproved" ||
		conditions[0].Message != "joined on Monday (approved by approver with kubectl csr-onboard v0.0.0-test)" {
		t.Errorf("the approval is %v", conditions)
	}
	log, err := os.ReadFile(shared.AuditLog)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(log), `"userAgent":"kubectl-csr_onboard/v0.0.0-test (`) {
		t.Error("the audit log does not show the program's user agent")
	}
}

func whoIs(t *testing.T, kubeconfig string) string {
	t.Helper()
	return selfSubjectReview(t, clientOf(t, kubeconfig))
}

func countRequestsOf(s *session, prefix string) int {
	s.t.Helper()
	list, err := s.client().CertificatesV1().CertificateSigningRequests().List(context.Background(), metav1.ListOptions{})
	if err != nil {
		s.t.Fatal(err)
	}
	n := 0
	for _, item := range list.Items {
		if strings.HasPrefix(item.Name, prefix) {
			n++
		}
	}
	return n
}

func temporaryFiles(t *testing.T, directory string) []string {
	t.Helper()
	entries, err := os.ReadDir(directory)
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, entry := range entries {
		if strings.HasPrefix(entry.Name(), ".") {
			found = append(found, entry.Name())
		}
	}
	return found
}
