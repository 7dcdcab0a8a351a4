// Package doctor is the command doctor, which examines what onboarding depends on.
package doctor
