"""Files as bytes: opening, File Meta Information, inflating, and writing safely."""
