package e2e

import (
	"context"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/scheme"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cmd"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
	"github.com/csr-onboard/kubectl-csr-onboard/test/controlplane"
)

func user(name string) rbacv1.Subject {
	return rbacv1.Subject{Kind: rbacv1.UserKind, APIGroup: rbacv1.GroupName, Name: name}
}

func group(name string) rbacv1.Subject {
	return rbacv1.Subject{Kind: rbacv1.GroupKind, APIGroup: rbacv1.GroupName, Name: name}
}

func TestOffboard_OffboardingTakesAwayWhatIsHersAndNothingElse(t *testing.T) {
	s := newSession(t, shared)
	s.namespace("leaving")
	s.must("new-user", "luzie", "-g", "leaving-group", "--approve", "--dir", "D", "--clusterrole", "view", "-n", "leaving")
	_, err := s.client().RbacV1().RoleBindings("leaving").Create(t.Context(), &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "of-three", Labels: map[string]string{"kept": "yes"}},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "view"},
		Subjects:   []rbacv1.Subject{user("bob"), user("luzie"), group("luzie")},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	pending := s.must("new-user", "luzie", "--dir", "D2").Stdout
	kubeconfig := s.path("D", "luzie.kubeconfig")
	if !mayListPods(t, kubeconfig, "leaving") {
		t.Fatal("the user could not list pods to begin with")
	}

	preview := s.must("offboard", "luzie", "--dry-run=client").Stdout
	for _, text := range []string{
		"deny the pending request luzie-", "remove the user from rolebinding.rbac.authorization.k8s.io/of-three in leaving, which gives ClusterRole/view in leaving; 2 others stay in it",
		"delete rolebinding.rbac.authorization.k8s.io/csr-onboard-luzie-", "a certificate that logs in until ", "X509SHA256=", "Kubernetes cannot revoke a certificate, and csr-onboard can where enforcers run.",
	} {
		if !strings.Contains(preview, text) {
			t.Errorf("the dry run does not say %q:\n%s", text, preview)
		}
	}
	s.must("offboard", "luzie", "--dry-run=server", "--yes")
	s.check(s.run("offboard", "luzie"), expect{2, []string{`no terminal is available to confirm that "luzie" is to be offboarded`}})
	if !mayListPods(t, kubeconfig, "leaving") || request.StateOf(s.object(pending)) != request.Pending {
		t.Fatal("a dry run, or a question that nobody answered, took something away")
	}

	s.must("offboard", "luzie", "--yes")
	err = wait.PollUntilContextTimeout(t.Context(), 20*time.Millisecond, patience, true, func(context.Context) (bool, error) {
		// The API server learns of a binding by a watch.
		return !mayListPods(t, kubeconfig, "leaving"), nil
	})
	if err != nil {
		t.Error("the user may still list pods")
	}
	kept, err := s.client().RbacV1().RoleBindings("leaving").Get(t.Context(), "of-three", metav1.GetOptions{})
	if err != nil || len(kept.Subjects) != 2 || kept.Subjects[0] != user("bob") || kept.Subjects[1] != group("luzie") || kept.Labels["kept"] != "yes" {
		t.Errorf("the binding of three is %+v, %v", kept, err)
	}
	if state := request.StateOf(s.object(pending)); state != request.Denied {
		t.Errorf("the user's pending request is %s", state)
	}
	if again := s.must("offboard", "luzie", "--yes"); !strings.Contains(again.Stderr, "nothing: no pending request and no role binding names the user") {
		t.Errorf("the second run says\n%s", again.Stderr)
	}
}

