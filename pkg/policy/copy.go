package policy

import (
	"slices"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Guide is where it is explained how the approver is installed, and how policies are written.
const Guide = "https://github.com/csr-onboard/kubectl-csr-onboard/blob/main/docs/guides/policy.md"

// GroupVersion is the API group and version of the objects.
var GroupVersion = schema.GroupVersion{Group: Group, Version: Version}

// DeepCopyObject implements runtime.Object.
func (p *ApprovalPolicy) DeepCopyObject() runtime.Object {
	copied := *p
	p.DeepCopyInto(&copied.ObjectMeta)
	spec := &copied.Spec
	for _, list := range []*[]string{&spec.Subject.Groups, &spec.Subject.Users, &spec.KeyAlgorithms, &spec.Accept} {
		*list = slices.Clone(*list)
	}
	spec.Conditions, spec.unknown = slices.Clone(spec.Conditions), slices.Clone(spec.unknown)
	if spec.Rate != nil {
		rate := *spec.Rate
		spec.Rate = &rate
	}
	if spec.MaximumCertificates != nil {
		most := *spec.MaximumCertificates
		spec.MaximumCertificates = &most
	}
	copied.Status.Conditions = slices.Clone(copied.Status.Conditions)
	return &copied
}
