package audit_test

import (
	"bytes"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cluster/clustertest"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/ledger"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/audit"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/onboardtest"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
)

// laterRecords is a list of two records, of which a later version of csr-onboard has written one.
const laterRecords = `{"apiVersion":"csr-onboard.github.io/v1alpha1","kind":"ClientCertificateList","metadata":{"resourceVersion":"7"},"items":[
{"apiVersion":"csr-onboard.github.io/v1alpha1","kind":"ClientCertificate","metadata":{"name":"one"},
 "spec":{"user":"jane","key":{"fingerprint":"SHA256:x"},"source":"cluster","verified":true,"device":"laptop","at\u001b":1}},
{"apiVersion":"csr-onboard.github.io/v1alpha1","kind":"ClientCertificate","metadata":{"name":"two"},
 "spec":{"user":"jane","key":{"fingerprint":"SHA256:x"},"source":"cluster","verified":true}}]}`

func list(w *onboardtest.World, t *testing.T) (names string, _ error) {
	t.Helper()
	err := audit.EachPage(t.Context(), w.Program, ledger.Query{All: true}, func(page []*ledger.ClientCertificate) error {
		for _, record := range page {
			names += record.Name + " "
		}
		return nil
	})
	return names, err
}

func TestLater_FieldsOfALaterVersionAreToldAndNotExported(t *testing.T) {
	w := onboardtest.New(t)
	w.Server.Answer = func(response http.ResponseWriter, r *http.Request) bool {
		if !strings.HasSuffix(r.URL.Path, ledger.Resource) {
			return false
		}
		_, _ = response.Write([]byte(laterRecords))
		return true
	}
	names, err := list(w, t)
	told := onboardtest.Told[audit.LaterFields](w)
	if err != nil || names != "one two " || len(told) != 1 || told[0].Certificates != 1 || strings.Join(told[0].Fields, " ") != "spec.at\x1b spec.device" {
		t.Errorf("%q, %v, told %+v", names, err, told)
	}
	var out bytes.Buffer
	err = audit.Export(t.Context(), w.Program, &out)
	if !errors.Is(err, outcome.ErrRefused) || !strings.Contains(err.Error(), `spec.at\x1b, spec.device`) || !strings.Contains(outcome.Hint(err), "#upgrade") {
		t.Errorf("export: %v, hint %q", err, outcome.Hint(err))
	}
	if strings.Contains(out.String(), `"certificate"`) {
		t.Errorf("exported: %s", out.String())
	}
}

func TestLater_ALedgerOfALaterVersionIsNotSaidToBeMissing(t *testing.T) {
	w := onboardtest.New(t)
	w.Server.Answer = clustertest.ServedOnlyIn("v1beta1", ledger.Resource)
	_, listErr := list(w, t)
	for doing, err := range map[string]error{"list": listErr, "export": audit.Export(t.Context(), w.Program, &bytes.Buffer{})} {
		if !errors.Is(err, outcome.ErrRefused) || !strings.Contains(err.Error(), "v1beta1 only") {
			t.Errorf("%s: %v", doing, err)
		}
	}
}
