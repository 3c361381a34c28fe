"""Fixtures of timestamps."""

from __future__ import annotations

from _stamped import authority, stamped  # noqa: F401 - fixtures
