"""A night of an archive: its run, what is new since the night before, and what is told of it."""
