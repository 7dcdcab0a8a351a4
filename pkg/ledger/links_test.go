package ledger

import (
	"slices"
	"strings"
	"testing"
)

// renewing is a verified record of a certificate that renews another, or "" for none.
func renewing(name, earlier string) *ClientCertificate {
	record := recordOf("jane")
	record.Name = name
	if earlier != "" {
		record.Spec.Renews = &Renewal{Certificate: earlier}
	}
	return record
}

func TestLinks_ARecordThatDoesNotSayThatItWasRenewedIsFoundInAnyOrder(t *testing.T) {
	for about, test := range map[string]struct {
		change func(earlier, renewal *ClientCertificate)
		want   []Link
	}{
		"it does not say so":                      {nil, []Link{{"a", "b"}}},
		"it says so":                              {func(earlier, _ *ClientCertificate) { earlier.Status.SupersededBy = "b" }, nil},
		"it says another one":                     {func(earlier, _ *ClientCertificate) { earlier.Status.SupersededBy = "c" }, nil},
		"it is not on the ledger":                 {func(earlier, _ *ClientCertificate) { earlier.Name = "x" }, nil},
		"what renews it is not verified":          {func(_, renewal *ClientCertificate) { renewal.Spec.Verified = false }, nil},
		"what renews it is said to renew itself":  {func(_, renewal *ClientCertificate) { renewal.Spec.Renews.Certificate = "b" }, nil},
		"what renews it was itself not renewed":   {func(_, renewal *ClientCertificate) { renewal.Status.SupersededBy = "" }, []Link{{"a", "b"}}},
		"nothing was renewed, and nothing renews": {func(_, renewal *ClientCertificate) { renewal.Spec.Renews = nil }, nil},
	} {
		for _, isLater := range []bool{true, false} {
			earlier, renewal := renewing("a", ""), renewing("b", "a")
			if test.change != nil {
				test.change(earlier, renewal)
			}
			records := []*ClientCertificate{earlier, renewal}
			if isLater {
				slices.Reverse(records)
			}
			var links Links
			for _, record := range records {
				links.Add(record)
			}
			if got := links.Missing(); !slices.Equal(got, test.want) {
				t.Errorf("%s: %v, want %v", about, got, test.want)
			}
		}
	}
}

func TestGenerations_WhatRenewsARecordComesAfterIt(t *testing.T) {
	for about, test := range map[string]struct{ records, want string }{
		"none":                          {"", ""},
		"two that renew nothing":        {"a b", "a b"},
		"a chain":                       {"a b<a c<b", "a|b|c"},
		"a chain, the last one first":   {"c<b b<a a", "a|b|c"},
		"a chain, the middle one first": {"b<a c<b a", "a|b|c"},
		"two renewals of one":           {"c<a b<a a", "a|c b"},
		"two chains":                    {"b<a d<c c a", "a c|b d"},
		"what renews something else":    {"b<x a", "b a"},
		"what renews itself":            {"a<a b<a", "a|b"},
		"a ring":                        {"a<b b<a c<a", "b|a|c"},
	} {
		var records []*ClientCertificate
		for _, one := range strings.Fields(test.records) {
			name, earlier, _ := strings.Cut(one, "<")
			records = append(records, renewing(name, earlier))
		}
		var got []string
		for _, generation := range Generations(records) {
			var names []string
			for _, record := range generation {
				names = append(names, record.Name)
			}
			got = append(got, strings.Join(names, " "))
		}
		if strings.Join(got, "|") != test.want {
			t.Errorf("%s: %q, want %q", about, got, test.want)
		}
	}
}
