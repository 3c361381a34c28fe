"""Private keys in files and on tokens."""
