package cmd

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"go/ast"
	"go/parser"
	"go/token"
	"math/big"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/buildinfo"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cmd/cli"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/pki"
)

// packageDirectory is where the tests of this package are started; TestMain leaves it.
var packageDirectory, _ = os.Getwd()

// run is a command line that was parsed and validated, and did nothing.
type run struct {
	env *cli.Environment
	// steps is the command at its last step; nil if it did not get there.
	steps       cli.Steps
	err         error
	out, errOut string
}

// parse runs the program up to the last step of a command, without a terminal.
func parse(t *testing.T, arguments ...string) run {
	t.Helper()
	var out, errOut bytes.Buffer
	var result run
	env := &cli.Environment{
		Streams: genericiooptions.IOStreams{In: strings.NewReader(""), Out: &out, ErrOut: &errOut},
		Flags:   genericclioptions.NewConfigFlags(false),
		Now:     time.Now,
		Home:    func() string { return "home" },
		Run:     func(_ context.Context, s cli.Steps) error { result.steps = s; return nil },
	}
	result.env = env
	root := newRootIn(env, commandsFor(arguments))
	root.SetArgs(arguments)
	result.err = root.ExecuteContext(t.Context())
	result.out, result.errOut = out.String(), errOut.String()
	return result
}

// mode is a way to call a command.
type mode struct {
	name      string
	arguments string
}

// use says what becomes of a flag in the modes of its command.
type use struct {
	// kept are the modes in which the flag is kept; in all others it is refused. "*" is all,
	// and "* -one -two" all but these.
	kept string
	// with are further flags that the flag does nothing without. Optional.
	with string
	// shown is the test that shows what the flag does: a function that names the flag, or a
	// script of test/script.
	shown string
}

// usesOf is what becomes of the flags of one command.
type usesOf struct {
	modes []mode
	// own are the command's own flags.
	own map[string]use
	// connection are the modes in which the flags about the connection are kept, each by its
	// name, or "all" of them but for --namespace. TestFlags_EveryConnectionFlagChangesTheConnection
	// shows what they do.
	Connection map[string]string
}

const server = "https://127.0.0.1:1"

