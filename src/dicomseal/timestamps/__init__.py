"""Certified Timestamps: requests for them and their verification (PS3.15 Annex C, RFC 3161)."""
