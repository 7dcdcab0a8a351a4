// Package renew has the commands for certificates that exist: renew, credential and status.
package renew
