"""Objects from the names of their elements, for the tests of profiles."""

from __future__ import annotations

import pki
import pytest
from pydicom.datadict import tag_for_keyword

TAG = tag_for_keyword


def file_of(elements, form="explicit"):
    in_order = sorted((TAG(name) if isinstance(name, str) else name, *element)
                  for name, element in elements.items())  # fmt: skip
    return pki.small(form, in_order)


@pytest.fixture
def put(tmp_path):
    """Write an object, and give its path."""

    def inner(elements, form="explicit"):
        path = tmp_path / "in.dcm"
        path.write_bytes(file_of(elements, form))
        return path

    return inner
