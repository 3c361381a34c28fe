"""Verify an archive: millions of objects, with a ledger that survives a crash.

Data pass the folders in one direction: ``find`` finds files and makes batches; ``run`` keeps a
bounded number of them in progress in any executor, and verifies or signs them; ``ledger`` appends
the results and chains them, so that later edits show. ``reports`` reads ledgers and never writes
them.
"""


def __getattr__(name: str) -> object:
    # scripts that read ledgers import the rows from where they were before there were folders
    if name == "rows":
        from importlib import import_module

        return import_module(".ledger.rows", __name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
