// Package enforce puts the list of who is revoked into force at one API server: it renders the
// authorization file of the node, has the API server load it, sees for itself that those on
// the list are refused, and reports that in a Lease.
//
// It promises that the file is valid and whole at every moment, whenever the process ends;
// that what was in force stays in force where the list, the API server or the disk fails; and
// that nothing is reported as in force that it has not seen refused.
package enforce
