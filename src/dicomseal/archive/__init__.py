"""Verifying an archive: millions of objects, in a ledger that survives being killed.

Data run one way through the folders: ``find`` finds files and makes batches, ``run`` keeps a
bounded number of them under way in any executor and verifies or signs them, ``ledger`` appends what
came back and chains it, so that later edits show. ``reports`` reads ledgers and never writes them.
"""


def __getattr__(name: str) -> object:
    # scripts that look into ledgers name the rows where they stood before there were folders
    if name == "rows":
        from importlib import import_module

        return import_module(".ledger.rows", __name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
