"""The files of a run: folders, lists, object stores, samples."""
