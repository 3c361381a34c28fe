"""What each code means and what to do about it. Knows nothing of reports or exceptions."""
