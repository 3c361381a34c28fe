"""The report and the verdict on an object."""
