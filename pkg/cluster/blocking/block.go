package blocking

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/version"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/access"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cluster/internal/connection"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
)

const (
	// needToChangeList and needToBlock name the permissions that the list, and a block,
	// take.
	needToChangeList = `requires permission to get, create and patch configmaps in ` + access.BlockNamespace + `; ask a cluster administrator`
	needToBlock      = `requires permission to create and patch validatingadmissionpolicies and validatingadmissionpolicybindings, and to get, create and patch configmaps in ` + access.BlockNamespace + `; ask a cluster administrator`
)

// Client changes the list of who is blocked, and the policy.
type Client struct{ api *connection.Connection }

// On makes a client that calls the API server over a connection.
func On(api *connection.Connection) *Client { return &Client{api: api} }

// List reads who is blocked and who was offboarded. Where this client cannot read
// it, unread says so; any other failure is an error.
func (c *Client) List(ctx context.Context) (list access.List, unread string, _ error) {
	stored, err := c.storedList(ctx)
	if apierrors.IsForbidden(err) {
		return access.List{}, err.Error(), nil
	}
	if err != nil {
		return access.List{}, "", c.explainList(ctx, err, "read the list of who is blocked", needToChangeList)
	}
	return access.ListOf(stored.Data), "", nil
}

// storedList is the ConfigMap, or an empty one without a resourceVersion if it does not
// exist.
func (c *Client) storedList(ctx context.Context) (*corev1.ConfigMap, error) {
	call, cancel := c.api.Bounded(ctx)
	defer cancel()
	stored, err := c.api.Core.ConfigMaps(access.BlockNamespace).Get(call, access.BlockName, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return access.BlockList(), nil
	}
	if err != nil {
		return nil, err
	}
	return stored, access.CheckFormat(stored.Annotations)
}

// attemptsToChange bounds how often the list is read again because somebody else changed
// it meanwhile.
const attemptsToChange = 10

// changeList changes the list as it was read, whatever else is in it. change is called
// again where somebody else changed the list meanwhile.
func (c *Client) changeList(ctx context.Context, dryRun bool, change func(access.List) (access.Change, error)) error {
	var err error
	for range attemptsToChange {
		var stored *corev1.ConfigMap
		if stored, err = c.storedList(ctx); err != nil {
			return err
		}
		var wanted access.Change
		if wanted, err = change(access.ListOf(stored.Data)); err != nil || len(wanted) == 0 {
			return err
		}
		err = c.writeList(ctx, stored, wanted, dryRun)
		if !apierrors.IsConflict(err) && !apierrors.IsAlreadyExists(err) {
			return err
		}
	}
	return err
}

func (c *Client) writeList(ctx context.Context, stored *corev1.ConfigMap, change access.Change, dryRun bool) error {
	call, cancel := c.api.Bounded(ctx)
	defer cancel()
	lists := c.api.Core.ConfigMaps(access.BlockNamespace)
	if stored.ResourceVersion == "" {
		stored.Data = map[string]string{}
		for key, value := range change {
			if value != nil {
				stored.Data[key] = *value
			}
		}
		_, err := lists.Create(call, stored, metav1.CreateOptions{FieldManager: access.ManagedByValue, DryRun: dryRunOption(dryRun)})
		return err
	}
	patch, err := json.Marshal(map[string]any{
		"metadata": map[string]any{"uid": stored.UID, "resourceVersion": stored.ResourceVersion},
		"data":     change,
	})
	if err != nil {
		return err
	}
	_, err = lists.Patch(call, access.BlockName, types.MergePatchType, patch, metav1.PatchOptions{FieldManager: access.ManagedByValue, DryRun: dryRunOption(dryRun)})
	return err
}

func dryRunOption(dryRun bool) []string {
	if dryRun {
		return []string{metav1.DryRunAll}
	}
	return nil
}

// Remember writes entries into the list without putting the policy into force: that a
// user was offboarded.
func (c *Client) Remember(ctx context.Context, now time.Time, dryRun bool, entries ...access.Entry) error {
	err := c.changeList(ctx, dryRun, func(list access.List) (access.Change, error) { return list.Add(now, entries...) })
	return c.explainList(ctx, err, "remember that the user was offboarded", needToChangeList)
}

// Revoke writes an entry into the list without putting the policy into force: enforcers read
// it. entryOf makes the entry of the identity from the list as it is, or says why it cannot be
// added. Other entries, which would refuse the same user in another way, are replaced.
func (c *Client) Revoke(ctx context.Context, now time.Time, dryRun bool, blocked access.Blocked, entryOf func(access.List) (access.Entry, error), replaced ...access.Blocked) error {
	err := c.changeList(ctx, dryRun, func(list access.List) (access.Change, error) {
		entry, err := entryOf(list)
		if err != nil {
			return nil, err
		}
		return list.Replace(now, entry, replaced...)
	})
	return c.explainList(ctx, err, "revoke "+blocked.String(), needToChangeList)
}

