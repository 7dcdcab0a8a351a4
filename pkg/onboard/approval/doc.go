// Package approval finds requests, on the cluster or in files, reviews them, and approves or
// denies exactly what was shown.
//
// What a person was not shown is approved only by the one rule of request.CheckUnseen. An
// approval carries the UID and resourceVersion of the object that was shown.
package approval
