# Everything but lint's first build and clean needs Go and a POSIX shell, and
# nothing else on PATH. Tests that need more, git for krew's and Node.js for the
# JavaScript client's, are left out where it is not there and this is not CI. The
# race detector of test-long needs a C compiler.

# The manifest of the last release is not what makes a checkout another one.
DIRTY   := $(shell git diff --quiet HEAD -- . ':(exclude)plugins/csr-onboard.yaml' 2>/dev/null; test $$? = 1 && echo -dirty)
VERSION ?= $(shell git describe --tags --match 'v*' 2>/dev/null || echo v0.0.0-dev)$(DIRTY)
COMMIT  ?= $(shell git rev-parse --short=12 HEAD 2>/dev/null)
DATE    ?= $(shell git log -1 --format=%cI 2>/dev/null)
LDFLAGS := -s -w -X main.version=$(VERSION) -X main.commit=$(COMMIT) -X main.date=$(DATE)

# Every Go module of the repository, the program's own first.
MODULES := . test test/controlplane bench docs/generate .ci/release .ci/mutate .ci/krew .ci/tools .ci/actionlint
# Those with no code of their own, but tools to build.
TOOLS := .ci/krew .ci/tools .ci/actionlint
# What releases are built for.
PLATFORMS := linux/amd64 linux/arm64 darwin/amd64 darwin/arm64 windows/amd64 windows/arm64

# One build of everything, whether the machine has a C compiler or not.
export CGO_ENABLED := 0

.PHONY: help
help: ## Say what there is (the default)
	@while IFS= read -r line; do case "$$line" in \
	  [a-z]*:*"## "*) printf 'make %-13s %s\n' "$${line%%:*}" "$${line#*## }";; esac; done < Makefile

.PHONY: build
build: ## Build bin/kubectl-csr_onboard and bin/csr-onboard-controller
	go build -trimpath -ldflags '$(LDFLAGS)' -o bin/kubectl-csr_onboard ./cmd/kubectl-csr_onboard
	go build -trimpath -ldflags '-s -w -X main.version=$(VERSION)' -o bin/csr-onboard-controller ./cmd/csr-onboard-controller

.PHONY: demo
demo: ## Watch a user being onboarded onto a real control plane, built first: minutes, once
	@go -C test run ./demo

# svg-term-cli, from npm, draws what asciinema, from Debian, has recorded.
SVG_TERM := svg-term-cli@2.1.1

.PHONY: picture
picture: ## Record docs/demo.svg again, which needs asciinema, Node.js and npm
	@mkdir -p bin
	@go -C test run ./demo -record ../bin/demo.cast
	@npx --yes $(SVG_TERM) --in bin/demo.cast --out docs/demo.svg --window --padding 12

.PHONY: test
test: test-unit ## Run the whole suite: unit tests, scripts, and the real control plane
	go -C docs/generate test ./...
	go -C .ci/mutate test ./...
	go -C .ci/release test ./...
	go -C test/controlplane test -timeout 30m ./...
	# What is tested is built anew, which Go's cache of results does not know.
	# The slowest packages are begun first.
	go -C test test -count=1 -timeout 30m ./e2e ./release ./...
	go -C bench vet ./...

.PHONY: test-long
test-long: ## Run the tests that kill, repeat and wait, whole, and unit tests with the race detector, which takes an hour more
	CSR_ONBOARD_TEST_LONG=1 CGO_ENABLED=1 go test -race -timeout 60m ./...
	CSR_ONBOARD_TEST_LONG=1 go -C test test -count=1 -timeout 60m ./e2e -run '^(TestKilled|TestRenew|TestSoak)'
	CSR_ONBOARD_TEST_LONG=1 go -C test test -count=1 -timeout 60m ./ledger -run '^(TestRecorder|TestImport|TestList)'
	CSR_ONBOARD_TEST_LONG=1 go -C test test -count=1 -timeout 60m ./approve
	CSR_ONBOARD_TEST_LONG=1 go -C test test -count=1 -timeout 60m ./enforce -run '^(TestDamage|TestLimits|TestSpeed)'
	CSR_ONBOARD_TEST_LONG=1 go -C test test -count=1 -timeout 60m ./clusters -run '^TestClusters_KilledAtRandomMoments'
	CSR_ONBOARD_TEST_LONG=1 go -C test test -count=1 -timeout 60m ./release -run '^TestRelease_TheSameCommit'

.PHONY: e2e
e2e: ## Run end-to-end tests by name, on a real control plane: make e2e RUN='TestOne|TestOther'
	@test -n '$(RUN)' || { echo "RUN must name tests: make e2e RUN='TestOne|TestOther'" >&2; exit 2; }
	go -C test test -count=1 -timeout 30m ./e2e -run '$(RUN)'

.PHONY: test-skew
test-skew: ## Run the end-to-end tests against the oldest Kubernetes that is supported, 1.33
	CONTROLPLANE_KUBERNETES=1.33 go -C test test -count=1 -timeout 30m ./e2e ./ledger ./enforce

.PHONY: test-unit
test-unit: ## Run the quick tests, without a control plane
	@# What others depend on comes first, so that a fault is told where it is, before all that uses it is
	@# built. Some packages wait more than they work.
	go test -p 4 $$(go list -deps -f '{{with .Module}}{{if .Main}}{{$$.ImportPath}}{{end}}{{end}}' ./...)