// writes are what a cluster-admin does that changes something.
var writes = map[string]func(context.Context, kubernetes.Interface) error{
	"create": func(ctx context.Context, c kubernetes.Interface) error {
		_, err := c.CoreV1().ConfigMaps("default").Create(ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{GenerateName: "written-"}}, metav1.CreateOptions{})
		return err
	},
	"patch": func(ctx context.Context, c kubernetes.Interface) error {
		_, err := c.CoreV1().ConfigMaps("default").Patch(ctx, "target", types.MergePatchType, []byte(`{"data":{"at":"`+time.Now().String()+`"}}`), metav1.PatchOptions{})
		return err
	},
	"delete": func(ctx context.Context, c kubernetes.Interface) error {
		return c.CoreV1().ConfigMaps("default").Delete(ctx, "target", metav1.DeleteOptions{DryRun: []string{metav1.DryRunAll}})
	},
	"exec": func(ctx context.Context, c kubernetes.Interface) error {
		return c.CoreV1().RESTClient().Post().Namespace("default").Resource("pods").Name("idle").SubResource("exec").
			VersionedParams(&corev1.PodExecOptions{Command: []string{"true"}, Stdout: true}, scheme.ParameterCodec).Do(ctx).Error()
	},
}

// isBlocked reports whether an error is the policy's.
func isBlocked(err error) bool {
	return apierrors.IsForbidden(err) && strings.Contains(err.Error(), "this identity was blocked by an administrator")
}

