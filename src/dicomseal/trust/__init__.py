"""From a certificate to an anchor: paths, revocation, restrictions."""
