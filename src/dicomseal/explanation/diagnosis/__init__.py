"""Why a signature does not match: hypotheses about it, each tried by one more hash."""
