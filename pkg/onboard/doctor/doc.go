// Package doctor examines whether a cluster and an identity can onboard users, and says for
// each thing that onboarding depends on whether it is there, and what to do if it is not.
//
// What could not be found out is unknown, never a pass. It changes nothing, except with
// Input.Probe, which makes one request for a user who does not exist, and deletes it.
package doctor