func TestOffboard_ABlockedIdentityWritesNothing(t *testing.T) {
	t.Parallel()
	s := newSession(t, controlplane.Start(t))
	admin := s.client()
	_, err := admin.RbacV1().ClusterRoleBindings().Create(t.Context(), &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "mighty"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "cluster-admin"},
		Subjects:   []rbacv1.Subject{group("mighty")},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := admin.CoreV1().ConfigMaps("default").Create(t.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "target"}}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "idle"}, Spec: corev1.PodSpec{NodeName: "none", Containers: []corev1.Container{{Name: "c", Image: "i"}}}}
	withoutToken := false
	pod.Spec.AutomountServiceAccountToken = &withoutToken
	err = wait.PollUntilContextTimeout(t.Context(), 100*time.Millisecond, patience, true, func(ctx context.Context) (bool, error) {
		// The namespace's service account is made a moment after it.
		_, err := admin.CoreV1().Pods("default").Create(ctx, pod, metav1.CreateOptions{})
		return err == nil, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	onboarded := func(directory string) kubernetes.Interface {
		s.must("new-user", "mona", "-g", "mighty", "--dir", directory)
		s.must("approve", "mona", "--yes", "--allow", "admin-group")
		s.must("fetch", "mona", "--dir", directory)
		return clientOf(t, s.path(directory, "mona.kubeconfig"))
	}
	mona := onboarded("first")
	eventually := func(about string, blocked bool, client kubernetes.Interface) time.Duration {
		t.Helper()
		begin := time.Now()
		for name, write := range writes {
			var last error
			err := wait.PollUntilContextTimeout(t.Context(), 20*time.Millisecond, patience, true, func(ctx context.Context) (bool, error) {
				last = write(ctx, client)
				return isBlocked(last) == blocked, nil
			})
			if err != nil {
				t.Fatalf("%s: %s ended with %v", about, name, last)
			}
		}
		return time.Since(begin)
	}
	eventually("before", false, mona)

	said := s.must("offboard", "mona", "--block", "--yes")
	t.Logf("blocked after %s", eventually("blocked", true, mona))
	if _, err := mona.CoreV1().ConfigMaps("default").List(t.Context(), metav1.ListOptions{}); err != nil {
		t.Errorf("reading was refused, too: %v", err)
	}
	if !strings.Contains(said.Stdout, "reads are not refused by a block, unless enforcers run") || !strings.Contains(said.Stdout, `by the group "mighty": ClusterRole/cluster-admin everywhere`) {
		t.Errorf("the truth is not said:\n%s", said.Stdout)
	}
	eventually("somebody else", false, admin)
	s.must("offboard", "mona", "--unblock")
	eventually("unblocked", false, mona)
	if again := s.must("offboard", "mona", "--unblock"); again.Stdout != "mona not blocked\n" {
		t.Errorf("the second run printed %q", again.Stdout)
	}

	s.must("offboard", "mona", "--block", "--certificate", s.path("first", "mona.kubeconfig"), "--yes")
	eventually("one certificate blocked", true, mona)
	eventually("another certificate of the user's", false, onboarded("second"))
	for _, dryRun := range []string{"none", "client", "server"} {
		s.check(s.run("offboard", "somebody-else", "--unblock", "--certificate", s.path("first", "mona.kubeconfig"), "--dry-run", dryRun),
			expect{2, []string{`CN=mona, not for the user "somebody-else"`}})
	}
	s.must("offboard", "mona", "--unblock", "--certificate", s.path("first", "mona.kubeconfig"))
	eventually("the certificate unblocked", false, mona)
}

func TestOffboard_WhomNotToBlock(t *testing.T) {
	t.Parallel()
	s := newSession(t, controlplane.Start(t))
	s.check(s.run("offboard", "administrator", "--block", "--yes"), expect{6, []string{`you are logged in as the user "administrator", and would block yourself`}})
	s.check(s.run("offboard", "system:kube-controller-manager", "--block", "--yes"), expect{6, []string{"system-user"}})
	s.must("grant", "olga", "--clusterrole", "cluster-admin")
	s.check(s.run("offboard", "olga", "--block", "--yes"), expect{6, []string{`the user "olga" is the last cluster-admin of the role bindings`}})
	s.must("grant", "otto", "--clusterrole", "cluster-admin")
	s.must("offboard", "olga", "--block", "--yes")

	s.must("new-user", "orla", "--approve", "--dir", "D")
	other := s.path("D", "orla.kubeconfig")
	s.check(s.run("offboard", "otto", "--block", "--certificate", other, "--yes"), expect{2, []string{"is for CN=orla, not for the user"}})
	s.check(s.run("offboard", "otto", "--certificate", "missing"), expect{2, []string{`--certificate "missing": no such file`}})
	s.check(s.run("offboard", "otto", "--block", "--unblock"), expect{2, []string{"--block and --unblock exclude each other"}})
	list, err := s.client().CoreV1().ConfigMaps("kube-system").Get(t.Context(), "csr-onboard-blocked", metav1.GetOptions{})
	if err != nil || list.Data["user-6f6c6761"] != "user:olga" || len(list.Data) != 3 {
		t.Errorf("the list is %v, %v", list.Data, err)
	}
}

func TestOffboard_ABindingThatWasChangedMeanwhileIsLeftAlone(t *testing.T) {
	s := newSession(t, shared)
	bindings := s.client().RbacV1().ClusterRoleBindings()
	made, err := bindings.Create(t.Context(), &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "moving"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "view"},
		Subjects:   []rbacv1.Subject{user("mira"), user("bob")},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	s.must("grant", "mira", "--clusterrole", "view")
	client := connect(t, s)
	held, err := client.Bindings().HeldBy(t.Context(), "mira")
	if err != nil || len(held) != 2 {
		t.Fatalf("the user is named in %v, %v", held, err)
	}
	made.Subjects = append(made.Subjects, user("eve"))
	if _, err := bindings.Update(t.Context(), made, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	for _, one := range held {
		if one.IsOwn("mira") {
			if _, err := bindings.Patch(t.Context(), one.Meta.Name, types.MergePatchType, []byte(`{"metadata":{"labels":{"seen":"yes"}}}`), metav1.PatchOptions{}); err != nil {
				t.Fatal(err)
			}
		}
		if err := client.Bindings().TakeAway(t.Context(), one, "mira", false); cmd.ExitCode(err) != 5 {
			t.Errorf("%s: %v", one, err)
		}
		if _, err := bindings.Get(t.Context(), one.Meta.Name, metav1.GetOptions{}); err != nil {
			t.Error(err)
		}
	}
	if now, err := bindings.Get(t.Context(), "moving", metav1.GetOptions{}); err != nil || len(now.Subjects) != 3 {
		t.Errorf("the binding is %v, %v", now.Subjects, err)
	}
	s.must("offboard", "mira", "--yes")
	if now, err := bindings.Get(t.Context(), "moving", metav1.GetOptions{}); err != nil || len(now.Subjects) != 2 || now.Subjects[1] != user("eve") {
		t.Errorf("the binding is %v, %v", now.Subjects, err)
	}
}
