"""Reports from a ledger: summaries, HTML, differences between runs, exports."""
