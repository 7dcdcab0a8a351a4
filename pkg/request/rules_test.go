package request

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/access"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/pki"
)

// fixedKey is a public key that is always the same: the base point of P-256.
func fixedKey(t *testing.T) *ecdsa.PublicKey {
	t.Helper()
	point, err := hex.DecodeString("046b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296" +
		"4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5")
	if err != nil {
		t.Fatal(err)
	}
	key, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), point)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// Another version of the program finds requests by these names and labels.
func TestRules_NamesAndLabelsOfRequestsNeverChange(t *testing.T) {
	key := fixedKey(t)
	for _, test := range []struct{ got, want string }{
		{pki.Fingerprint(key), "SHA256:XNJS+wzokyQ2+vjM0QQJgbie5K1rn+niorfnGqyyfNM"},
		{ObjectName(jane, key), "jane-w5nf6aojnu"},
		{ObjectName(identity.User{Name: "jane", Groups: []string{"ops", "dev"}}, key), "jane-abgo5svho5"},
		{ObjectName(identity.User{Name: "csr"}, key), "user-csr-rszdwnyvkq"},
		{ObjectName(identity.User{Name: "佐藤"}, key), "user-6mr3qauvnb"},
		{objectNameFor("example.com/signer", jane, key), "jane-jjha7zrlsl"},
		{UserLabelValue("jane"), "pmiqxbaxfdunmynowcnoahhqpm7vmcnx"},
		{UserLabelValue(""), "lx3obytwcnm5gcucoucy4km7zqbycu2f"},
	} {
		if test.got != test.want {
			t.Errorf("it is %s, want %s", test.got, test.want)
		}
	}
}

func TestRules_ARequestIsBuiltAsItsTermsSay(t *testing.T) {
	made, err := pki.NewRequest(newTestKey(t), jane)
	if err != nil {
		t.Fatal(err)
	}
	derived := Build(made, Terms{Lifetime: time.Hour})
	if derived.Name != ObjectName(jane, made.PublicKey) || derived.Spec.SignerName != Signer || *derived.Spec.ExpirationSeconds != 3600 ||
		!slices.Equal(derived.Spec.Usages, []certificatesv1.KeyUsage{"client auth"}) || derived.Kind != "CertificateSigningRequest" || derived.APIVersion != "certificates.k8s.io/v1" ||
		len(derived.Labels) != 1 || derived.Labels["csr-onboard.github.io/user"] != UserLabelValue("jane") || string(derived.Spec.Request) != string(made.PEM()) {
		t.Errorf("%+v", derived)
	}
	named := Build(made, Terms{Lifetime: time.Hour, Signer: "example.com/s", Name: "mine"})
	if named.Name != "mine" || named.Spec.SignerName != "example.com/s" {
		t.Errorf("%+v", named)
	}
}

func TestRules_SignersAreReadByTheRuleOfTheAPIServer(t *testing.T) {
	for text, isRight := range map[string]bool{
		Signer: true, "example.com/user-signer": true, "example.com/a.b": true,
		"": false, "signer": false, "com/signer": false, "example.com": false, "example.com/": false, "/signer": false, "Example.com/signer": false,
		"example.com/Signer": false, "example.com/a/b": false, "kubernetes.io/kubelet-serving": false, "kubernetes.io/legacy-unknown": false,
	} {
		got, err := ParseSigner(text)
		if isRight && (err != nil || got != text) || !isRight && (got != "" || !errors.Is(err, outcome.ErrUsage) || outcome.Hint(err) == "") {
			t.Errorf("%q: %q, %v", text, got, err)
		}
	}
}

func TestRules_NamesOfRequestsAreThoseThatAreIssuedEverywhere(t *testing.T) {
	for text, isRight := range map[string]bool{
		"jane": true, "jane.doe-1": true, "csr": true, "xcsr-a": true, "csra": true,
		"": false, "Jane": false, "jane_doe": false, "a/b": false, "csr-": false, "csr-jane": false, strings.Repeat("a", 254): false,
	} {
		got, err := ParseName(text)
		if isRight && (err != nil || got != text) || !isRight && (got != "" || !errors.Is(err, outcome.ErrUsage) || outcome.Hint(err) == "") {
			t.Errorf("%q: %q, %v", text, got, err)
		}
	}
}

