"""From a certificate to an anchor: certification paths, revocation, restrictions."""
