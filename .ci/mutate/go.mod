// Changes the program in small ways and counts what the tests notice.
module github.com/csr-onboard/kubectl-csr-onboard/.ci/mutate

go 1.26.0
