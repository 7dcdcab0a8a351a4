package identity

import "slices"

// kubeadmUsers are the users of the kubeconfigs that kubeadm makes for administrators
// (Kubernetes cmd/kubeadm/app/phases/kubeconfig).
var kubeadmUsers = []string{"kubernetes-admin", "kubernetes-super-admin"}

// BeforeValidity is what to do about a certificate that is not valid yet.
const BeforeValidity = "set this machine's clock, for example by NTP, or wait until then"

// AfterExpiry says how a user gets another certificate whose own has expired, and so
// cannot ask for one. No API server accepts a request for the group system:masters.
func AfterExpiry(user User) string {
	switch isMaster := slices.ContainsFunc(user.Groups, IsMasters); {
	case slices.Contains(kubeadmUsers, user.Name):
		return "renew it on a control plane node: kubeadm certs renew admin.conf (or super-admin.conf)"
	case isMaster:
		return "no request for system:masters is accepted: renew it where it was created, for example on a control plane node with kubeadm certs renew, or create another with kubeadm kubeconfig user"
	}
	command := NewCommand("kubectl csr-onboard new-user").Argument(user.Name)
	for _, group := range user.Groups {
		command = command.Option("-g", group)
	}
	return "ask for a new one without access to the cluster: " + command.Words("--offline").String() + ", and send the request to an administrator"
}
