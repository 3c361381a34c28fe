"""A report and a verdict on an object."""
