package report

// OnCluster is what came of a command on one of several clusters.
type OnCluster[T any] struct {
	// Cluster is the name of the cluster's context.
	Cluster string
	Value   T
}