# PACKAGE:TARGET of every fuzz test.
FUZZ := identity:FuzzFileName identity:FuzzPrintable pki:FuzzParseKey pki:FuzzParseRequest pki:FuzzParseCertificate \
	request:FuzzReview request:FuzzObjectName requestfile:FuzzParse kubeconfig:FuzzMergeLosesNothing \
	kubeconfig:FuzzDecodeHandoff answer:FuzzDecode answer:FuzzWantedVersion teamfile:FuzzParse
FUZZTIME ?= 200000x

.PHONY: fuzz
fuzz: ## Fuzz every parser, FUZZTIME inputs each (or a time, 1m); what is found is kept under testdata/fuzz
	@for target in $(FUZZ); do go test ./pkg/$${target%%:*} -run '^$$' -fuzz "^$${target##*:}$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 10x || exit 1; done
	@# What is rendered is loaded with the API server's own loader, which is a dependency of the tests.
	go -C test test ./revocation -run '^$$' -fuzz '^FuzzRender$$' -fuzztime $(FUZZTIME) -fuzzminimizetime 10x

# What make mutate is to do: -update writes the scores, -survivors prints what no test
# notices, -every 10 is a quick look; then packages of .ci/mutate/scores.txt, or all.
MUTATE ?=

.PHONY: mutate
mutate: ## Change the program in small ways, and fail if the tests notice less of it than before
	@go -C .ci/mutate run . $(MUTATE)

# Whole programs and test binaries write what of the program they execute here; tests run
# the program as other users too.
COVERAGE := $(CURDIR)/bin/coverage

.PHONY: coverage
coverage: ## Say which part of the program's statements the tests execute, and list those in bin/coverage/profile
	@rm -rf $(COVERAGE) && mkdir -p $(COVERAGE)/unit $(COVERAGE)/whole && chmod 0777 $(COVERAGE)/whole
	CSR_ONBOARD_TEST_LONG=1 go test -count=1 -coverpkg=./... ./... -args -test.gocoverdir=$(COVERAGE)/unit > /dev/null
	GOCOVERDIR=$(COVERAGE)/whole go -C test test -count=1 -timeout 60m ./e2e ./enforce ./ledger ./approve ./clusters ./script ./fixture ./revocation
	@go tool covdata textfmt -i=$(COVERAGE)/unit -o $(COVERAGE)/profile.unit
	@go tool covdata textfmt -i=$(COVERAGE)/unit,$(COVERAGE)/whole -o $(COVERAGE)/profile
	@# Packages that only tests import are not the program.
	@sed -i.all -E '\,/(clustertest|onboardtest|clitest|outcometest)/,d' $(COVERAGE)/profile.unit $(COVERAGE)/profile
	@echo "unit tests: $$(go tool cover -func $(COVERAGE)/profile.unit | tail -n 1)"
	@echo "all tests:  $$(go tool cover -func $(COVERAGE)/profile | tail -n 1)"

.PHONY: lint
lint: ## Check formatting, vet, linters, workflows, and drift of go.mod and go.sum
	@go -C .ci/actionlint build -o ../../bin/actionlint github.com/rhysd/actionlint/cmd/actionlint
	@echo "lint .github/workflows" && bin/actionlint -shellcheck= -pyflakes= .github/workflows/*.yaml
	@go -C .ci/tools build -o ../../bin/golangci-lint github.com/golangci/golangci-lint/v2/cmd/golangci-lint
	@for module in $(MODULES); do echo "lint $$module"; (cd $$module && \
	  unformatted=$$(gofmt -l .) && { test -z "$$unformatted" || { echo "not formatted: $$unformatted"; exit 1; }; } && \
	  go mod tidy -diff) || exit 1; done
	@for module in $(filter-out $(TOOLS),$(MODULES)); do echo "golangci-lint $$module"; (cd $$module && \
	  go vet ./... && $(CURDIR)/bin/golangci-lint run --config $(CURDIR)/.golangci.yaml ./...) || exit 1; done

.PHONY: vet-platforms
vet-platforms: ## Check that the code compiles and is sound for every platform of a release
	@for platform in $(PLATFORMS); do echo "vet $$platform"; \
	  GOFLAGS=-trimpath GOOS=$${platform%/*} GOARCH=$${platform#*/} go vet ./... || exit 1; done

.PHONY: docs
docs: ## Write what is generated of the documentation: docs/commands and docs/man
	@go -C docs/generate run .

.PHONY: verify
verify: ## Fail if anything that is generated is stale
	@go -C docs/generate run . -check

.PHONY: dist
dist: ## Build a release into dist/: archives, packages, images, SBOMs, and krew's manifest also to plugins/
	@go -C .ci/release run . -version '$(VERSION)' -commit '$(COMMIT)' -date '$(DATE)' -manifest ../../plugins/csr-onboard.yaml

.PHONY: bench
bench: build ## Measure what the program promises about time and memory, as ratios in one run
	@go -C bench run ./compare

.PHONY: cluster-up
cluster-up: ## Start a throw-away control plane and print the KUBECONFIG to export
	@go -C test/controlplane build -o ../../bin/cluster ./cmd/cluster
	@bin/cluster up

.PHONY: cluster-down
cluster-down: ## Stop it and remove what it left
	@go -C test/controlplane build -o ../../bin/cluster ./cmd/cluster
	@bin/cluster down

.PHONY: tidy
tidy: ## Bring go.mod and go.sum of every module up to date
	@for module in $(MODULES); do (cd $$module && go mod tidy) || exit 1; done

.PHONY: clean
clean: ## Remove what was built here
	rm -rf bin dist
