"""What pyHanko says of a token, in our words."""

from __future__ import annotations

import pytest

from dicomseal.timestamps import token_verification


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("HASH_FAILURE", "HASH_FAILURE"),
        ("CRYPTO_CONSTRAINTS_FAILURE_NO_POE", "CRYPTO_CONSTRAINTS_FAILURE"),
        ("GENERIC", "FORMAT_FAILURE"),
        ("EXPIRED", "FORMAT_FAILURE"),
        ("", "FORMAT_FAILURE"),
    ],
)
def test_a_word_of_the_library_becomes_a_code_of_ours(theirs, ours):
    """Its words are more than the table of reason codes has; none may end a verification."""
    assert token_verification._code_of(theirs) == ours
