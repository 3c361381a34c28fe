"""Two copies of an object: which elements differ, and how."""