// table is what becomes of every flag in every mode of its command.
var table = map[string]usesOf{
	"new-user": {
		modes: []mode{
			{"one", "jane"}, {"wait", "jane --wait"}, {"approve", "jane --approve"},
			{"offline", "jane --offline"}, {"client", "jane --dry-run=client"}, {"server", "jane --dry-run=server"},
			{"team", "-f open.yaml"}, {"team-wait", "-f open.yaml --wait"}, {"team-approve", "-f open.yaml --approve"},
			{"team-offline", "-f open.yaml --offline"}, {"team-client", "-f open.yaml --dry-run=client"}, {"team-server", "-f open.yaml --dry-run=server"},
			{"team-check", "-f open.yaml --approve --dry-run=server"}, {"team-said", "-f said.yaml --approve"},
			{"clusters", "jane --contexts x,other"}, {"clusters-approve", "jane --approve --contexts x,other"}, {"team-clusters", "-f open.yaml --approve --contexts x,other"},
		},
		own: map[string]use{
			"filename":                    {kept: "team team-wait team-approve team-offline team-client team-server team-check team-said team-clusters", shown: "TestTeam_ATeamIsOnboardedInOneRun"},
			"group":                       {kept: "* -team-said", shown: "TestOnline_ThreeCommandsThroughKubectlMakeAUserWhoLogsIn"},
			"key-algorithm":               {kept: "* -team-said", shown: "TestKeys_EveryKeyAlgorithmLogsIn"},
			"key":                         {kept: "one wait approve offline client server clusters clusters-approve", shown: "TestKeys_AGivenKeyIsUsedAndStaysAsItIs"},
			"expiration":                  {kept: "* -team-said", shown: "TestOnline_TheRequestAsksForExactlyWhatTheContractSays"},
			"signer-name":                 {kept: "* -offline -team-offline", shown: "TestTerms_AnotherSignerSignsWhatItWasAskedFor"},
			"request-name":                {kept: "one wait approve client server clusters clusters-approve", shown: "TestTerms_ARequestUnderANameOfOnesOwnIsFoundByItsUser"},
			"dir":                         {kept: "*", shown: "TestTeam_ATeamIsOnboardedInOneRun"},
			"offline":                     {kept: "one offline team team-offline", shown: "TestHandoff_AHandoffKeepsTheKeyWhereItWasMade"},
			"wait":                        {kept: "one wait approve team team-wait team-approve team-said clusters clusters-approve team-clusters", shown: "TestWaiting_NewUserWaitsForSomebodyElsesApproval"},
			"pin":                         {kept: "approve", shown: "TestRevoke_APinnedNameComesBackWithNewCertificatesOnly"},
			"approve":                     {kept: "* -offline -client -server -team-offline", shown: "TestTeam_ATeamIsOnboardedInOneRun"},
			"dry-run":                     {kept: "one client server team team-approve team-client team-server team-check team-said clusters", shown: "TestOutput_AServersDryRunStoresNothing"},
			"output":                      {kept: "*", shown: "TestOutput_StandardOutputIsData"},
			"template":                    {kept: "one offline client server team-client team-server team-check clusters", shown: "TestDryRun_ATemplateAloneIsUsedAsKubectlDoes"},
			"allow-missing-template-keys": {kept: "one offline client server team-client team-server team-check clusters", with: "--template={{.kind}}", shown: "TestDryRun_ATemplateAloneIsUsedAsKubectlDoes"},
			"show-managed-fields":         {kept: "one offline client server team-client team-server team-check clusters", with: "-o json", shown: "TestDryRun_ATemplateAloneIsUsedAsKubectlDoes"},
			"timeout":                     {kept: "wait approve team-wait team-approve team-said clusters-approve team-clusters", shown: "TestWaiting_AWaitThatRunsOutIs124"},
			"verify-login":                {kept: "wait approve team-wait team-approve team-said clusters-approve team-clusters", shown: "TestTeamProof_OneLoginProvesATeam"},
			"certificate-only":            {kept: "wait approve", shown: "TestTerms_TheCertificateAloneIsWrittenAndReplacesNothingElse"},
			"out":                         {kept: "wait approve clusters-approve", shown: "TestDisk_AReadOnlyFileSystemIsSaid"},
			"merge":                       {kept: "wait approve clusters-approve", shown: "TestKubeconfig_MergeGoesWhereKubectlWouldWrite"},
			"set-current":                 {kept: "wait approve", with: "--merge", shown: "TestKubeconfig_MergeTouchesOnlyItsOwnEntries"},
			"external-server":             {kept: "wait approve team-wait team-approve team-said", shown: "TestKubeconfig_FetchNamesWhatItIsToldTo"},
			"cluster-name":                {kept: "wait approve team-wait team-approve team-said", shown: "TestKubeconfig_FetchNamesWhatItIsToldTo"},
			"context-name":                {kept: "wait approve", shown: "TestKubeconfig_FetchNamesWhatItIsToldTo"},
			"default-namespace":           {kept: "wait approve team-wait team-approve team-said clusters-approve team-clusters", shown: "TestKubeconfig_FetchNamesWhatItIsToldTo"},
			"exec":                        {kept: "wait approve team-wait team-approve team-said clusters-approve team-clusters", shown: "TestCredential_KubeconfigsThatRenewThemselves"},
			"overwrite":                   {kept: "wait approve team-wait team-approve team-said clusters-approve team-clusters", shown: "TestEndpoints_ARenewedPairSurvivesAFetch"},
			"clusterrole":                 {kept: "approve team-approve team-check clusters-approve team-clusters", shown: "TestGrant_AUserGetsARoleAndNothingElse"},
			"role":                        {kept: "approve team-approve team-check clusters-approve team-clusters", with: "-n dev", shown: "TestGrant_WhatCannotBeGivenIsFoundBeforeAnythingIsApproved"},
			"renewable":                   {kept: "approve team-approve team-check team-said clusters-approve team-clusters", shown: "TestRenewable_ThePermissionToRenewIsThatAndNothingElse"},
			"to-group":                    {kept: "approve team-approve team-check clusters-approve team-clusters", with: "--clusterrole view", shown: "TestGrant_AUserGetsARoleAndNothingElse"},
			"namespace":                   {kept: "approve team-approve team-check clusters-approve team-clusters", with: "--clusterrole view", shown: "TestGrant_AUserGetsARoleAndNothingElse"},
			"contexts":                    {kept: "one wait approve client server team team-wait team-approve team-said", shown: "TestClusters_RequestsAreFetchedFromAllClustersLater"},
			"contexts-from":               {kept: "one wait approve client server team team-wait team-approve team-said", shown: "TestClusters_ListIsOneTableOfAllClusters"},
			"one-key":                     {kept: "clusters clusters-approve team-clusters", shown: "TestClusters_OneKeyIsTheSameOnAllClusters"},
		},
		Connection: map[string]string{
			"one": "all", "wait": "all", "approve": "all", "client": "all", "server": "all", "team": "all", "team-wait": "all",
			"team-approve": "all", "team-client": "all", "team-server": "all", "team-check": "all", "team-said": "all", "clusters": clusterFlags, "clusters-approve": clusterFlags, "team-clusters": clusterFlags,
		},
	},
	"approve": {
		modes: []mode{
			{"name", "jane"}, {"names", "jane bob"}, {"wait", "jane --wait"}, {"handoff", "jane --out OUT"}, {"all", "--all"}, {"selector", "-l a=b"}, {"pkcs10", "-f jane.csr"}, {"manifest", "-f open-manifest.yaml"},
			{"said", "-f manifest.yaml"}, {"client", "jane --dry-run=client"}, {"server", "jane --dry-run=server"}, {"file-client", "-f jane.csr --dry-run=client"}, {"file-server", "-f jane.csr --dry-run=server"},
			{"clusters", "jane --contexts x,other"},
		},
		own: map[string]use{
			"yes":                         {kept: "*", shown: "TestReview_ApprovingEverythingThatIsPending"},
			"fingerprint":                 {kept: "* -names -all -selector", shown: "TestRefusals_TwoRequestsOfOneUserAreNeverGuessedBetween"},
			"message":                     {kept: "* -client -file-client", shown: "TestOnline_AuditLogsAndApprovalsNameTheProgram"},
			"all":                         {kept: "all", shown: "TestReview_ApprovingEverythingThatIsPending"},
			"selector":                    {kept: "selector", shown: "TestReview_ApprovingEverythingThatIsPending"},
			"require-other-approver":      {kept: "* -pkcs10 -manifest -said -file-client -file-server", shown: "TestReview_WhoSubmittedARequestCannotApproveItWhereTwoPeopleHaveTo"},
			"allow":                       {kept: "*", shown: "TestRefusals_RefusedFindingsStopAnApprovalUnlessAllowed"},
			"filename":                    {kept: "pkcs10 manifest said file-client file-server", shown: "TestHandoff_WhatCanBeSentToBeApproved"},
			"expiration":                  {kept: "pkcs10 manifest file-client file-server", shown: "TestGiven_AnExpirationIsKeptOrRefused"},
			"dry-run":                     {kept: "* -wait -handoff", shown: "TestReview_ADryRunOfAnApprovalIsTheReviewAlone"},
			"output":                      {kept: "*", shown: "TestOutput_StandardOutputIsData"},
			"template":                    {kept: "* -client -file-client", shown: "TestDryRun_ATemplateAloneIsUsedAsKubectlDoes"},
			"allow-missing-template-keys": {kept: "* -client -file-client", with: "--template={{.kind}}", shown: "TestDryRun_ATemplateAloneIsUsedAsKubectlDoes"},
			"show-managed-fields":         {kept: "* -client -file-client", with: "-o json", shown: "TestDryRun_ATemplateAloneIsUsedAsKubectlDoes"},
			"wait":                        {kept: "* -client -server -file-client -file-server", shown: "TestHandoff_ABareCertificateNeedsToKnowItsCluster"},
			"timeout":                     {kept: "wait handoff pkcs10 manifest said", shown: "TestHandoff_AnApprovalFromAFileGoesOnWhereItWas"},
			"out":                         {kept: "name wait handoff pkcs10 manifest said clusters", shown: "TestHandoff_AHandoffKeepsTheKeyWhereItWasMade"},
			"external-server":             {kept: "handoff", shown: "TestHandoff_AHandoffKeepsTheKeyWhereItWasMade"},
			"cluster-name":                {kept: "handoff", shown: "TestKubeconfig_FetchNamesWhatItIsToldTo"},
			"clusterrole":                 {kept: "*", shown: "TestGrant_AUserGetsARoleAndNothingElse"},
			"role":                        {kept: "*", with: "-n dev", shown: "TestGrant_WhatCannotBeGivenIsFoundBeforeAnythingIsApproved"},
			"renewable":                   {kept: "*", shown: "TestRenewable_ThePermissionToRenewIsThatAndNothingElse"},
			"to-group":                    {kept: "*", with: "--clusterrole view", shown: "TestGrant_WhatCannotBeGivenIsFoundBeforeAnythingIsApproved"},
			"namespace":                   {kept: "*", with: "--clusterrole view", shown: "TestGrant_AUserGetsARoleAndNothingElse"},
			"contexts":                    {kept: "*", shown: "TestClusters_WhatIsTheSameIsApprovedOnAllClusters"},
			"contexts-from":               {kept: "* -clusters", shown: "TestClusters_ListIsOneTableOfAllClusters"},
		},
		Connection: map[string]string{"*": "all", "clusters": clusterFlags},
	},
	"deny": {
		modes: []mode{{"name", "jane"}, {"names", "jane bob"}, {"all", "--all"}, {"selector", "-l a=b"}, {"client", "jane --dry-run=client"}, {"server", "jane --dry-run=server"}},
		own: map[string]use{
			"yes":                         {kept: "*", shown: "TestRefusals_ADenialTellsTheWaitingUserWhy"},
			"fingerprint":                 {kept: "* -names -all -selector", shown: "TestRefusals_TwoRequestsOfOneUserAreNeverGuessedBetween"},
			"message":                     {kept: "* -client", shown: "TestRefusals_ADenialTellsTheWaitingUserWhy"},
			"all":                         {kept: "all", shown: "TestReview_ApprovingEverythingThatIsPending"},
			"selector":                    {kept: "selector", shown: "TestReview_ApprovingEverythingThatIsPending"},
			"dry-run":                     {kept: "*", shown: "TestDryRun_EveryDryRunSaysSo"},
			"output":                      {kept: "*", shown: "TestDryRun_AListIsAListHoweverManyThereAre"},
			"template":                    {kept: "* -client", shown: "TestDryRun_ATemplateAloneIsUsedAsKubectlDoes"},
			"allow-missing-template-keys": {kept: "* -client", with: "--template={{.kind}}", shown: "TestDryRun_ATemplateAloneIsUsedAsKubectlDoes"},
			"show-managed-fields":         {kept: "* -client", with: "-o json", shown: "TestDryRun_ATemplateAloneIsUsedAsKubectlDoes"},
		},
		Connection: map[string]string{"*": "all"},
	},
	"fetch": {
		modes: []mode{{"cluster", "jane"}, {"merge", "jane --merge"}, {"only", "jane --certificate-only"}, {"handoff", "jane --from handoff"}, {"handoff-merge", "jane --from handoff --merge"},
			{"bare", "jane --from bare --server " + server + " --insecure-skip-tls-verify"}, {"clusters", "jane --contexts x,other"}},
		own: map[string]use{
			"timeout":           {kept: "cluster merge only clusters", shown: "TestWaiting_AWaitThatRunsOutIs124"},
			"verify-login":      {kept: "*", shown: "TestWaiting_ConnectionsThatKeepBreakingAreSurvived"},
			"certificate-only":  {kept: "cluster only handoff bare", shown: "TestTerms_TheCertificateAloneIsWrittenAndReplacesNothingElse"},
			"out":               {kept: "cluster only handoff bare clusters", shown: "TestKubeconfig_FetchCanWriteElsewhere"},
			"merge":             {kept: "cluster merge handoff handoff-merge bare clusters", shown: "TestKubeconfig_MergeTouchesOnlyItsOwnEntries"},
			"set-current":       {kept: "cluster merge handoff handoff-merge bare", with: "--merge", shown: "TestKubeconfig_MergeTouchesOnlyItsOwnEntries"},
			"external-server":   {kept: "* -only -clusters", shown: "TestKubeconfig_FetchNamesWhatItIsToldTo"},
			"cluster-name":      {kept: "* -only -clusters", shown: "TestKubeconfig_FetchNamesWhatItIsToldTo"},
			"context-name":      {kept: "* -only -clusters", shown: "TestKubeconfig_FetchNamesWhatItIsToldTo"},
			"default-namespace": {kept: "* -only", shown: "TestKubeconfig_FetchNamesWhatItIsToldTo"},
			"exec":              {kept: "* -only", shown: "TestCredential_KubeconfigsThatRenewThemselves"},
			"overwrite":         {kept: "*", shown: "TestEndpoints_ARenewedPairSurvivesAFetch"},
			"dir":               {kept: "*", shown: "TestKubeconfig_FetchCanWriteElsewhere"},
			"key":               {kept: "cluster merge only", shown: "TestByHand_ARequestMadeByHandIsCompleted"},
			"request-name":      {kept: "cluster merge only", shown: "TestByHand_ARequestMadeByHandIsCompleted"},
			"ca-fingerprint":    {kept: "handoff handoff-merge bare", shown: "TestEndpoints_AServerWithACAOfItsOwnIsConfirmed"},
			"from":              {kept: "* -clusters", shown: "TestHandoff_AHandoffKeepsTheKeyWhereItWasMade"},
			"output":            {kept: "*", shown: "TestOutput_StandardOutputIsData"},
			"namespace":         {},
			"contexts":          {kept: "cluster merge", shown: "TestClusters_RequestsAreFetchedFromAllClustersLater"},
			"contexts-from":     {kept: "cluster merge", shown: "TestClusters_ListIsOneTableOfAllClusters"},
		},
		Connection: map[string]string{
			"clusters": clusterFlags, "cluster": "all", "merge": "all", "only": "all", "handoff": confirmingFlags, "handoff-merge": confirmingFlags + " kubeconfig",
			"bare": "request-timeout server certificate-authority insecure-skip-tls-verify tls-server-name",
		},
	},
	"renew": {
		modes: []mode{{"current", ""}, {"context", "other"}, {"all", "--all"}, {"approve", "--approve"}, {"later", "--wait=false"}, {"within", "--within 7d"}},
		own: map[string]use{
			"dry-run":    {kept: "*", shown: "TestDryRun_NothingIsRenewed"},
			"output":     {kept: "*", shown: "TestForms_EveryFormOfEveryCommandParses"},
			"within":     {kept: "*", shown: "TestRenew_RenewWithinAsksNobody"},
			"expiration": {kept: "*", shown: "TestRenew_RenewApprovesForWhoMay"},
			"all":        {kept: "* -context", shown: "TestRenew_RenewAllGoesOnAfterAFailure"},
			"wait":       {kept: "*", shown: "TestRenew_APendingRenewalIsFinishedByTheNextRun"},
			"timeout":    {kept: "* -later", shown: "TestRenew_APendingRenewalIsFinishedByTheNextRun"},
			"approve":    {kept: "*", shown: "TestRenew_RenewApprovesForWhoMay"},
			"allow":      {kept: "*", with: "--approve", shown: "TestRenew_RenewIsRefusedInWords"},
			"force":      {kept: "*", shown: "TestCredential_ADeniedRenewalIsToldOnce"},
			"exec":       {kept: "*", shown: "TestCredential_KubeconfigsThatRenewThemselves"},
			"move-cache": {kept: "* -all -within", shown: "TestRenewExec_ACacheFollowsItsContextWhereThatIsWanted"},
			"namespace":  {},
		},
		Connection: map[string]string{"current": contextFlags, "context": contextFlags, "all": "kubeconfig request-timeout", "approve": contextFlags, "later": contextFlags, "within": contextFlags},
	},
	"credential": {
		modes: []mode{{"answer", "--cache CACHE"}, {"renew", "--cache CACHE --renew"}},
		own: map[string]use{
			"cache":     {kept: "*", shown: "TestCredential_AKeyStaysInTheCache"},
			"renew":     {kept: "*", shown: "TestGiven_ARenewalInTheBackgroundAnswersNothing"},
			"namespace": {},
		},
	},
	"status": {
		modes: []mode{{"status", ""}, {"json", "-o json"}},
		own: map[string]use{
			"no-headers":  {kept: "status", shown: "TestStatus_StatusSaysOfEveryContextUntilWhen"},
			"sort-by":     {kept: "*", shown: "TestStatus_StatusSaysOfEveryContextUntilWhen"},
			"fail-within": {kept: "*", shown: "TestStatus_StatusSaysOfEveryContextUntilWhen"},
			"live":        {kept: "*", shown: "TestStatus_StatusSaysOfEveryContextUntilWhen"},
			"output":      {kept: "*", shown: "TestStatus_StatusSaysOfEveryContextUntilWhen"},
			"namespace":   {},
		},
		Connection: map[string]string{"*": contextFlags},
	},
	"list": {
		modes: []mode{{"table", ""}, {"wide", "-o wide"}, {"json", "-o json"}, {"name", "-o name"}, {"watch", "--watch"}, {"clusters", "--contexts x,other"}},
		own: map[string]use{
			"all-signers": {kept: "*", shown: "TestList_ListShowsWhatIsInside"},
			"pending":     {kept: "*", shown: "TestList_ListShowsWhatIsInside"},
			"selector":    {kept: "*", shown: "TestList_ListShowsWhatIsInside"},
			"watch":       {kept: "*", shown: "TestList_ListGoesOnWithWhatChanges"},
			"output":      {kept: "*", shown: "TestList_ListShowsWhatIsInside"},
			"no-headers":  {kept: "table wide watch clusters", shown: "TestPrompt_ChoosingFromAListAtATerminal"},
			"sort-by":     {kept: "* -watch", shown: "TestShow_TheReviewWithoutADecision"},
			"namespace":   {},

			"contexts":      {kept: "* -name", shown: "TestClusters_ListIsOneTableOfAllClusters"},
			"contexts-from": {kept: "* -name -clusters", shown: "TestClusters_ListIsOneTableOfAllClusters"},
		},
		Connection: map[string]string{"*": "all", "clusters": clusterFlags},
	},
	"show": {
		modes: []mode{{"name", "jane"}, {"names", "jane bob"}, {"json", "jane -o json"}, {"file", "-f jane.csr"}},
		own: map[string]use{
			"filename":  {kept: "file", shown: "TestShow_TheReviewWithoutADecision"},
			"output":    {kept: "*", shown: "TestShow_TheReviewWithoutADecision"},
			"namespace": {},
		},
		Connection: map[string]string{"*": "all"},
	},
	"sign": {
		modes: []mode{{"certificate", "jane.csr --ca-cert ca.crt --ca-key ca.key"}, {"file", "jane.csr --ca-cert ca.crt --ca-key ca.key --out OUT"}, {"handoff", "jane.csr --ca-cert ca.crt --ca-key ca.key --server " + server}},
		own: map[string]use{
			"dry-run":         {kept: "*", shown: "TestDryRun_NothingIsSigned"},
			"output":          {kept: "file", shown: "TestForms_ASignedCertificateHasAReport"},
			"ca-cert":         {kept: "*", shown: "TestSign_WhatACAServerDoesNotSign"},
			"ca-key":          {kept: "*", shown: "TestSign_WhatACAServerDoesNotSign"},
			"passphrase-file": {kept: "*", shown: "TestSignChain_AnEncryptedAuthorityKeyIsOpenedInMemoryOnly"},
			"expiration":      {kept: "*", shown: "TestGiven_SignGivesTheLifetimeOfExpiration"},
			"out":             {kept: "*", shown: "TestSign_WhatACAServerDoesNotSign"},
			"log":             {kept: "*", shown: "TestSign_WhatACAServerDoesNotSign"},
			"cluster-name":    {kept: "handoff", shown: "TestSign_ACertificateSignedOnACAServerLogsIn"},
			"yes":             {kept: "*", shown: "TestSign_WhatACAServerDoesNotSign"},
			"fingerprint":     {kept: "*", shown: "TestSign_WhatACAServerDoesNotSign"},
			"allow":           {kept: "*", shown: "TestSign_WhatACAServerDoesNotSign"},
			"namespace":       {},
		},
		Connection: map[string]string{"certificate": "server", "file": "server", "handoff": "server certificate-authority tls-server-name insecure-skip-tls-verify"},
	},
	"grant": {
		modes: []mode{{"role", "jane --clusterrole view"}, {"renewable", "jane --renewable"}, {"group", "--group dev --clusterrole view"},
			{"client", "jane --clusterrole view --dry-run=client"}, {"server", "jane --clusterrole view --dry-run=server"}},
		own: map[string]use{
			"clusterrole":                 {kept: "*", shown: "TestGrant_AUserGetsARoleAndNothingElse"},
			"role":                        {kept: "*", with: "-n dev", shown: "TestGrant_WhatCannotBeGivenIsFoundBeforeAnythingIsApproved"},
			"renewable":                   {kept: "*", shown: "TestRenewable_ThePermissionToRenewIsThatAndNothingElse"},
			"to-group":                    {kept: "* -group", shown: "TestGrant_AUserGetsARoleAndNothingElse"},
			"allow":                       {kept: "role renewable server", shown: "TestLeaving_NoDoorGivesRightsBackUnasked"},
			"group":                       {kept: "group", shown: "TestGiven_AGroupIsGrantedARoleByItsName"},
			"dry-run":                     {kept: "*", shown: "TestGrant_AUserGetsARoleAndNothingElse"},
			"output":                      {kept: "*", shown: "TestGrant_AUserGetsARoleAndNothingElse"},
			"template":                    {kept: "*", shown: "TestDryRun_ATemplateAloneIsUsedAsKubectlDoes"},
			"allow-missing-template-keys": {kept: "*", with: "--template={{.kind}}", shown: "TestDryRun_ATemplateAloneIsUsedAsKubectlDoes"},
			"show-managed-fields":         {kept: "*", with: "-o json", shown: "TestDryRun_ATemplateAloneIsUsedAsKubectlDoes"},
			"namespace":                   {kept: "role group client server", shown: "TestGrant_AUserGetsARoleAndNothingElse"},
		},
		Connection: map[string]string{"*": "all"},
	},
	"offboard": {
		modes: []mode{{"leave", "jane"}, {"block", "jane --block"}, {"unblock", "jane --unblock"}, {"revoke", "jane --revoke"}, {"client", "jane --dry-run=client"}, {"server", "jane --dry-run=server"}, {"clusters", "jane --contexts x,other"}},
		own: map[string]use{
			"output":      {kept: "* -unblock", shown: "TestForms_EveryFormOfEveryCommandParses"},
			"revoke":      {kept: "* -unblock", shown: "TestRevoke_OffboardRevokesAsWell"},
			"block":       {kept: "* -unblock", shown: "TestOffboard_ABlockedIdentityWritesNothing"},
			"unblock":     {kept: "* -block -revoke", shown: "TestOffboard_ABlockedIdentityWritesNothing"},
			"certificate": {kept: "* -revoke", shown: "TestOffboard_ABlockedIdentityWritesNothing"},
			"yes":         {kept: "*", shown: "TestOffboard_ABlockedIdentityWritesNothing"},
			"dry-run":     {kept: "*", shown: "TestDryRun_EveryDryRunSaysSo"},
			"namespace":   {},

			"contexts": {kept: "*", shown: "TestClusters_OffboardSaysOfEachClusterWhatRemains"}, "contexts-from": contextsFrom,
		},
		Connection: map[string]string{"*": "all", "clusters": clusterFlags},
	},
	"revoke": {
		modes: []mode{
			{"user", "jane"}, {"certificate", "--certificate jane.crt"}, {"id", "--credential-id " + someCredentialID}, {"token", "--service-account-token token"},
			{"client", "jane --dry-run=client"}, {"server", "jane --dry-run=server"}, {"clusters", "jane --contexts x,other"},
		},
		own: map[string]use{
			"certificate":           {kept: "certificate", shown: "TestRevoke_OneCertificateIsRefusedAndAnotherIsNot"},
			"credential-id":         {kept: "id", shown: "TestRevoke_OneCertificateIsRefusedAndAnotherIsNot"},
			"service-account-token": {kept: "token", shown: "TestRevoke_OneServiceAccountTokenIsRefusedAndAnotherIsNot"},
			"reason":                {kept: "*", shown: "TestRevoke_AUserIsRefusedByEveryAPIServerAndBackAtOnce"},
			"until":                 {kept: "*", shown: "TestRevoke_ARevocationEndsAtItsTime"},
			"timeout":               {kept: "* -client -server", shown: "TestRevoke_ANodeWithoutItsEnforcerIsNamed"},
			"dry-run":               {kept: "*", shown: "TestRevoke_ADryRunChangesNothing"},
			"namespace":             {},

			"contexts": {kept: "*", shown: "TestClusters_RevokeSaysOfEachClusterWhetherItCan"}, "contexts-from": contextsFrom,
		},
		Connection: map[string]string{"*": "all", "clusters": clusterFlags},
	},
	"unrevoke": {
		modes: []mode{
			{"user", "jane"}, {"certificate", "--certificate jane.crt"}, {"id", "--credential-id " + someCredentialID}, {"token", "--service-account-token token"},
			{"client", "jane --dry-run=client"}, {"server", "jane --dry-run=server"}, {"clusters", "jane --contexts x,other"},
		},
		own: map[string]use{
			"certificate":           {kept: "certificate", shown: "TestRevoke_OneCertificateIsRefusedAndAnotherIsNot"},
			"credential-id":         {kept: "id", shown: "TestRevoke_OneCertificateIsRefusedAndAnotherIsNot"},
			"service-account-token": {kept: "token", shown: "TestRevoke_OneServiceAccountTokenIsRefusedAndAnotherIsNot"},
			"timeout":               {kept: "* -client -server", shown: "TestRevoke_ANodeWithoutItsEnforcerIsNamed"},
			"dry-run":               {kept: "*", shown: "TestRevoke_ADryRunChangesNothing"},
			"namespace":             {},

			"contexts": {kept: "*", shown: "TestClusters_UnrevokeSaysOfEachClusterWhoIsNotRevoked"}, "contexts-from": contextsFrom,
		},
		Connection: map[string]string{"*": "all", "clusters": clusterFlags},
	},
	"ledger": {
		modes: []mode{{"now", ""}, {"expired", "--expired"}, {"revoked", "--revoked"}, {"all", "--all"}, {"clusters", "--contexts x,other"}},
		own: map[string]use{
			"for-user":        {kept: "*", shown: "TestList_AnswersWhichUsersHaveAccess"},
			"group":           {kept: "*", shown: "TestList_AnswersWhichUsersHaveAccess"},
			"approved-by":     {kept: "*", shown: "TestList_AnswersWhichUsersHaveAccess"},
			"expiring":        {kept: "now all clusters", shown: "TestList_AnswersWhichUsersHaveAccess"},
			"expired":         {kept: "now expired revoked clusters", shown: "TestList_AnswersWhichUsersHaveAccess"},
			"revoked":         {kept: "now expired revoked clusters", shown: "TestList_AnswersWhichUsersHaveAccess"},
			"all":             {kept: "now all clusters", shown: "TestList_AnswersWhichUsersHaveAccess"},
			"without-renewal": {kept: "now clusters", shown: "TestList_AnswersWhichUsersHaveAccess"},
			"output":          {kept: "*", shown: "TestList_EveryFormHoldsEveryCertificate"},
			"no-headers":      {kept: "*", shown: "TestList_EveryFormHoldsEveryCertificate"},
			"namespace":       {},

			"contexts": {kept: "*", shown: "TestClusters_TheLedgersOfAllClustersAreOneList"}, "contexts-from": contextsFrom,
		},
		Connection: map[string]string{"*": "all", "clusters": clusterFlags},
	},
	"ledger import": {
		modes: []mode{{"import", "--audit-log audit.log"}},
		own: map[string]use{
			"audit-log":    {kept: "*", shown: "TestImport_AnAuditLogIsImportedOnce"},
			"issuance-log": {kept: "*", shown: "TestImport_WhatWasSignedElsewhereIsRecorded"},
			"certificate":  {kept: "*", shown: "TestImport_WhatWasSignedElsewhereIsRecorded"},
			"namespace":    {},
		},
		Connection: map[string]string{"*": "all"},
	},
	"ledger export": {modes: []mode{{"export", ""}}, own: map[string]use{"namespace": {}}, Connection: map[string]string{"*": "all"}},
	"ledger verify": {
		modes: []mode{{"cluster", "ledger.jsonl"}, {"head", "ledger.jsonl --head " + strings.Repeat("0", 64)}},
		own: map[string]use{
			"head":      {kept: "*", shown: "TestVerify_NamesTheLineThatIsNotAsItWasExported"},
			"namespace": {},
		},
		Connection: map[string]string{"cluster": "all"},
	},
	"ledger seen": {
		modes:      []mode{{"seen", "--audit-log audit.log"}},
		own:        map[string]use{"audit-log": {kept: "*", shown: "TestSeen_TheLastUseIsFilledIn"}, "namespace": {}},
		Connection: map[string]string{"*": "all"},
	},
	"ledger release": {modes: []mode{{"release", ""}}, own: map[string]use{"namespace": {}}, Connection: map[string]string{"*": "all"}},
	"revocations": {
		modes: []mode{{"list", ""}, {"clusters", "--contexts x,other"}},
		own: map[string]use{
			"output":    {kept: "*", shown: "TestRevoke_AUserIsRefusedByEveryAPIServerAndBackAtOnce"},
			"namespace": {},

			"contexts": {kept: "*", shown: "TestClusters_TheRevocationsOfAllClustersAreOneList"}, "contexts-from": contextsFrom,
		},
		Connection: map[string]string{"*": "all", "clusters": clusterFlags},
	},
	"revocations accept": {
		modes: []mode{{"accept", ""}, {"client", "--dry-run=client"}, {"server", "--dry-run=server"}},
		own: map[string]use{
			"timeout":   {kept: "accept", shown: "TestRecreated_ANewListReplacesNothingUntilItIsAccepted"},
			"dry-run":   {kept: "*", shown: "TestRecreated_ANewListReplacesNothingUntilItIsAccepted"},
			"namespace": {},
		},
		Connection: map[string]string{"*": "all"},
	},
	"revocations render": {
		modes: []mode{{"modes", "--authorization-mode RBAC"}, {"base", "--base base.yaml"}},
		own: map[string]use{
			"authorization-mode": {kept: "modes", shown: "TestRendered_ThePluginPrintsWhatTheEnforcerWrites"},
			"base":               {kept: "base", shown: "TestRendered_ThePluginPrintsWhatTheEnforcerWrites"},
			"directory":          {kept: "*", shown: "TestRendered_ThePluginPrintsWhatTheEnforcerWrites"},
			"namespace":          {},
		},
		Connection: map[string]string{"*": "all"},
	},
	"policy": {modes: []mode{{"help", ""}}, own: map[string]use{"namespace": {}}},
	"policy check": {
		modes: []mode{{"cluster", ""}, {"file", "--filename FILE"}, {"ledger", "--from-ledger"}},
		own: map[string]use{
			"filename":    {kept: "*", shown: "TestCheck_AFileIsCheckedInPlaceOfTheCluster"},
			"output":      {kept: "*", shown: "TestCheck_AFileIsCheckedInPlaceOfTheCluster"},
			"approver":    {kept: "*", shown: "TestCheck_TheApproverIsNamed"},
			"from-ledger": {kept: "*", shown: "TestApprover_ACheckOfTheLedgerSaysWhatWasDecided"},
			"since":       {kept: "ledger", shown: "TestApprover_ACheckOfTheLedgerSaysWhatWasDecided"},
			"namespace":   {},
		},
		Connection: map[string]string{"*": "all"},
	},
	"policy explain": {
		modes: []mode{{"cluster", "developers jane-1"}, {"file", "developers jane-1 --filename FILE"}},
		own: map[string]use{
			"filename":  {kept: "*", shown: "TestCheck_ExplainShowsEachBoundAndCondition"},
			"output":    {kept: "*", shown: "TestCheck_ExplainShowsEachBoundAndCondition"},
			"approver":  {kept: "*", shown: "TestCheck_TheApproverIsNamed"},
			"namespace": {},
		},
		Connection: map[string]string{"*": "all"},
	},
	"doctor": {
		modes: []mode{{"look", ""}, {"probe", "--probe"}, {"clusters", "--contexts x,other"}},
		own: map[string]use{
			"probe":     {kept: "*", shown: "TestDoctor_DoctorTellsApart"},
			"timeout":   {kept: "probe", shown: "TestDoctor_DoctorTellsApart"},
			"output":    {kept: "*", shown: "TestDoctor_DoctorTellsApart"},
			"namespace": {},

			"contexts": {kept: "*", shown: "TestClusters_DoctorExaminesEachCluster"}, "contexts-from": contextsFrom,
		},
		Connection: map[string]string{"*": "all", "clusters": clusterFlags},
	},
	"options": {modes: []mode{{"options", ""}}, own: map[string]use{"namespace": {}}},
	"version": {
		modes: []mode{{"both", ""}, {"client", "--client"}},
		own: map[string]use{
			"client":    {kept: "*", shown: "TestCompletion_TheVersionsOfClientAndServer"},
			"output":    {kept: "*", shown: "TestCompletion_TheVersionsOfClientAndServer"},
			"namespace": {},
		},
		Connection: map[string]string{"both": "all"},
	},
	"completion install": {
		modes: []mode{{"install", "--dir DIR"}},
		own:   map[string]use{"dir": {kept: "*", shown: "completion.txtar"}, "namespace": {}},
	},
	"completion bash":       {modes: []mode{{"print", ""}}, own: map[string]use{"namespace": {}}},
	"completion zsh":        {modes: []mode{{"print", ""}}, own: map[string]use{"namespace": {}}},
	"completion fish":       {modes: []mode{{"print", ""}}, own: map[string]use{"namespace": {}}},
	"completion powershell": {modes: []mode{{"print", ""}}, own: map[string]use{"namespace": {}}},
}

