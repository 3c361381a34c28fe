"""Changing a file and keeping every other byte; other encodings; removal."""
