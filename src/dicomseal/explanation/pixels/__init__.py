"""Compressed pixels, decoded by pydicom in a process of their own."""
