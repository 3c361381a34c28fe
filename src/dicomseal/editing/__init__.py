"""Change a file and keep every other byte of it; other encodings; removal of signatures."""
