// Package requests asks an API server about CertificateSigningRequest objects: it submits,
// gets, lists, watches, awaits, decides and deletes them.
//
// It promises that a decision is sent only for the very object that was reviewed (UID and
// resourceVersion), that a wait ends when its reason does, and that an object of another
// name is not believed. What an object means is package request's.
package requests
