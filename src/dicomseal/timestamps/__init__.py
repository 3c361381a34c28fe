"""Certified Timestamps: asking for them and judging them (PS3.15 Annex C, RFC 3161)."""
