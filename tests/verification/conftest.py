"""Fixtures of threats."""

from __future__ import annotations

from _threats import root, sign  # noqa: F401 - fixtures
