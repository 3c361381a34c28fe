"""Fixtures of archives, in object stores and far away."""

from __future__ import annotations

import pytest
from _buckets import bucket, large, running, server, signed  # noqa: F401 - fixtures
from _far import shim  # noqa: F401
from _proofs import old  # noqa: F401

from dicomseal.files.opener import Opener


@pytest.fixture
def whole(monkeypatch):
    """Threads read files whole, as where a system cannot read without waiting."""
    monkeypatch.setattr("dicomseal.archive.find.openings.Opener", None)


@pytest.fixture(params=["opened", "whole"])
def both_ways(request):
    """Threads only open files, or read them whole."""
    if request.param == "whole":
        request.getfixturevalue("whole")
    elif Opener is None:
        pytest.skip("there is no compiled backend, or this is not Linux")
    return request.param
