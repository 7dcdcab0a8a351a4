// Package controlling is what a controller needs of an API server besides the objects that it
// works on: Leases, by which replicas elect a leader, and Events, by which people who look at an
// object learn what a controller found.
package controlling
