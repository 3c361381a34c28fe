"""Fixtures of the commands."""

from __future__ import annotations

from _shelf import shelf, work  # noqa: F401 - fixtures
