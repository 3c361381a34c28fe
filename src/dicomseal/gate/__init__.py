"""What arrives is verified before it is stored: as a library, and under the command ``gate``.

`judge` decides on one object, `store` keeps it, `admission` does both and all that goes with it
(quarantine, signing, forwarding, ledger, figures); whoever receives objects, in whatever way, hands
them to that. The networks stand above: ``scp`` takes C-STORE.
"""

from .judgement import Decision, judge
from .policy import Policy

__all__ = ["Decision", "Policy", "handler", "judge"]


def __getattr__(name: str) -> object:
    if name == "handler":  # it brings pynetdicom
        from .handlers import handler

        return handler
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
