"""The record of a run: the ledger, its rows and columns, its hash chain, and its audit."""


def __getattr__(name: str) -> object:
    # scripts that read ledgers import the class from where it was before there were folders
    if name == "Ledger":
        from .ledger import Ledger

        return Ledger
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
