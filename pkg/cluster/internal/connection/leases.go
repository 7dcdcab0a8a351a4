package connection

import coordinationv1 "k8s.io/client-go/kubernetes/typed/coordination/v1"

// Leases gives the client of Leases, by which controllers elect a leader.
type Leases = coordinationv1.LeasesGetter
