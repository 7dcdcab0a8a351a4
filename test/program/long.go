package program

import "os"

// LongVariable is the variable of the environment with which tests that take minutes run whole:
// make test-long sets it.
const LongVariable = "CSR_ONBOARD_TEST_LONG"

// Times is how often something random or long is done: whole where LongVariable is set, and
// shortened elsewhere, so that a whole run of the tests stays short.
func Times(whole, shortened int) int {
	if IsLong() {
		return whole
	}
	return shortened
}

// IsLong reports whether tests run whole, which is on a machine that does nothing else: what depends
// on its speed can be judged only there.
func IsLong() bool { return os.Getenv(LongVariable) != "" }
