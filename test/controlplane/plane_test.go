package controlplane

import (
	"context"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
)

// patience bounds every wait here; what is waited for usually takes less than a
// second.
const patience = 20 * time.Second

func TestPlane_StartGivesAClusterThatOnboards(t *testing.T) {
	readsRequests := rbacv1.PolicyRule{
		APIGroups: []string{certificatesv1.GroupName},
		Resources: []string{"certificatesigningrequests"},
		Verbs:     []string{"list"},
	}
	plane := Start(t,
		WithUser("ada", []string{"auditors", "readers"}, readsRequests),
		WithUser("bob", nil),
	)
	administrator := clientOf(t, plane.Kubeconfig)

	t.Run("the administrator is who the kubeconfig says", func(t *testing.T) {
		who := whoAmI(t, administrator)
		if who.Username != "administrator" || !slices.Contains(who.Groups, "system:masters") {
			t.Errorf("logged in as %q of %q", who.Username, who.Groups)
		}
	})

	t.Run("kubectl is there and of the same version", func(t *testing.T) {
		release, err := version(kubernetesModule)
		if err != nil {
			t.Fatal(err)
		}
		out, err := exec.Command(plane.Binary(Kubectl), "--kubeconfig", plane.Kubeconfig, "version").CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		for _, line := range []string{"Client Version: " + release, "Server Version: " + release} {
			if !strings.Contains(string(out), line) {
				t.Errorf("kubectl version does not say %q:\n%s", line, out)
			}
		}
	})

	t.Run("an approved request is signed by the client authority for a year", func(t *testing.T) {
		certificate := issued(t, administrator, "jane")
		pool := x509.NewCertPool()
		pool.AppendCertsFromPEM(contentOf(t, plane.CertificateAuthority))
		usages := []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
		if _, err := certificate.Verify(x509.VerifyOptions{Roots: pool, KeyUsages: usages}); err != nil {
			t.Error(err)
		}
		if lifetime := certificate.NotAfter.Sub(certificate.NotBefore); lifetime < 364*24*time.Hour {
			t.Errorf("it ends after %s", lifetime)
		}
	})

	t.Run("a user may do what the role says and nothing else", func(t *testing.T) {
		ada := clientOf(t, plane.KubeconfigOf("ada"))
		who := whoAmI(t, ada)
		if who.Username != "ada" || !slices.Contains(who.Groups, "auditors") || !slices.Contains(who.Groups, "readers") {
			t.Errorf("logged in as %q of %q", who.Username, who.Groups)
		}
		if _, err := ada.CertificatesV1().CertificateSigningRequests().List(t.Context(), metav1.ListOptions{}); err != nil {
			t.Error(err)
		}
		if _, err := ada.CoreV1().Namespaces().List(t.Context(), metav1.ListOptions{}); !apierrors.IsForbidden(err) {
			t.Errorf("listing namespaces was not forbidden: %v", err)
		}
	})

	t.Run("a user without rules may log in and nothing else", func(t *testing.T) {
		bob := clientOf(t, plane.KubeconfigOf("bob"))
		if who := whoAmI(t, bob); who.Username != "bob" {
			t.Errorf("logged in as %q", who.Username)
		}
		if _, err := bob.CertificatesV1().CertificateSigningRequests().List(t.Context(), metav1.ListOptions{}); !apierrors.IsForbidden(err) {
			t.Errorf("listing requests was not forbidden: %v", err)
		}
	})

	t.Run("a user added later has these rights at once", func(t *testing.T) {
		if err := plane.AddUser(t.Context(), "eve@example.com", nil, readsRequests); err != nil {
			t.Fatal(err)
		}
		eve := clientOf(t, plane.KubeconfigOf("eve@example.com"))
		if _, err := eve.CertificatesV1().CertificateSigningRequests().List(t.Context(), metav1.ListOptions{}); err != nil {
			t.Error(err)
		}
	})

	t.Run("the built-in role view grants what it says", func(t *testing.T) {
		// Its rules are aggregated by a controller.
		await(t, "rules in the role view", func() bool {
			role, err := administrator.RbacV1().ClusterRoles().Get(t.Context(), "view", metav1.GetOptions{})
			return err == nil && len(role.Rules) > 0
		})
	})

	t.Run("secrets are for their owner's eyes", func(t *testing.T) {
		err := filepath.WalkDir(plane.Directory, func(path string, entry fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			info, err := entry.Info()
			if errors.Is(err, fs.ErrNotExist) {
				// etcd renames its files as it goes.
				return nil
			}
			if err == nil && info.Mode().Perm()&0o077 != 0 {
				t.Errorf("%s has mode %v", path, info.Mode())
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
	})

	t.Run("the audit log tells which program asked", func(t *testing.T) {
		await(t, "a user agent in the audit log", func() bool {
			return strings.Contains(string(contentOf(t, plane.AuditLog)), `"userAgent":"`+filepath.Base(os.Args[0])+"/")
		})
	})
}

func TestPlane_WithoutControllerManagerNobodySigns(t *testing.T) {
	plane := Start(t, WithoutControllerManager())
	if who := whoAmI(t, clientOf(t, plane.Kubeconfig)); who.Username != "administrator" {
		t.Errorf("logged in as %q", who.Username)
	}
	if err := plane.keeper.ask(keeperCommand{Check: ControllerManager}); err == nil {
		t.Error("the controller manager is running")
	}
	if isListening(plane.ports.controllerManager) {
		t.Error("somebody listens on the controller manager's port")
	}
}

func TestPlane_TheControllerManagersOptions(t *testing.T) {
	plane := Start(t, WithMaximumLifetime(2*time.Hour), WithControllerManagerRate(7, 9))
	certificate := issued(t, clientOf(t, plane.Kubeconfig), "jane")
	// The signer sets the beginning five minutes back, and the end from now.
	if left := time.Until(certificate.NotAfter); left > 2*time.Hour || left < time.Hour {
		t.Errorf("the certificate ends in %s", left)
	}
	for _, want := range []string{"--kube-api-qps=7", "--kube-api-burst=9"} {
		if !slices.Contains(plane.arguments(ControllerManager), want) {
			t.Errorf("the controller manager was not given %s", want)
		}
	}
}

func TestPlane_ComponentsKeepPortsAndDataOverARestart(t *testing.T) {
	plane := Start(t)
	client := clientOf(t, plane.Kubeconfig)
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "kept"}}
	if _, err := client.CoreV1().Namespaces().Create(t.Context(), namespace, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	// A watch that stays open is what makes a polite API server slow to end.
	watch, err := client.CoreV1().Namespaces().Watch(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer watch.Stop()

	begin := time.Now()
	if err := plane.StopComponent(APIServer); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(begin); took > 10*time.Second {
		t.Errorf("stopping the API server took %s", took)
	}
	if isListening(plane.ports.apiServer) {
		t.Error("the stopped API server listens")
	}
	if err := plane.StopComponent(APIServer); err == nil {
		t.Error("stopping it a second time was no error")
	}
	if err := plane.StartComponent(t.Context(), APIServer); err != nil {
		t.Fatal(err)
	}
	if _, err := clientOf(t, plane.Kubeconfig).CoreV1().Namespaces().Get(t.Context(), "kept", metav1.GetOptions{}); err != nil {
		t.Error(err)
	}

	// A port that was taken meanwhile is named as the cause, and what answers
	// on it is never taken for the component.
	everyone := []Component{ControllerManager, APIServer, Etcd}
	for _, component := range everyone {
		if err := plane.StopComponent(component); err != nil {
			t.Fatal(err)
		}
	}
	ports := map[Component]int{Etcd: plane.ports.etcdClient, APIServer: plane.ports.apiServer, ControllerManager: plane.ports.controllerManager}
	slices.Reverse(everyone)
	for _, component := range everyone {
		listener, err := net.Listen("tcp", loopback(ports[component]))
		if err != nil {
			t.Fatal(err)
		}
		go hangUp(listener)
		if err := plane.StartComponent(t.Context(), component); !errors.Is(err, errAddressInUse) {
			t.Errorf("%s on a port that is taken: %v", component, err)
		}
		if err := listener.Close(); err != nil {
			t.Fatal(err)
		}
		// The log still tells of the port that was taken before.
		if err := plane.StartComponent(t.Context(), component); err != nil {
			t.Fatal(err)
		}
	}
	issued(t, clientOf(t, plane.Kubeconfig), "jane")
}

func TestPlane_StopLeavesNothing(t *testing.T) {
	directory := filepath.Join(t.TempDir(), "new", "plane")
	plane, err := Launch(t.Context(), WithDirectory(directory), WithProgress(testLog{t}))
	if err != nil {
		t.Fatal(err)
	}
	if plane.Directory != directory {
		t.Errorf("its directory is %q", plane.Directory)
	}
	begin := time.Now()
	if err := plane.Stop(); err != nil {
		t.Error(err)
	}
	t.Logf("stopping took %s", time.Since(begin))
	for what, is := range remains(t, plane.Directory, plane.ports) {
		if is {
			t.Errorf("after Stop there is still %s", what)
		}
	}
	if err := plane.Stop(); err != nil {
		t.Errorf("stopping it again: %v", err)
	}
}

func TestPlane_LaunchThatIsInterruptedLeavesNothing(t *testing.T) {
	directory := filepath.Join(t.TempDir(), "plane")
	ctx, cancel := context.WithCancel(t.Context())
	// The start is interrupted when its first process writes its log.
	finished := make(chan error, 1)
	go func() {
		_, err := Launch(ctx, WithDirectory(directory))
		finished <- err
	}()
	await(t, "the API server's log", func() bool { return exists(filepath.Join(directory, string(APIServer)+".log")) })
	cancel()
	if err := <-finished; !errors.Is(err, context.Canceled) {
		t.Errorf("Launch returned %v", err)
	}
	for what, is := range remains(t, directory, ports{}) {
		if is {
			t.Errorf("afterwards there is still %s", what)
		}
	}
}

// remains tells what of a plane is still there.
func remains(t *testing.T, directory string, p ports) map[string]bool {
	t.Helper()
	return map[string]bool{
		"its directory":                 exists(directory),
		"a process of it":               len(processesOf(t, directory)) > 0,
		"etcd's port":                   isListening(p.etcdClient) || isListening(p.etcdPeer),
		"the API server's port":         isListening(p.apiServer),
		"the controller manager's port": isListening(p.controllerManager),
	}
}

// processesOf are the processes that name the directory on their command line.
func processesOf(t *testing.T, directory string) []int {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Log("without /proc only the ports tell what runs")
		return nil
	}
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	var found []int
	for _, file := range files {
		line, err := os.ReadFile(file)
		// Most processes of a machine end some time.
		if err != nil || !strings.Contains(string(line), directory) {
			continue
		}
		id, err := strconv.Atoi(filepath.Base(filepath.Dir(file)))
		if err != nil {
			t.Fatal(err)
		}
		if id != os.Getpid() {
			found = append(found, id)
		}
	}
	return found
}

// hangUp ends every connection, until the listener is closed.
func hangUp(listener net.Listener) {
	for {
		connection, err := listener.Accept()
		if err != nil {
			return
		}
		_ = connection.Close()
	}
}

func isListening(port int) bool {
	connection, err := net.Dial("tcp", loopback(port))
	if err != nil {
		return false
	}
	_ = connection.Close()
	return true
}

func loopback(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }

func await(t *testing.T, what string, is func() bool) {
	t.Helper()
	deadline := time.After(patience)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !is() {
		select {
		case <-deadline:
			t.Fatalf("there is no %s after %s", what, patience)
		case <-tick.C:
		}
	}
}

func contentOf(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func clientOf(t *testing.T, kubeconfig string) *kubernetes.Clientset {
	t.Helper()
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

func whoAmI(t *testing.T, client *kubernetes.Clientset) authenticationv1.UserInfo {
	t.Helper()
	review, err := client.AuthenticationV1().SelfSubjectReviews().Create(t.Context(), &authenticationv1.SelfSubjectReview{}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return review.Status.UserInfo
}

// issued asks for a client certificate, approves it and returns what the cluster
// signed.
func issued(t *testing.T, client *kubernetes.Clientset, user string) *x509.Certificate {
	t.Helper()
	key, err := newKey()
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: user}}, key)
	if err != nil {
		t.Fatal(err)
	}
	requests := client.CertificatesV1().CertificateSigningRequests()
	request, err := requests.Create(t.Context(), &certificatesv1.CertificateSigningRequest{
		ObjectMeta: metav1.ObjectMeta{GenerateName: user + "-"},
		Spec: certificatesv1.CertificateSigningRequestSpec{
			Request:    pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}),
			SignerName: certificatesv1.KubeAPIServerClientSignerName,
			Usages:     []certificatesv1.KeyUsage{certificatesv1.UsageClientAuth},
		},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	request.Status.Conditions = []certificatesv1.CertificateSigningRequestCondition{{
		Type: certificatesv1.CertificateApproved, Status: corev1.ConditionTrue, Reason: "Test",
	}}
	if _, err := requests.UpdateApproval(t.Context(), request.Name, request, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	await(t, "certificate", func() bool {
		request, err = requests.Get(t.Context(), request.Name, metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return len(request.Status.Certificate) > 0
	})
	t.Logf("signed after %s", time.Since(begin).Round(time.Millisecond))
	block, _ := pem.Decode(request.Status.Certificate)
	certificate, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return certificate
}