func TestRules_LifetimesAreInTheRangeOfTheField(t *testing.T) {
	for text, want := range map[string]time.Duration{"24855d": 24855 * 24 * time.Hour, "24855d3h14m7s": math.MaxInt32 * time.Second} {
		if got, err := ParseLifetime(text); err != nil || got != want {
			t.Errorf("%s: %s, %v", text, got, err)
		}
	}
	for _, text := range []string{"24855d3h14m8s", "24855d23h", "2147483648s", "9m59s"} {
		if got, err := ParseLifetime(text); got != 0 || !errors.Is(err, outcome.ErrUsage) || outcome.Hint(err) == "" {
			t.Errorf("%s: %s, %v", text, got, err)
		}
	}
	for lifetime, want := range map[time.Duration]time.Duration{
		0: 10 * time.Minute, 10 * time.Minute: 10 * time.Minute, time.Hour: time.Hour, math.MaxInt64: math.MaxInt32 * time.Second,
	} {
		if got := AskableLifetime(lifetime); got != want {
			t.Errorf("next to %s is %s, want %s", lifetime, got, want)
		}
	}
	for lifetime, want := range map[time.Duration]int32{-time.Hour: 0, 1500 * time.Millisecond: 1, time.Hour: 3600, math.MaxInt64: math.MaxInt32} {
		if got := *ExpirationSeconds(lifetime); got != want {
			t.Errorf("%s is %d seconds, want %d", lifetime, got, want)
		}
	}
	for lifetime, want := range map[time.Duration]string{
		0: "0s", time.Second: "1s", time.Minute: "1m", time.Hour: "1h", 24 * time.Hour: "1d", 36*time.Hour + time.Minute + 2*time.Second: "1d12h1m2s", 999 * time.Millisecond: "0s",
	} {
		if got := FormatLifetime(lifetime); got != want {
			t.Errorf("%s is written as %s, want %s", lifetime, got, want)
		}
	}
}

func TestRules_ADecisionSaysWhoMadeIt(t *testing.T) {
	for _, test := range []struct{ got, want string }{
		{Approval().Message("", "admin", "v1"), "approved by admin with kubectl csr-onboard v1"},
		{Denial().Message("not yet", "admin", "v1"), "not yet (denied by admin with kubectl csr-onboard v1)"},
	} {
		if test.got != test.want {
			t.Errorf("it is %q, want %q", test.got, test.want)
		}
	}
}

func TestRules_AConditionThatIsFalseSaysNothing(t *testing.T) {
	object := stored(t, newTestKey(t), jane)
	object.Status.Conditions = []certificatesv1.CertificateSigningRequestCondition{
		{Type: certificatesv1.CertificateDenied, Status: corev1.ConditionFalse, Message: "no"},
		{Type: certificatesv1.CertificateApproved, Status: corev1.ConditionTrue, Reason: "R"},
	}
	if state, message := StateOf(object), StateMessage(object); state != Approved || message != "R" {
		t.Errorf("the state is %s with %q", state, message)
	}
	if got := DescribeDecision(object); got != "approved (R)" {
		t.Errorf("it is described as %q", got)
	}
	object.Status.Conditions = nil
	if got := DescribeDecision(object); got != "pending" {
		t.Errorf("a pending one is described as %q", got)
	}
	withCondition(certificatesv1.CertificateDenied, "", "")(object)
	if err := CheckOpen(object); err == nil || !strings.HasSuffix(err.Error(), "was denied: no reason was given") {
		t.Errorf("without a reason: %v", err)
	}
	if lifetime := LifetimeOf(object); lifetime != DefaultLifetime {
		t.Errorf("the lifetime is %s", lifetime)
	}
}

func TestRules_TheSameUIDAndTheSameSpecAreTheSameRequest(t *testing.T) {
	one := stored(t, newTestKey(t), jane)
	same := Of(one.DeepCopy())
	same.Labels, same.ResourceVersion = nil, "9"
	otherUID, otherSpec := Of(one.DeepCopy()), Of(one.DeepCopy())
	otherUID.UID = "uid-2"
	otherSpec.Spec.SignerName = "example.com/s"
	if !SameSpec(one, same) || SameSpec(one, otherUID) || SameSpec(one, otherSpec) {
		t.Errorf("same %v, another UID %v, another spec %v", SameSpec(one, same), SameSpec(one, otherUID), SameSpec(one, otherSpec))
	}
}

