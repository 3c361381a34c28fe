"""Compressed pixels, decoded by pydicom in a separate process."""
