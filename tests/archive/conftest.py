"""Fixtures of archives in object stores."""

from __future__ import annotations

from _buckets import bucket, large, running, server, signed  # noqa: F401 - fixtures
from _far import shim  # noqa: F401
from _proofs import old  # noqa: F401