func TestRules_OurOwnRequestAsksForClientAuthAlone(t *testing.T) {
	key := newTestKey(t)
	for _, usages := range [][]certificatesv1.KeyUsage{nil, {"server auth"}, {"client auth", "client auth"}, {"digital signature"}} {
		object := stored(t, key, jane, func(o *Request) { o.Spec.Usages = usages })
		err := CheckOwn(object, key.Public(), jane, Signer)
		if !errors.Is(err, outcome.ErrChanged) || !strings.Contains(outcome.Hint(err), "kubectl csr-onboard fetch jane --key FILE --request-name "+object.Name) {
			t.Errorf("%q: %v, hint %q", usages, err, outcome.Hint(err))
		}
	}
}

func TestRules_AFingerprintFitsAsAWholeOrNotAtAll(t *testing.T) {
	review := ReviewOf(stored(t, newTestKey(t), jane))
	whole := review.Fingerprint
	for _, test := range []struct {
		about, fingerprint string
		want               bool
	}{
		{"itself", whole, true}, {"nothing", "", false}, {"the algorithm alone", "SHA256:", false}, {"its beginning", whole[:20], false},
		{"all but the last character", whole[:len(whole)-1], false}, {"a character more", whole + "A", false},
		{"one character changed", whole[:len(whole)-2] + string(whole[len(whole)-2]^1) + whole[len(whole)-1:], false}, {"in capitals", strings.ToUpper(whole), false},
	} {
		if got := review.IsFor(test.fingerprint); got != test.want {
			t.Errorf("%s: %v", test.about, got)
		}
		err := review.CheckKeyOf("jane.csr", test.fingerprint)
		if test.want && err != nil || !test.want && (!errors.Is(err, outcome.ErrChanged) || outcome.Hint(err) == "") {
			t.Errorf("%s: %v", test.about, err)
		}
	}
	undecodable := ReviewOf(stored(t, newTestKey(t), jane, func(o *Request) { o.Spec.Request = []byte("x") }))
	if undecodable.IsFor("") || undecodable.IsFor(whole) || undecodable.IsDecoded() {
		t.Error("a request that cannot be decoded is for a key")
	}
}

func TestRules_AReviewSaysWhatIsInTheRequest(t *testing.T) {
	key := newTestKey(t)
	object := stored(t, key, jane)
	review := ReviewOf(object)
	if !review.User.Equal(jane) || review.Fingerprint != pki.Fingerprint(key.Public()) || review.Requester != "jane" || review.Lifetime != DefaultLifetime ||
		review.State != Pending || review.Title() != object.Name || !review.HasDerivedName() || review.Key != "ECDSA P-256" || len(review.Subject) != 2 || review.RequesterIsAdministrator() {
		t.Errorf("%+v", review)
	}
	object.Name = "other"
	if ReviewOf(object).HasDerivedName() {
		t.Error("another name is the derived one")
	}
	for group, want := range map[string]bool{"system:masters": true, "kubeadm:cluster-admins": true, "System:Masters": false, "dev": false} {
		object.Spec.Groups = []string{"x", group}
		if ReviewOf(object).RequesterIsAdministrator() != want {
			t.Errorf("a member of %s is an administrator: %v", group, !want)
		}
	}
	file := ReviewOfFile(object, "jane.csr")
	if file.Title() != "jane.csr" || file.Requester != "" || file.SelfRenewal != nil || file.Object != object || len(file.Findings) != 0 {
		t.Errorf("of a file: %+v", file)
	}
	if object.Spec.Username != "jane" || len(object.Spec.Groups) != 2 {
		t.Errorf("the review of a file changed it: %+v", object.Spec)
	}
}