// Accept says on the list that it counts in the place of those that were deleted before.
func (c *Client) Accept(ctx context.Context, dryRun bool) error {
	call, cancel := c.api.Bounded(ctx)
	defer cancel()
	lists := c.api.Core.ConfigMaps(access.BlockNamespace)
	stored, err := lists.Get(call, access.BlockName, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return NoListToAccept()
	}
	var patch []byte
	if err == nil {
		// Only what was read is accepted, and not a list that is created meanwhile.
		patch, err = json.Marshal(map[string]any{"metadata": map[string]any{
			"uid": stored.UID, "annotations": map[string]string{access.AcceptedAnnotation: string(stored.UID)},
		}})
	}
	if err == nil {
		_, err = lists.Patch(call, access.BlockName, types.MergePatchType, patch, metav1.PatchOptions{FieldManager: access.ManagedByValue, DryRun: dryRunOption(dryRun)})
	}
	return c.explainList(ctx, err, "accept the list of who is revoked", needToChangeList)
}

// NoListToAccept is the error where there is nothing to accept.
func NoListToAccept() error {
	return outcome.WithHint(
		outcome.Errorf(outcome.ErrNotFound, "the list (configmap %s/%s) was not found", access.BlockNamespace, access.BlockName),
		"restore it from a backup; or, to refuse nobody any more, create it empty (kubectl create configmap), and run the same command again")
}

func (c *Client) explainList(ctx context.Context, err error, doing, need string) error {
	switch {
	case errors.Is(err, outcome.ErrRefused), errors.Is(err, outcome.ErrChanged):
		return err
	case apierrors.IsForbidden(err):
		return c.api.ExplainForbidden(ctx, err, doing, need)
	case apierrors.IsNotFound(err):
		return outcome.WithHint(c.api.Explain(ctx, err, doing), "blocking requires ValidatingAdmissionPolicy in admissionregistration.k8s.io/v1, Kubernetes 1.30 and later")
	}
	return c.api.Explain(ctx, err, doing)
}

// Block has the API server refuse what an identity writes: it puts the entries on the
// list, and policy and binding into force. Other entries stay. Clusters before Kubernetes
// 1.30 cannot. Whether the block is in force is for ProveBlocked.
func (c *Client) Block(ctx context.Context, now time.Time, dryRun bool, blocked access.Blocked, entries ...access.Entry) error {
	// What somebody else changed in the policy of this name would not be the block that is
	// asked for.
	force := true
	options := metav1.PatchOptions{FieldManager: access.ManagedByValue, Force: &force, DryRun: dryRunOption(dryRun)}
	steps := []func() error{
		func() error {
			// What cannot be added is found before the policy is touched.
			return c.changeList(ctx, true, func(list access.List) (access.Change, error) { return list.Add(now, entries...) })
		},
		func() error {
			return applied(access.BlockPolicy(), func(encoded []byte) error {
				call, cancel := c.api.Bounded(ctx)
				defer cancel()
				_, err := c.api.Admission.ValidatingAdmissionPolicies().Patch(call, access.BlockName, types.ApplyPatchType, encoded, options)
				return err
			})
		},
		func() error {
			return c.changeList(ctx, dryRun, func(list access.List) (access.Change, error) { return list.Add(now, entries...) })
		},
		func() error {
			return applied(access.BlockPolicyBinding(), func(encoded []byte) error {
				call, cancel := c.api.Bounded(ctx)
				defer cancel()
				_, err := c.api.Admission.ValidatingAdmissionPolicyBindings().Patch(call, access.BlockName, types.ApplyPatchType, encoded, options)
				return err
			})
		},
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return c.explainList(ctx, err, "block "+blocked.String(), needToBlock)
		}
	}
	return nil
}

func applied(object any, send func([]byte) error) error {
	encoded, err := json.Marshal(object)
	if err != nil {
		return err
	}
	return send(encoded)
}

// Unblocked says what an identity was taken off.
type Unblocked struct {
	// WasBlocked and WasOffboarded say what the list had.
	WasBlocked, WasOffboarded bool
	// WasRevoked reports whether it was revoked, and not only blocked.
	WasRevoked bool
}

// Unblock takes an identity off the list, and of a user also the record that they were
// offboarded. check refuses what the list has, as an outcome.ErrRefused; nil for no check.
func (c *Client) Unblock(ctx context.Context, blocked access.Blocked, dryRun bool, check func(access.List) error) (was Unblocked, _ error) {
	err := c.changeList(ctx, dryRun, func(list access.List) (access.Change, error) {
		if check != nil {
			if err := check(list); err != nil {
				return nil, err
			}
		}
		var details access.Details
		details, was.WasBlocked = list.Blocks(blocked)
		was.WasRevoked = details.IsRevoked
		_, was.WasOffboarded = list.Offboarded(blocked.User)
		return list.Remove(blocked), nil
	})
	return was, c.explainList(ctx, err, "unblock "+blocked.String(), needToChangeList)
}

