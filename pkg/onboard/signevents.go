package onboard

// AuthorityKeyNotPrivate says that others may read an authority's private key.
type AuthorityKeyNotPrivate struct {
	Marker

	Path string
}

// PassphraseNotPrivate says that others may read the file with the passphrase of an
// authority's private key.
type PassphraseNotPrivate struct {
	Marker

	Path string
}

// SignerTrustedForServer says that a handoff has the authority that signs the user's
// certificate vouch for the API server too, because no other was named.
type SignerTrustedForServer struct {
	Marker

	Authority, Server string
}
