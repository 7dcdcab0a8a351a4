package kubeconfig

// Names are what the entries of a user's kubeconfig are called.
type Names struct {
	// Cluster is the cluster entry's name. Required.
	Cluster string
	// Context is the name of the context and of the user entry, so that one
	// person's certificates for several clusters can stand in one file.
	// Required.
	Context string
}

// NamesFor are the names where the person gave none: USER@CLUSTER for context
// and user, as kubeadm calls its contexts.
func NamesFor(user, cluster, context string) Names {
	if context == "" {
		context = user + "@" + cluster
	}
	return Names{Cluster: cluster, Context: context}
}
