package connection

import "github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"

// NeedToDecide names the two rights that an approval and a denial take (Kubernetes
// plugin/pkg/admission/certificates/approval).
func NeedToDecide(signer string) string {
	return `this requires permission to "update" certificatesigningrequests/approval and to "approve" for signers named ` + identity.Printable(signer) + `; ask a cluster administrator`
}
