"""The loop over batches, what its workers do, and the progress that is shown."""
