package cli

import (
	"fmt"

	"k8s.io/client-go/tools/clientcmd"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/document"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/store"
)

// checkExpansion refuses kubeconfig files that would take more to decode than their size
// says. clientcmd, which reads them as kubectl does, has no such bound.
func checkExpansion(access clientcmd.ConfigAccess) error {
	for _, file := range access.GetLoadingPrecedence() {
		if !store.IsRegular(file) {
			// Another program's output can be read only once, by clientcmd.
			continue
		}
		data, err := store.ReadFile(file)
		if err == nil {
			if expansionErr := document.Check(data); expansionErr != nil {
				err = fmt.Errorf("%q: %w", file, expansionErr)
			}
		}
		if err != nil {
			return outcome.WithHint(outcome.Errorf(outcome.ErrUsage, "the kubeconfig cannot be read: %w", err),
				"check --kubeconfig and KUBECONFIG")
		}
	}
	return nil
}