// contextsFrom is the row of --contexts-from, which excludes --contexts. clusterFlags are the connection
// flags that are kept with several clusters.
var contextsFrom = use{kept: "* -clusters", shown: "TestClusters_ListIsOneTableOfAllClusters"}

const clusterFlags = "kubeconfig request-timeout as as-group as-uid as-user-extra disable-compression"

// confirmingFlags are the connection flags that confirm what a handoff says.
const confirmingFlags = "request-timeout server insecure-skip-tls-verify proxy-url"

// contextFlags are the connection flags of commands that go by what a kubeconfig says.
const contextFlags = "kubeconfig context request-timeout"

const someCredentialID = "X509SHA256=0e5751c026e543b2e8ab2eb06099daa1d1e5df47778f7787faab45cdf12fe3a8" //nolint:gosec // It names a certificate.

const someFingerprint = "SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU"

// values are for flags that take no other.
var values = map[string]string{
	"filename": "open.yaml", "key-algorithm": "ed25519", "expiration": "8h", "signer-name": "example.com/signer", "dry-run": "client", "output": "json",
	"external-server": server, "server": server, "request-timeout": "5s", "proxy-url": "http://127.0.0.1:2", "certificate-authority": "ca.crt",
	"kubeconfig": "kubeconfig", "context": "other", "cluster": "other", "user": "other", "as-user-extra": "a=b", "fingerprint": someFingerprint, "ca-fingerprint": someFingerprint, "allow": "user-offboarded",
	"within": "7d", "fail-within": "7d", "template": "{{.kind}}", "selector": "a=b", "certificate": "jane.crt", "from": "jane.handoff.yaml", "timeout": "1m",
	"request-name": "a-name", "until": "1h", "credential-id": someCredentialID, "service-account-token": "token", "directory": "/etc/kubernetes/csr-onboard",
	"contexts": "x,other", "contexts-from": "contexts", "expiring": "7d", "head": strings.Repeat("0", 64),
}

