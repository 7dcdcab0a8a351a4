// Package cluster is the program's only door to the API server.
//
// A Client is made from a Target and Credentials; With logs in to the same target with other
// credentials and nothing else. It answers who the client is and what it may do. What else
// is asked of an API server is in the packages below: requests (CertificateSigningRequest
// objects), bindings (roles and role bindings), blocking (the list of who is blocked, and
// the policy) and controlplane (what doctor asks), each with a client that the Client makes.
//
// It promises that a decision is sent only for the very object that was reviewed (UID and
// resourceVersion), that a wait ends when its reason does, and that every error says in
// words what the server would not do. It decides nothing itself: what an object means is
// package request's. Nobody outside gets client-go's typed clients.
package cluster
