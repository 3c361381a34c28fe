"""The index of the elements and the canonical stream, in two twins; data sets in memory; limits."""
