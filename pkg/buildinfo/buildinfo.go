package buildinfo

import (
	"runtime/debug"
	"strings"
)

// unknown is the version of a program that nothing is known of: go run or go build without the
// repository's history.
const unknown = "v0.0.0-dev"

// shortCommit is how many digits of a commit are kept, as the Makefile has them.
const shortCommit = 12

// Build says which build of a program this is.
type Build struct {
	// Version is the release, such as "v0.1.0", or what a build between two releases is called.
	Version string
	// Commit is the commit it was built from; empty if unknown.
	Commit string
	// Date is the commit's date, RFC 3339; empty if unknown.
	Date string
}

// Of describes the running program. linked is what the linker was told; its Version is empty
// where it was told nothing, and only then recorded counts: what debug.ReadBuildInfo returns, or
// nil. The go command records the version of the module that it installed, and in a checkout the
// commit, its time and whether files differ from it (https://pkg.go.dev/runtime/debug#BuildSetting).
func Of(linked Build, recorded *debug.BuildInfo) Build {
	if linked.Version != "" {
		return linked
	}
	if recorded == nil {
		return Build{Version: unknown}
	}
	settings := map[string]string{}
	for _, setting := range recorded.Settings {
		settings[setting.Key] = setting.Value
	}
	build := Build{Version: recorded.Main.Version, Commit: settings["vcs.revision"], Date: settings["vcs.time"]}
	build.Commit = build.Commit[:min(len(build.Commit), shortCommit)]
	if build.Version == "" || build.Version == "(devel)" {
		build.Version = unknown
	}
	if settings["vcs.modified"] == "true" && !strings.HasSuffix(build.Version, "dirty") {
		build.Version += "+dirty"
	}
	return build
}
