package report

// Forms are the versioned forms by their kinds, each as an empty value, for what documents them.
func Forms() map[string]any {
	return map[string]any{
		"ContextStatusList":      contextStatusList{},
		"Examination":            examination{},
		"ExaminationList":        examinationList{},
		"FetchedCertificate":     fetchedReport{},
		"FetchedCertificateList": fetchedReportList{},
		"OffboardingReport":      offboardingReport{},
		"OffboardingReportList":  offboardingReportList{},
		"RenewalReport":          renewalReport{},
		"RenewalReportList":      renewalReportList{},
		"RequestReview":          requestReview{},
		"RequestReviewList":      requestReviewList{},
		"SignedCertificate":      signedReport{},
		"TeamReport":             teamReport{},
		"TeamReportList":         teamReportList{},
		"Version":                versionReport{},
	}
}

// APIVersion is the version of the forms. Fields are added to them; none is renamed or removed within
// a version.
const APIVersion = "csr-onboard.github.io/v1alpha1"
