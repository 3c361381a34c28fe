"""Which files a run goes over: folders, lists, object stores, samples."""
