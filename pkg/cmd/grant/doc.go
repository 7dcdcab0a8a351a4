// Package grant has the commands for the roles of users: grant and offboard.
package grant
