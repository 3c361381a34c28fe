"""What the public functions take is what `SigningOptions` has, and all of it gets there."""

from __future__ import annotations

import inspect
import pickle
from datetime import UTC, datetime

import msgspec
import pki
import pytest
from pydicom import Dataset

from dicomseal import sign, sign_file, sign_items
from dicomseal.archive.find.selection import Selection
from dicomseal.archive.run import sign_archive
from dicomseal.signing import sign_dataset
from dicomseal.signing import sign_file as file_module
from dicomseal.signing.policy import ALLOW_WEAK
from dicomseal.signing.request import SigningOptions

DEFAULTS = msgspec.structs.asdict(SigningOptions())
OTHERS = {
    "mac": "SHA512", "tags": ("PatientName",), "uid": "2.25.7",
    "when": datetime(2026, 1, 1, tzinfo=UTC), "share_mac": True, "profile": "base", "purpose": 1,
    "policy": ALLOW_WEAK, "tsa": "http://tsa.example/", "include_guessed": True,
    "require_all_signed": True,
}  # fmt: skip
# what is not asked of the signatures, but of the place, the key or the run
ELSEWHERE = {
    sign_file: ({"items", "transfer_syntax", "password"}, set()),
    sign: ({"item", "password"}, set()),
    sign_items: ({"items", "password"}, {"uid"}),
    sign_archive.sign: (
        {
            "target", "overwrite", "countersign_broken", "password", "jobs", "resume", "max_rate",
            "sign_run", "watch", "batch_files", "batch_bytes", "read_timeout",
        },
        {"uid", "when", "share_mac"},
    ),
}  # fmt: skip


class Caught(Exception):
    """What a function asks for."""


@pytest.mark.parametrize("function", ELSEWHERE, ids=lambda function: function.__qualname__)
def test_the_parameters_are_the_options(function):
    more, without = ELSEWHERE[function]
    parameters = {
        one.name: one.default
        for one in inspect.signature(function).parameters.values()
        if one.kind is one.KEYWORD_ONLY and one.name not in more
    }
    assert parameters == {
        name: value for name, value in DEFAULTS.items() if name not in {"meanings", *without}
    }


@pytest.mark.parametrize(
    ("function", "module", "name", "places"),
    [
        (sign_file, file_module, "request_of", (b"", "out.dcm")),
        (sign, sign_dataset, "request_of", (Dataset(),)),
        (sign_items, sign_dataset, "request_of", (Dataset(),)),
        (sign_archive.sign, sign_archive, "BulkSigner", ("ledger", Selection(roots=("x",)))),
    ],
    ids=lambda value: getattr(value, "__qualname__", None),
)
def test_every_option_gets_there(monkeypatch, function, module, name, places):
    def catch(*what):
        raise Caught(*what)

    monkeypatch.setattr(module, name, catch)
    asked = {name: value for name, value in OTHERS.items() if name not in ELSEWHERE[function][1]}
    assert not [name for name, value in asked.items() if value == DEFAULTS[name]]
    places_of = {"items": [""]} if function is sign_items else {}
    with pytest.raises(Caught) as caught:
        function(*places, *pki.member("rsa").pair, password="secret", **places_of, **asked)
    key, certificate, password, options = caught.value.args
    assert (key, certificate) == pki.member("rsa").pair
    assert (password() if callable(password) else password) == "secret"
    assert options == SigningOptions(**asked)
    assert "secret" not in repr(options)
    assert pickle.loads(pickle.dumps(options)) == options
