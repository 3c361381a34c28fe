"""The loop over batches, the work of its workers, and its progress."""
