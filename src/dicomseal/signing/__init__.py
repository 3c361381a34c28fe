"""New signatures: their options, their items, and where they go in a file or a data set."""
