package buildinfo

import (
	"runtime/debug"
	"testing"
)

func TestBuild_IsWhatTheLinkerOrTheGoCommandSays(t *testing.T) {
	recorded := func(version string, settings ...debug.BuildSetting) *debug.BuildInfo {
		return &debug.BuildInfo{Main: debug.Module{Version: version}, Settings: settings}
	}
	revision := debug.BuildSetting{Key: "vcs.revision", Value: "0123456789abcdef0123456789abcdef01234567"}
	committed := debug.BuildSetting{Key: "vcs.time", Value: "2026-01-02T03:04:05Z"}
	modified := debug.BuildSetting{Key: "vcs.modified", Value: "true"}
	for name, test := range map[string]struct {
		linked   Build
		recorded *debug.BuildInfo
		want     Build
	}{
		"a release": {
			Build{Version: "v1.2.3", Commit: "abc", Date: "2026-05-06T07:08:09Z"}, recorded("v0.0.1", revision, committed, modified),
			Build{Version: "v1.2.3", Commit: "abc", Date: "2026-05-06T07:08:09Z"},
		},
		"go install of a release":      {Build{}, recorded("v1.2.3"), Build{Version: "v1.2.3"}},
		"go install of a commit":       {Build{}, recorded("v0.0.0-20260102030405-0123456789ab"), Build{Version: "v0.0.0-20260102030405-0123456789ab"}},
		"a checkout":                   {Build{}, recorded("(devel)", revision, committed), Build{"v0.0.0-dev", "0123456789ab", "2026-01-02T03:04:05Z"}},
		"a changed checkout":           {Build{}, recorded("(devel)", revision, committed, modified), Build{"v0.0.0-dev+dirty", "0123456789ab", "2026-01-02T03:04:05Z"}},
		"a changed checkout, named so": {Build{}, recorded("v1.2.3+dirty", revision, committed, modified), Build{"v1.2.3+dirty", "0123456789ab", "2026-01-02T03:04:05Z"}},
		"a short commit":               {Build{}, recorded("(devel)", debug.BuildSetting{Key: "vcs.revision", Value: "0123"}), Build{Version: "v0.0.0-dev", Commit: "0123"}},
		"no version":                   {Build{}, recorded(""), Build{Version: "v0.0.0-dev"}},
		"nothing recorded":             {Build{}, nil, Build{Version: "v0.0.0-dev"}},
	} {
		t.Run(name, func(t *testing.T) {
			if got := Of(test.linked, test.recorded); got != test.want {
				t.Errorf("got %+v, want %+v", got, test.want)
			}
		})
	}
}
