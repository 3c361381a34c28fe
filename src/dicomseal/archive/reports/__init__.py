"""What is told of a ledger: summaries, HTML, differences between runs, exports."""
