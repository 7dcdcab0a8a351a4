// Package clusters runs a use case on several clusters at the same time.
//
// It promises that what fails on one cluster does not stop the others, that results come in the
// order of the clusters, and that a person is asked one question at a time, while no cluster is
// worked on. A cluster is called by its context in the kubeconfig.
package clusters
