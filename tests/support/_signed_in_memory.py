"""Data sets that were signed in several places, tampered with and written, for property tests."""

from __future__ import annotations

import copy
import io
from collections.abc import Iterator
from random import Random
from typing import Any

import pki
from _in_memory import ENCODINGS, data_set
from pydicom import Dataset, dcmread
from pydicom.encaps import encapsulate
from pydicom.uid import UID

from dicomseal import sign
from dicomseal.errors import DicomSealError
from dicomseal.standard import transfer_syntaxes

ENCAPSULATED = sorted(
    uid
    for uid in transfer_syntaxes.TRANSFER_SYNTAXES
    if transfer_syntaxes.is_encapsulated(uid) and UID(uid).is_transfer_syntax
)
FORMS = (*ENCODINGS, "encapsulated")
TAMPERED = (
    "nothing", "nothing", "a value", "an element less", "an element more", "no signatures",
    "no MAC Parameters", "no items", "Signature", "MAC ID", "certificate", "twice", "DateTime",
)  # fmt: skip
SIGNATURES, MAC = "DigitalSignaturesSequence", "MACParametersSequence"
_OF_SIGNATURES = (0x4FFE0001, 0xFFFAFFFA)
_NEEDED = (0x00080016, 0x00080018, 0x00280103)  # or pydicom writes no file


def _items(scope: Dataset, location: str = "") -> Iterator[tuple[str, Dataset]]:
    for element in scope:
        if element.VR == "SQ" and element.keyword and element.tag not in _OF_SIGNATURES:
            for number, item in enumerate(element.value or ()):
                inner = f"{location}{'.' if location else ''}{element.keyword}[{number}]"
                yield inner, item
                yield from _items(item, inner)


def _made(choose: Random, form: str) -> Dataset:
    dataset = data_set(choose.randrange(1 << 30), "explicit" if form == "encapsulated" else form)
    if form == "encapsulated":
        dataset.file_meta.TransferSyntaxUID = UID(choose.choice(ENCAPSULATED))
        dataset.Rows = dataset.Columns = 2
        frames = [bytes([choose.randrange(256)]) * choose.choice((4, 7)) for _ in range(3)]
        dataset.PixelData = encapsulate(frames, has_bot=choose.random() < 0.5)
        dataset["PixelData"].VR, dataset["PixelData"].is_undefined_length = "OB", True
        dataset.NumberOfFrames, dataset.BitsAllocated, dataset.PixelRepresentation = 3, 8, 0
    return dataset


def _sign(choose: Random, dataset: Dataset) -> None:
    """Sign the data set and items of it, some with lists of their own, some with shared ones."""
    items = dict(_items(dataset))
    for _ in range(choose.choice((0, 1, 1, 2, 3))):
        where = choose.choice(["", *items])
        scope = items[where] if where else dataset
        tags = None
        if choose.random() < 0.5:
            those = [e.tag for e in scope if e.tag.group >= 8 and e.tag.element and e.VR != "UN"]
            those = [tag for tag in those if tag not in _OF_SIGNATURES]
            tags = choose.sample(those, min(len(those), choose.randrange(1, 5))) or None
        pair = pki.member(choose.choice(("rsa", "ec"))).pair
        try:
            sign(dataset, *pair, item=where, tags=tags, share_mac=choose.random() < 0.3)
        except DicomSealError:  # nothing in the item, or what was drawn cannot be signed
            continue


def _tamper(choose: Random, dataset: Dataset, how: str) -> None:
    items = [item for _, item in _items(dataset)]
    scope = choose.choice([dataset, *items])
    signed = [one for one in (dataset, *items) if SIGNATURES in one]
    if how == "a value":
        texts = [element for element in scope if element.VR in ("PN", "LO", "SH", "CS")]
        if texts:
            choose.choice(texts).value = "X^Y"
    elif how == "an element less":
        rest = [tag for tag in scope.keys() if tag not in _NEEDED]  # noqa: SIM118
        if rest:
            del scope[choose.choice(rest)]
    elif how == "an element more":
        scope.PatientComments = "added"
    elif signed and how != "nothing":
        _tamper_with_signatures(choose, choose.choice(signed), how)


def _tamper_with_signatures(choose: Random, scope: Dataset, how: str) -> None:
    item = choose.choice(scope[SIGNATURES].value)
    if how == "no signatures":
        delattr(scope, SIGNATURES)
    elif how == "no MAC Parameters":
        scope.pop(MAC, None)
    elif how == "no items":
        setattr(scope, SIGNATURES, [])
    elif how == "MAC ID":
        item.MACIDNumber = 77
    elif how == "twice":
        scope[SIGNATURES].value.append(copy.deepcopy(item))
    elif how == "DateTime":
        item.DigitalSignatureDateTime = "rubbish"
    else:
        name = "CertificateOfSigner" if how == "certificate" else "Signature"
        value = bytearray(item[name].value)
        value[choose.randrange(len(value))] ^= 1
        item[name].value = bytes(value)


def written(choose: Random, form: str) -> bytes:
    """The file of a data set of a form, which may be signed, and may have been tampered with."""
    dataset = _made(choose, form)
    _sign(choose, dataset)
    _tamper(choose, dataset, choose.choice(TAMPERED))
    out = io.BytesIO()
    dataset.save_as(out, enforce_file_format=True)
    return out.getvalue()


def states(content: bytes) -> Iterator[tuple[str, Any]]:
    """The data set of a file, as programs hold it."""
    yield "raw", dcmread(io.BytesIO(content))
    decoded = dcmread(io.BytesIO(content))
    for element in decoded.iterall():
        assert element.value is not decoded
    yield "decoded", decoded
    yield "deeply copied", copy.deepcopy(decoded)
    partly = dcmread(io.BytesIO(content))
    for tag in list(partly.keys())[::2]:
        partly[tag]
    yield "partly decoded", partly
    yield "raw, deeply copied", copy.deepcopy(dcmread(io.BytesIO(content)))