func valueOf(flag *pflag.Flag) string {
	if value, known := values[flag.Name]; known {
		return value
	}
	if flag.Value.Type() == "bool" {
		return "true"
	}
	return "x"
}

// keeps reports whether modes, as in use, have a mode among them.
func keeps(modes, mode string) bool {
	words := strings.Fields(modes)
	return slices.Contains(words, mode) || slices.Contains(words, "*") && !slices.Contains(words, "-"+mode)
}

// usesOfConnection adds the flags about the connection to a command's own.
func (u usesOf) usesOfConnection(mode string) string {
	if kept, said := u.Connection[mode]; said {
		return kept
	}
	return u.Connection["*"]
}

// inFilesOfModes makes the files that the modes name, and goes where they are.
func inFilesOfModes(t *testing.T) {
	t.Helper()
	t.Chdir(t.TempDir())
	key, err := pki.NewKey(pki.DefaultKeyAlgorithm)
	if err != nil {
		t.Fatal(err)
	}
	made, err := pki.NewRequest(key, identity.User{Name: "jane"})
	if err != nil {
		t.Fatal(err)
	}
	const team = "apiVersion: csr-onboard.github.io/v1alpha1\nkind: Team\nusers:\n- name: jane\n"
	manifest := "apiVersion: certificates.k8s.io/v1\nkind: CertificateSigningRequest\nmetadata: {name: jane}\nspec:\n  signerName: kubernetes.io/kube-apiserver-client\n" +
		"  usages: [client auth]\n  request: " + base64.StdEncoding.EncodeToString(made.PEM()) + "\n"
	authority := selfSigned(t, key)
	for name, text := range map[string]string{
		"open.yaml": team, "said.yaml": team + "  groups: [dev]\n  expiration: 8h\n  keyAlgorithm: ed25519\n  clusterRoles: [view]\n",
		"base.yaml": "apiVersion: apiserver.config.k8s.io/v1\nkind: AuthorizationConfiguration\nauthorizers:\n- {type: RBAC, name: rbac}\n",
		"jane.csr":  string(made.PEM()), "open-manifest.yaml": manifest, "manifest.yaml": manifest + "  expirationSeconds: 3600\n",
		"jane.handoff.yaml": "kind: Config\n", "handoff": "apiVersion: v1\nkind: Config\n", "bare": authority, "other.crt": authority, "ca.crt": authority, "jane.crt": authority,
		"kubeconfig": kubeconfigForFlags, "contexts": "x\nother\n",
		"token": "e30." + base64.RawURLEncoding.EncodeToString([]byte(`{"jti":"a","sub":"system:serviceaccount:default:robot"}`)) + ".",
	} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("KUBECONFIG", "kubeconfig")
	t.Setenv("HOME", ".")
}