func TestRules_FindingsAreCountedAndTheNewestIsChosen(t *testing.T) {
	review := &Review{Findings: []Finding{{Severity: identity.Refused}, {Severity: identity.Warning}, {Severity: identity.Warning}}}
	if review.Count(identity.Refused) != 1 || review.Count(identity.Warning) != 2 {
		t.Errorf("%d refused, %d warnings", review.Count(identity.Refused), review.Count(identity.Warning))
	}
	at := func(second int64) *Review {
		return &Review{Object: Of(&certificatesv1.CertificateSigningRequest{ObjectMeta: metav1.ObjectMeta{CreationTimestamp: metav1.Unix(second, 0)}})}
	}
	one, two, three := at(1), at(3), at(2)
	if got := Newest([]*Review{one, two, three}); got != two {
		t.Errorf("the newest is of %s", got.Object.CreationTimestamp)
	}
	if Newest(nil) != nil {
		t.Error("there is a newest of none")
	}
	if again := at(3); Newest([]*Review{two, again}) != two {
		t.Error("of two at the same time it is not the first")
	}
}

func TestRules_ARefusalNamesEachFindingOnceAndHowToAllowIt(t *testing.T) {
	object := Of(&certificatesv1.CertificateSigningRequest{ObjectMeta: metav1.ObjectMeta{Name: "jane-1"}})
	refused := func(name string) Finding { return Finding{Name: name, Severity: identity.Refused} }
	for _, test := range []struct {
		about     string
		findings  []Finding
		allowed   []string
		err, hint string
	}{
		{"two of one name", []Finding{refused(WeakKey), refused(WeakKey)}, nil, "weak-key", "if you know that this is right: --allow weak-key"},
		{"two names", []Finding{refused(WeakKey), refused(SANsPresent)}, nil, "weak-key, sans-present", "if you know that this is right: --allow weak-key --allow sans-present"},
		{"one of them allowed", []Finding{refused(WeakKey), refused(SANsPresent)}, []string{SANsPresent}, "weak-key", "if you know that this is right: --allow weak-key"},
		{"a return", []Finding{refused(UserBlocked)}, nil, "user-blocked", SafeReturn + "; if you know that this is right: --allow user-blocked"},
		{"a final one that is allowed", []Finding{{Name: BadSignature, Severity: identity.Refused, Final: true}}, []string{BadSignature}, "bad-signature", ""},
		{"a final one and another", []Finding{{Name: BadSignature, Severity: identity.Refused, Final: true}, refused(WeakKey)}, nil, "bad-signature, weak-key", ""},
	} {
		err := (&Review{Object: object, Findings: test.findings}).CheckAllowed(test.allowed)
		if !errors.Is(err, outcome.ErrRefused) || !strings.HasSuffix(err.Error(), `"jane-1" is refused: `+test.err) || outcome.Hint(err) != test.hint {
			t.Errorf("%s: %v, hint %q", test.about, err, outcome.Hint(err))
		}
	}
}

func TestRules_AReviewSaysWhichFindingsAreAccepted(t *testing.T) {
	refused := func(name string, isFinal bool) Finding {
		return Finding{Name: name, Severity: identity.Refused, Final: isFinal}
	}
	review := &Review{Object: Of(&certificatesv1.CertificateSigningRequest{}), Findings: []Finding{
		refused(WeakKey, false), refused(SANsPresent, false), refused(BadSignature, true), {Name: LongLifetime, Severity: identity.Warning},
	}}
	allowed := []string{WeakKey, BadSignature, LongLifetime}
	review.ShowAllowed(allowed)
	if review.CheckAllowed(allowed) == nil {
		t.Error("what nobody can allow is accepted")
	}
	for i, want := range []string{AllowFlag, "", "", ""} {
		if got := review.Findings[i].AcceptedBy; got != want {
			t.Errorf("%s: %q, want %q", review.Findings[i].Name, got, want)
		}
	}
}

