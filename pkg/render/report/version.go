package report

import (
	"io"

	"k8s.io/apimachinery/pkg/version"
)

// ClientVersion says which build of the program this is, in kubectl's words.
type ClientVersion struct {
	// GitVersion is the release, such as "v0.1.0".
	GitVersion string `json:"gitVersion"`
	// GitCommit and BuildDate are the commit's and its date, RFC 3339; empty if unknown.
	GitCommit string `json:"gitCommit,omitempty"`
	BuildDate string `json:"buildDate,omitempty"`
	// GoVersion and Platform are what it was built with and for.
	GoVersion string `json:"goVersion"`
	Platform  string `json:"platform"`
}

// versionReport is the versioned form in which scripts read versions.
type versionReport struct {
	APIVersion    string        `json:"apiVersion"`
	Kind          string        `json:"kind"`
	ClientVersion ClientVersion `json:"clientVersion"`
	// ServerVersion is the API server's own word; absent if it is unknown.
	ServerVersion *version.Info `json:"serverVersion,omitempty"`
}

// Versions writes the versions as JSON or YAML. server is nil if it is unknown.
func Versions(out io.Writer, format string, client ClientVersion, server *version.Info) error {
	return encode(out, format, versionReport{APIVersion: APIVersion, Kind: "Version", ClientVersion: client, ServerVersion: server})
}
