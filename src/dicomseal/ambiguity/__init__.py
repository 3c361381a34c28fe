"""The places of an object where two readers of the same bytes may see two contents."""
