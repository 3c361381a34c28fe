"""Buffers that go back to the system when they are given back, whatever else the process holds."""

from __future__ import annotations

import mmap


def room(size: int) -> memoryview:
    """Return a buffer of so many bytes, all zero.

    It is memory of its own: what is given back to the allocator of the process stays with it, in
    pieces that the next thread cannot use.
    """
    return memoryview(mmap.mmap(-1, size)) if size else memoryview(b"")
