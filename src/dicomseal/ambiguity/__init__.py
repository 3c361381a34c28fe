"""What two readers of the same bytes may take differently."""