// firstWithCredentialID is the first release that tells admission by which certificate
// somebody is logged in (k8s.io/apiserver pkg/authentication/request/x509).
var firstWithCredentialID = version.MajorMinor(1, 32)

// CheckKnowsCertificates refuses a server that does not tell admission by which
// certificate somebody is logged in: one certificate cannot be blocked there.
func (c *Client) CheckKnowsCertificates(ctx context.Context) error {
	info, err := c.api.ServerVersion(ctx)
	if err != nil {
		return err
	}
	release, err := version.ParseGeneric(info.GitVersion)
	if err != nil {
		return fmt.Errorf("cannot block one certificate: the server's version %q cannot be read: %w", info.GitVersion, err)
	}
	if release.LessThan(firstWithCredentialID) {
		return outcome.WithHint(
			outcome.Errorf(outcome.ErrRefused, "cannot block one certificate: %s is Kubernetes %s, in which a policy cannot see the certificate of a login", c.api.Server, info.GitVersion),
			"requires Kubernetes 1.32 or later; block the user instead: offboard NAME --block without --certificate")
	}
	return nil
}

const (
	// proofTime bounds the wait for a block to be in force: API servers learn of a
	// change by a watch, in less than a second as a rule.
	proofTime = 10 * time.Second
	// proofPause is the time between two probes.
	proofPause = 100 * time.Millisecond
)

// ProveBlocked reports whether a write by a blocked identity is refused: it sends the
// creation of a ConfigMap as a dry run, by impersonation of the user, for which the group
// system:masters is added so that authorization does not refuse it first. Nothing is
// stored. It waits until the policy is in force, up to proofTime. An error says why the
// block is not proven; user is the name of a certificate's user.
func (c *Client) ProveBlocked(ctx context.Context, blocked access.Blocked, user string) error {
	unproven := func(hint, format string, arguments ...any) error {
		return outcome.WithHint(fmt.Errorf("the block of %s is not proven: %w", blocked, fmt.Errorf(format, arguments...)), "%s", hint)
	}
	if !isHeaderValue(user) {
		return unproven("try a write as the user", "the name cannot be sent in a header, so the user cannot be impersonated")
	}
	deadline := c.api.Now().Add(proofTime)
	for {
		err := c.writeAs(ctx, blocked, user)
		isOver := c.api.Now().After(deadline)
		switch {
		case isBlockRefusal(err):
			return nil
		case connection.ContextOutcome(ctx) != nil:
			return c.api.Explain(ctx, err, "prove the block")
		case apierrors.IsForbidden(err):
			return unproven("requires permission to impersonate the user, the group "+identity.MastersGroup+" and, for one certificate, userextras; ask a cluster administrator to run the same command", "%w", err)
		case err != nil && !connection.IsTransient(err):
			return unproven("run the same command again", "%w", err)
		case isOver && err != nil:
			return unproven("run the same command again", "%w", err)
		case isOver:
			return unproven("check that the API server's admission plugin ValidatingAdmissionPolicy is not disabled (--disable-admission-plugins), and run the same command again",
				"writes as the user are still accepted after %s", proofTime)
		}
		select {
		case <-ctx.Done():
		case <-time.After(proofPause):
		}
	}
}

// isHeaderValue reports whether net/http sends a text as a header's value without
// changing or refusing it.
func isHeaderValue(text string) bool {
	return text != "" && text == strings.Trim(text, " \t") && !strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f })
}

// writeAs sends a write that changes nothing as a blocked identity (Kubernetes' user
// impersonation headers).
func (c *Client) writeAs(ctx context.Context, blocked access.Blocked, user string) error {
	call, cancel := c.api.Bounded(ctx)
	defer cancel()
	probe := c.api.Core.RESTClient().Post().Namespace(access.BlockNamespace).Resource("configmaps").
		Param("dryRun", metav1.DryRunAll).Param("fieldManager", access.ManagedByValue).
		SetHeader("Impersonate-User", user).SetHeader("Impersonate-Group", identity.MastersGroup).
		Body(&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{GenerateName: access.BlockName + "-probe-"}})
	if blocked.CredentialID != "" {
		probe.SetHeader("Impersonate-Extra-"+url.PathEscape(access.CredentialIDKey), blocked.CredentialID)
	}
	return probe.Do(call).Error()
}

// isBlockRefusal reports whether a write was refused by the policy of csr-onboard.
func isBlockRefusal(err error) bool {
	return apierrors.IsForbidden(err) && strings.Contains(err.Error(), access.BlockName) && strings.Contains(err.Error(), access.BlockMessage)
}