const kubeconfigForFlags = `apiVersion: v1
kind: Config
clusters: [{name: c, cluster: {server: "https://127.0.0.1:1"}}, {name: other, cluster: {server: "https://127.0.0.1:2"}}]
users: [{name: u, user: {}}, {name: other, user: {token: t}}]
contexts: [{name: x, context: {cluster: c, user: u}}, {name: other, context: {cluster: other, user: other}}]
current-context: x
`

func selfSigned(t *testing.T, key crypto.Signer) string {
	t.Helper()
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "jane"}, NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

// runnable are the tree's commands that do something.
func runnable(t *testing.T) map[string]*cobra.Command {
	t.Helper()
	found := map[string]*cobra.Command{}
	var visit func(*cobra.Command, string)
	visit = func(command *cobra.Command, path string) {
		for _, child := range command.Commands() {
			visit(child, strings.TrimSpace(path+" "+child.Name()))
		}
		// These only say what commands there are.
		if path != "" && path != completionCommand && path != "help" {
			found[path] = command
		}
	}
	visit(Tree(buildinfo.Build{}), "")
	return found
}

func TestFlags_EveryFlagIsKeptOrRefusedInEveryMode(t *testing.T) {
	shown := testSources(t, filepath.Join(packageDirectory, "..", ".."))
	inFilesOfModes(t)
	connection := (&cli.Environment{Flags: genericclioptions.NewConfigFlags(true)}).ConnectionFlags()
	for path, command := range runnable(t) {
		uses, known := table[path]
		if !known {
			t.Errorf("%s has no row in the table", path)
			continue
		}
		for _, mode := range uses.modes {
			words := strings.Fields(path + " " + mode.arguments)
			if result := parse(t, words...); result.err != nil {
				t.Errorf("%s, mode %s: %v", path, mode.name, result.err)
			}
			all := *command.Flags()
			all.AddFlagSet(command.InheritedFlags())
			all.VisitAll(func(flag *pflag.Flag) {
				if flag.Name == "v" {
					// A log level is kept everywhere, as with kubectl.
					return
				}
				use, said := uses.own[flag.Name]
				switch {
				case flag.Name == "help" || flag.Name == "cache-dir":
					return
				case !said && slices.Contains(connection, flag.Name):
					if kept := uses.usesOfConnection(mode.name); kept == "all" && flag.Name != cli.NamespaceFlag || keeps(kept, flag.Name) {
						use.kept = "*"
					}
				case !said:
					t.Errorf("%s --%s has no row in the table", path, flag.Name)
					return
				}
				if !slices.Contains(words, "--"+flag.Name) {
					checkUse(t, use, mode, words, flag)
				}
			})
		}
	}
	for path, uses := range table {
		for name, use := range uses.own {
			flag := runnable(t)[path].Flag(name)
			if flag == nil {
				t.Errorf("the table has a row for %s --%s, which is not a flag", path, name)
			} else if use.kept != "" && !namesFlag(shown[use.shown], flag) {
				t.Errorf("%s --%s: %q is not a test that names the flag", path, name, use.shown)
			}
		}
		if _, exists := runnable(t)[path]; !exists {
			t.Errorf("the table has a row for %q, which is not a command", path)
		}
	}
}

