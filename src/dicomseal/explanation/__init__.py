"""How the signatures of an object were verified, and why one does not match, with proof."""
