// What makes a release: archives, checksums, SBOMs, and the krew manifest.
module github.com/csr-onboard/kubectl-csr-onboard/.ci/release

go 1.26.0

require github.com/CycloneDX/cyclonedx-go v0.12.0