// namesFlag reports whether a test's text gives a flag.
func namesFlag(text string, flag *pflag.Flag) bool {
	if strings.Contains(text, "--"+flag.Name) {
		return true
	}
	return flag.Shorthand != "" && (strings.Contains(text, `"-`+flag.Shorthand) || strings.Contains(text, " -"+flag.Shorthand+" "))
}

func checkUse(t *testing.T, use use, mode mode, words []string, flag *pflag.Flag) {
	t.Helper()
	given := "--" + flag.Name + "=" + valueOf(flag)
	alone := append(slices.Clone(words), given)
	together := append(slices.Clone(alone), strings.Fields(use.with)...)
	isKept := keeps(use.kept, mode.name)
	if isKept {
		if result := parse(t, together...); result.err != nil {
			t.Errorf("%q is refused: %v", together, result.err)
		}
	}
	if isKept && (use.with == "" || slices.ContainsFunc(strings.Fields(use.with), func(word string) bool { return slices.Contains(words, word) })) {
		return
	}
	result := parse(t, alone...)
	if ExitCode(result.err) != 2 || !strings.Contains(result.err.Error(), "--"+flag.Name) {
		t.Errorf("%q ends with %v, and should refuse --%s", alone, result.err, flag.Name)
	}
}

// TestFlags_AnEmptyValueIsRefused: an unset variable in a script must not turn a flag off.
func TestFlags_AnEmptyValueIsRefused(t *testing.T) {
	inFilesOfModes(t)
	for path, command := range runnable(t) {
		for name, use := range table[path].own {
			if flag := command.Flag(name); flag.Value.Type() != "string" || slices.Contains(cli.MayBeEmpty, name) {
				continue
			}
			for _, mode := range table[path].modes {
				words := strings.Fields(path + " " + mode.arguments + " " + use.with + " --" + name + "=")
				if keeps(use.kept, mode.name) && !slices.Contains(words, "--"+name) && ExitCode(parse(t, words...).err) != 2 {
					t.Errorf("%q is accepted", words)
				}
			}
		}
	}
}

