// Package sign is the command sign, which signs with a CA's own key.
package sign