func TestRules_TheCatalogueIsNotChangedByItsReaders(t *testing.T) {
	first := Catalogue()
	first[0].Name = "x"
	if Catalogue()[0].Name == "x" {
		t.Error("it is")
	}
	for _, name := range Allowable() {
		if err := CheckAllowable([]string{name}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, name := range []string{BadSignature, identity.EmptyCommonName, LongLifetime, ""} {
		if err := CheckAllowable([]string{WeakKey, name}); !errors.Is(err, outcome.ErrUsage) || !strings.Contains(outcome.Hint(err), "weak-key") {
			t.Errorf("%q: %v", name, err)
		}
	}
	if slices.Contains(Allowable(), BadSignature) || !slices.Contains(Allowable(), UserBlocked) {
		t.Errorf("allowable are %q", Allowable())
	}
}

func TestRules_ASubmittedRequestIsTheWantedOne(t *testing.T) {
	key := newTestKey(t)
	wanted := stored(t, key, jane)
	for _, test := range []struct {
		about  string
		stored *Request
		want   string
	}{
		{"the same", stored(t, key, jane), ""},
		{"another lifetime", stored(t, key, jane, func(o *Request) { *o.Spec.ExpirationSeconds = 700 }), ""},
		{"another key", stored(t, newTestKey(t), jane), "the request itself is not the same"},
		{"another group", stored(t, key, identity.User{Name: "jane", Groups: []string{"ops"}}), "the request itself is not the same"},
		{"another signer", stored(t, key, jane, func(o *Request) { o.Spec.SignerName = "example.com/s" }), "the signer is not the same"},
		{"more usages", stored(t, key, jane, func(o *Request) { o.Spec.Usages = append(o.Spec.Usages, "digital signature") }), "the usages is not the same"},
		{"no request", stored(t, key, jane, func(o *Request) { o.Spec.Request = []byte("x") }), "the request itself is not the same"},
	} {
		err := CheckSubmitted(test.stored, wanted)
		if test.want == "" && err != nil || test.want != "" && (!errors.Is(err, outcome.ErrChanged) || !strings.HasSuffix(err.Error(), test.want) || outcome.Hint(err) == "") {
			t.Errorf("%s: %v", test.about, err)
		}
	}
	broken := stored(t, key, jane, func(o *Request) { o.Spec.Request = []byte("x") })
	if err := CheckSubmitted(wanted, broken); err == nil {
		t.Error("a wanted request that cannot be decoded is the same as another")
	}
}

func TestRules_AnObjectIsMadeReadyToBeSubmitted(t *testing.T) {
	kept := stored(t, newTestKey(t), jane, func(o *Request) {
		o.Name, o.Labels, o.Spec.Groups = "named", map[string]string{"team": "blue"}, []string{"system:masters"}
	})
	ready, err := Submittable(kept)
	if err != nil || ready.Name != "named" || ready.Spec.Username != "" || ready.Spec.Groups != nil || ready.Labels["team"] != "blue" || ready.Labels[UserLabel] != UserLabelValue("jane") {
		t.Errorf("%+v, %v", ready, err)
	}
	if kept.Spec.Username != "jane" || len(kept.Labels) != 1 {
		t.Error("the object that it was made of was changed")
	}
	around := stored(t, newTestKey(t), jane, func(o *Request) {
		o.Name, o.Spec.Request = "", append([]byte("Subject: jane\n"), o.Spec.Request...)
	})
	ready, err = Submittable(around)
	if err != nil || !ReviewOf(ready).HasDerivedName() || !bytes.HasPrefix(ready.Spec.Request, []byte("-----BEGIN ")) {
		t.Errorf("%+v, %v", ready, err)
	}
	if parsed, err := ready.PKCS10(); err != nil || parsed.OutsidePEM {
		t.Errorf("%+v, %v", parsed, err)
	}
	if _, err := Submittable(stored(t, newTestKey(t), jane, func(o *Request) { o.Spec.Request = nil })); err == nil {
		t.Error("a request that cannot be decoded is ready")
	}
}

func TestRules_TheFifthFindingOfANameCountsTheRest(t *testing.T) {
	for n, want := range map[int][]string{
		3: {"0", "1", "2"}, 4: {"0", "1", "2", "3"}, 5: {"0", "1", "2", "and 2 more of the kind"}, 50: {"0", "1", "2", "and 47 more of the kind"},
	} {
		var found findings
		for i := range n {
			found.refuse(UnknownAttribute, "%d", i)
		}
		var got []string
		for _, finding := range condensed(found) {
			got = append(got, finding.Sentence)
		}
		if !slices.Equal(got, want) {
			t.Errorf("of %d: %q, want %q", n, got, want)
		}
	}
	var found findings
	for range 10 {
		found.refuse(UnknownAttribute, "x")
		found.warn(UnusualSubject, "y")
	}
	found[18].Final = true
	kept := condensed(found)
	if len(kept) != 8 || kept[6].Name != UnknownAttribute || kept[6].Severity != identity.Refused || !kept[6].Final || kept[7].Final || kept[7].Severity != identity.Warning {
		t.Errorf("%+v", kept)
	}
	// Rights are told of twenty, since each differs.
	found = nil
	for i := range 30 {
		found.refuse(identity.SystemGroup, "%d", i)
	}
	if kept := condensed(found); len(kept) != 21 || kept[20].Sentence != "and 10 more of the kind" {
		t.Errorf("of 30 system groups: %d", len(kept))
	}
}

func TestRules_CircumstancesAddWhatIsNotInTheRequest(t *testing.T) {
	user := func(name string) access.Holder { return access.Holder{Name: name} }
	group := func(name string) access.Holder { return access.Holder{IsGroup: true, Name: name} }
	inTeam := access.Grant{Role: access.Role{IsCluster: true, Name: "cluster-admin"}, Namespace: "team"}
	var six []access.Grant
	for i := range 6 {
		six = append(six, access.Grant{Role: access.Role{IsCluster: true, Name: "view"}, Namespace: fmt.Sprintf("ns-%d", i)})
	}
	for _, test := range []struct {
		about         string
		groups        []string
		circumstances Circumstances
		want          []string
		says          string
	}{
		{"nothing", []string{"dev"}, Circumstances{Approver: "admin"}, nil, ""},
		{"a request of the approver", []string{"dev"}, Circumstances{Approver: "jane"}, nil, ""},
		{"a request of the approver, where another has to approve", []string{"dev"}, Circumstances{Approver: "jane", RequireOtherApprover: true}, []string{SelfApproved}, "you (\"jane\") submitted it yourself"},
		{"a request of another, where another has to approve", []string{"dev"}, Circumstances{Approver: "admin", RequireOtherApprover: true}, nil, ""},
		{"a user with rights", nil, Circumstances{Grants: access.Grants{user("jane"): {clusterRole("view")}}}, []string{UserAlreadyBound}, "ClusterRole/view everywhere"},
		{"another user with rights", nil, Circumstances{Grants: access.Grants{user("bob"): {clusterRole("view")}, group("jane"): {clusterRole("view")}}}, nil, ""},
		{"a group with rights", []string{"dev"}, Circumstances{Grants: access.Grants{group("dev"): {clusterRole("view")}, user("dev"): {clusterRole("edit")}}}, []string{GroupAlreadyBound}, `the group "dev" gives the user: ClusterRole/view`},
		{"cluster-admin in a namespace", []string{"dev"}, Circumstances{Grants: access.Grants{group("dev"): {inTeam}}}, []string{GroupAlreadyBound}, "in team"},
		{"six grants", []string{"dev"}, Circumstances{Grants: access.Grants{group("dev"): six}}, []string{GroupAlreadyBound}, "ns-0, ns-1, ns-2, ns-3 and 2 more namespaces"},
		{"kubeadm's group", []string{identity.KubeadmAdminsGroup}, Circumstances{Grants: access.Grants{group(identity.KubeadmAdminsGroup): {{Role: access.ClusterAdmin}}}}, []string{identity.AdminGroup, GroupAlreadyBound}, ""},
		{"a group twice", []string{"dev", "dev"}, Circumstances{Grants: access.Grants{group("dev"): {clusterRole("view")}}}, []string{identity.DuplicateGroups, GroupAlreadyBound}, ""},
	} {
		review := ReviewOf(stored(t, newTestKey(t), identity.User{Name: "jane", Groups: test.groups}, func(o *Request) { o.Spec.Groups = test.groups }))
		review.Consider(test.circumstances)
		var got []string
		sentences := ""
		for _, finding := range review.Findings {
			got = append(got, finding.Name)
			sentences += finding.Sentence + "\n"
		}
		if !slices.Equal(got, test.want) || !strings.Contains(sentences, test.says) {
			t.Errorf("%s: %q, want %q:\n%s", test.about, got, test.want, sentences)
		}
	}
}

func TestRules_WhatCouldNotBeCheckedIsSaid(t *testing.T) {
	for _, test := range []struct {
		about         string
		circumstances Circumstances
		want          string
	}{
		{"all was", Circumstances{Standing: &Standing{}}, ""},
		{"grants", Circumstances{GrantsUnread: "no\x1b"}, `user-already-bound, group-already-bound and what RBAC says for admin-group could not be checked: no\x1b`},
		{"reaches", Circumstances{ReachesUnread: "no\x1b"}, `how far ClusterRoles reach could not be checked: no\x1b`},
		{"both", Circumstances{GrantsUnread: "a", ReachesUnread: "b"}, "user-already-bound, group-already-bound and what RBAC says for admin-group could not be checked: a; how far ClusterRoles reach could not be checked: b"},
		{"standing", Circumstances{Standing: &Standing{Unread: "no\x1b"}}, `user-blocked, user-offboarded, other-certificate-valid could not be checked: no\x1b`},
	} {
		review := ReviewOf(stored(t, newTestKey(t), jane))
		review.Consider(test.circumstances)
		if review.NotChecked != test.want {
			t.Errorf("%s: %q, want %q", test.about, review.NotChecked, test.want)
		}
	}
	file := ReviewOfFile(stored(t, newTestKey(t), jane), "jane.csr")
	file.Consider(Circumstances{Approver: ""})
	if len(file.Findings) != 0 {
		t.Errorf("a file has findings about who submitted it: %v", file.Findings)
	}
}

func TestRules_WithinIsADurationOrAFraction(t *testing.T) {
	for text, want := range map[string]time.Duration{"7d": 7 * 24 * time.Hour, "1/3": 30 * time.Hour, "3/3": 90 * time.Hour, "1s": time.Second, "2/9999": 2 * (90 * time.Hour / 9999)} {
		within, err := ParseWithin(text)
		if err != nil || within.IsZero() || within.Of(90*time.Hour) != want {
			t.Errorf("%s: %s, %v", text, within.Of(90*time.Hour), err)
		}
	}
	for _, text := range []string{"", "0s", "0/3", "4/3", "1/0", "-1/3", "1/10000", "10000/1", "x", "1/", "/3"} {
		if within, err := ParseWithin(text); !within.IsZero() || !errors.Is(err, outcome.ErrUsage) || outcome.Hint(err) == "" {
			t.Errorf("%q: %v, %v", text, within, err)
		}
	}
}

func TestRules_ARequesterWhoCanApproveIsNoFinding(t *testing.T) {
	for _, test := range []struct {
		about  string
		by     func(*Request)
		can    bool
		wanted []string
	}{
		{"a third person", func(o *Request) { o.Spec.Username = "mallory" }, false, []string{MoreThanRequester, RequestedByOther}},
		{"an administrator", func(o *Request) { o.Spec.Username = "robot" }, true, nil},
		{"a member of system:masters", func(o *Request) { o.Spec.Username, o.Spec.Groups = "root", []string{identity.MastersGroup} }, false, nil},
		{"a name like that of the group", func(o *Request) { o.Spec.Username, o.Spec.Groups = identity.MastersGroup, nil }, false, []string{MoreThanRequester, RequestedByOther}},
		{"the user", func(o *Request) { o.Spec.Username, o.Spec.Groups = "jane", []string{"dev"} }, false, nil},
	} {
		review := ReviewOf(stored(t, newTestKey(t), identity.User{Name: "jane", Groups: []string{"dev"}}, test.by))
		circumstances := Circumstances{Approver: "admin"}
		if test.can {
			circumstances.AddRequesterCanApprove(review)
		}
		review.Consider(circumstances)
		var got []string
		for _, finding := range review.Findings {
			got = append(got, finding.Name)
		}
		slices.Sort(got)
		if !slices.Equal(got, test.wanted) {
			t.Errorf("%s: %q, want %q", test.about, got, test.wanted)
		}
	}
}