// testSources are the tests that may show what a flag does: functions and scripts by their
// names.
func testSources(t *testing.T, root string) map[string]string {
	t.Helper()
	found := map[string]string{}
	scripts, _ := filepath.Glob(filepath.Join(root, "test", "script", "testdata", "*.txtar"))
	for _, path := range scripts {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		found[filepath.Base(path)] = string(text)
	}
	for _, pattern := range []string{"test/e2e/*_test.go", "test/enforce/*_test.go", "test/ledger/*_test.go", "test/approve/*_test.go", "test/clusters/*_test.go", "pkg/cmd/*_test.go"} {
		paths, _ := filepath.Glob(filepath.Join(root, filepath.FromSlash(pattern)))
		for _, path := range paths {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			files := token.NewFileSet()
			parsed, err := parser.ParseFile(files, path, text, 0)
			if err != nil {
				t.Fatal(err)
			}
			for _, declared := range parsed.Decls {
				if function, ok := declared.(*ast.FuncDecl); ok {
					found[function.Name.Name] = string(text[files.Position(function.Pos()).Offset:files.Position(function.End()).Offset])
				}
			}
		}
	}
	return found
}

// TestFlags_EveryConnectionFlagChangesTheConnection shows that none of kubectl's own flags is lost
// on the way to the API server.
func TestFlags_EveryConnectionFlagChangesTheConnection(t *testing.T) {
	inFilesOfModes(t)
	if err := os.WriteFile("another", []byte(strings.ReplaceAll(kubeconfigForFlags, "127.0.0.1:1", "127.0.0.1:9")), 0o600); err != nil {
		t.Fatal(err)
	}
	configure := func(arguments ...string) any {
		t.Helper()
		result := parse(t, append([]string{"list"}, arguments...)...)
		if result.err != nil {
			t.Fatalf("%q: %v", arguments, result.err)
		}
		config, name, err := result.env.Configuration()
		if err != nil {
			t.Fatalf("%q: %v", arguments, err)
		}
		return []any{config.String(), config.Impersonate, config.TLSClientConfig, config.BearerToken, config.Timeout, config.DisableCompression, config.Proxy != nil, name}
	}
	plain := configure()
	for _, name := range (&cli.Environment{Flags: genericclioptions.NewConfigFlags(true)}).ConnectionFlags() {
		value := map[string]string{
			"kubeconfig": "another", "server": "https://127.0.0.1:3", "insecure-skip-tls-verify": "true", "disable-compression": "true",
		}[name]
		if value == "" {
			value = valueOf(&pflag.Flag{Name: name, Value: new(textValue)})
		}
		arguments := []string{"--" + name + "=" + value}
		switch name {
		case cli.NamespaceFlag, "cache-dir":
			continue
		case "client-certificate", "client-key":
			// They go together.
			both := []string{"--client-certificate=ca.crt", "--client-key=ca.crt"}
			if reflect.DeepEqual(configure(append(both, "--"+name+"=other.crt")...), configure(both...)) {
				t.Errorf("--%s changes nothing", name)
			}
			continue
		case "as-group", "as-uid", "as-user-extra":
			// They go with a user.
			plainAs := configure("--as=x")
			if reflect.DeepEqual(configure(append(arguments, "--as=x")...), plainAs) {
				t.Errorf("--%s changes nothing", name)
			}
			continue
		}
		if reflect.DeepEqual(configure(arguments...), plain) {
			t.Errorf("--%s changes nothing", name)
		}
	}
}

// textValue is a flag's value of type string.
type textValue string

func (v *textValue) String() string     { return string(*v) }
func (v *textValue) Set(s string) error { *v = textValue(s); return nil }
func (v *textValue) Type() string       { return "string" }
