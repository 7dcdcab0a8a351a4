// Package blocking keeps the list of who is blocked in the cluster, and the policy by which
// the API server refuses what they write.
//
// It promises that other entries of the list stay as they are, and that a block is called
// proven only after the API server was seen to refuse a write. What an entry means is package
// access's.
package blocking
