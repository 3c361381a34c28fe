"""TRANSCODED: the compression of Pixel Data was changed after the signing.

Then the bytes are different, so the signature does not verify. If the compression is lossless and
pydicom has a decoder for it, the pixels are decoded, and the hash over them proves that they are
the signed ones.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from ...encoding import values
from ...standard import terms, transfer_syntaxes
from ...standard.transfer_syntaxes import RLE_LOSSLESS, TRANSFER_SYNTAX_ROOT
from ..edited_stream import Edit, Update, encoded
from ..pixels.decoding import Decoded, compressed, decoded
from .case import Case, Hypothesis, named
from .cause import POSSIBLE, Cause, CauseCode

if TYPE_CHECKING:
    from ..subject import Explained

_LOSSLESS = frozenset(
    f"{TRANSFER_SYNTAX_ROOT}.{end}"
    for end in ("5", "4.57", "4.70", "4.80", "4.90", "4.201", "4.202", "1.98", "8.1", "4.110")
)
_NAMES = {
    "1": "explicit VR little endian", "5": "RLE Lossless", "4.50": "JPEG Baseline",
    "4.51": "JPEG Extended", "4.110": "JPEG XL Lossless", "4.112": "JPEG XL",
    "4.111": "JPEG XL JPEG Recompression", "4.202": "HTJ2K Lossless RPCL",
    "8.1": "Deflated Image Frame Compression",
    "4.57": "JPEG Lossless", "4.70": "JPEG Lossless SV1", "4.80": "JPEG-LS Lossless",
    "4.81": "JPEG-LS Near-lossless", "4.90": "JPEG 2000 Lossless", "4.91": "JPEG 2000",
    "4.201": "HTJ2K Lossless", "4.203": "HTJ2K", "2": "explicit VR big endian",
    "1.99": "deflated explicit VR little endian", "1.98": "encapsulated uncompressed",
}  # fmt: skip
_PHOTOMETRIC, _PLANAR = 0x00280004, 0x00280006
_DERIVATION = 0x00082111
_OFFSETS = (0x7FE00001, 0x7FE00002)


def name_of(uid: str) -> str:
    """Return a transfer syntax by its name and UID."""
    end = uid.removeprefix(TRANSFER_SYNTAX_ROOT + ".")
    name = "implicit VR little endian" if uid == TRANSFER_SYNTAX_ROOT else _NAMES.get(end, "")
    return f"{name} ({uid})" if name else uid or "one that is not stated"


def is_transcoded(one: Explained) -> bool:
    """Return whether signed Pixel Data have another compression than the one for the MAC."""
    part10 = one.subject.part10
    if one.mac is None or part10 is None or terms.PIXEL_DATA not in one.mac.data_elements_signed:
        return False
    now, then = part10.transfer_syntax, one.mac.transfer_syntax
    either = transfer_syntaxes.is_encapsulated(now) or transfer_syntaxes.is_encapsulated(then)
    return bool(either) and now != then and one.index.find(one.scope, terms.PIXEL_DATA) >= 0


def possible(one: Explained) -> Iterator[Cause]:
    """Yield the same cause if it cannot be proven."""
    if is_transcoded(one):
        now, then = one.subject.part10.transfer_syntax, one.mac.transfer_syntax  # type: ignore[union-attr]
        if transfer_syntaxes.is_encapsulated(then):
            why = "compressed bytes were signed, and to compress the pixels again makes others"
        elif now in _LOSSLESS:
            why = "no decoder is at hand for it, or more than its pixels was changed"
        else:
            why = "this compression is lossy, so what was signed cannot be restored"
        yield Cause(
            CauseCode.TRANSCODED, POSSIBLE, (named(terms.PIXEL_DATA),),
            f"the Pixel Data were signed in {name_of(then)} and are now in {name_of(now)}: {why}",
        )  # fmt: skip


def hypotheses(case: Case) -> Iterator[Hypothesis]:
    """Yield hypotheses with decoded pixels in place of compressed ones, or for RLE the reverse."""
    one = case.one
    if not is_transcoded(one) or one.scope != 0:
        return
    part10 = one.subject.part10
    assert part10 is not None and one.mac is not None  # noqa: S101
    now, then = part10.transfer_syntax, one.mac.transfer_syntax
    if transfer_syntaxes.is_encapsulated(now) and now not in _LOSSLESS:
        return
    if not transfer_syntaxes.is_encapsulated(then):
        pixels = decoded(part10)
        if pixels is not None:
            yield from _native(case, pixels, now, then)
    elif then == RLE_LOSSLESS:
        yield from _rle(case, now, then)


def _native(case: Case, pixels: Decoded, now: str, then: str) -> Iterator[Hypothesis]:
    number = case.top[terms.PIXEL_DATA]
    stop = case.index.record(number).next
    planes = (0, 1) if pixels.samples > 1 else (0,)
    around = _around(case, pixels)
    for planar, vr, (other, edits) in itertools.product(planes, ("OW", "OB"), around):
        if other is not None and planar != other:
            continue
        data = encoded(terms.PIXEL_DATA, vr, pixels.ordered(planar))
        whole = sorted((*edits, Edit(number, stop, data)), key=lambda edit: edit.start)
        yield _hypothesis(case, whole, then, now, "decoded")


Choices = list[tuple[int | None, tuple[Edit, ...]]]


def _around(case: Case, pixels: Decoded) -> Choices:
    """Return choices of the other changes of a compression, each with a Planar Configuration.

    None means that Planar Configuration does not change, or is not signed.
    """
    planar, photometric = case.top.get(_PLANAR), case.top.get(_PHOTOMETRIC)
    text = values.text_of(case.index, case.one.scope, _PHOTOMETRIC)
    names = [text]
    if pixels.samples > 1:
        names += [one for one in ("RGB", "YBR_FULL", pixels.photometric) if one not in names]
    choices: Choices = []
    derived = _derivation(case)
    for name in names:
        colour: list[Edit] = []
        if name != text and photometric is not None and _PHOTOMETRIC in case.listed:
            data = encoded(_PHOTOMETRIC, "CS", name.encode("ascii", "replace"))
            colour = [Edit(photometric, photometric + 1, data)]
        elif name != text:
            continue
        gone = [
            Edit(case.top[tag], case.index.record(case.top[tag]).next, b"")
            for tag in _OFFSETS
            if tag in case.top and tag in case.listed
        ]
        gone += derived
        choices.append((None, (*colour, *gone)))
        if planar is not None and _PLANAR in case.listed:
            for one in (0, 1):
                data = encoded(_PLANAR, "US", one.to_bytes(2, "little"))
                choices.append((one, (*colour, Edit(planar, planar + 1, data), *gone)))
    return choices


def _derivation(case: Case) -> list[Edit]:
    """Return Derivation Description as it was before DCMTK put a text before it."""
    number = case.top.get(_DERIVATION)
    if number is None or _DERIVATION not in case.listed:
        return []
    text = values.text_of(case.index, case.one.scope, _DERIVATION)
    _, bracket, old = text.rpartition(" [")
    if not bracket or not old.endswith("]"):
        return []
    data = encoded(_DERIVATION, "ST", old[:-1].encode("ascii", "replace"))
    return [Edit(number, number + 1, data)]


def _rle(case: Case, now: str, then: str) -> Iterator[Hypothesis]:
    """Yield the pixels as pydicom compresses them; another encoder may give other bytes."""
    part10 = case.one.subject.part10
    assert part10 is not None  # noqa: S101 - see `is_transcoded`
    number = case.top[terms.PIXEL_DATA]
    stop = case.index.record(number).next
    for plugin in ("pydicom", "gdcm"):
        frames = compressed(part10, plugin)
        if frames is None:
            continue
        starts = list(
            itertools.accumulate((len(one) + len(one) % 2 + 8 for one in frames), initial=0)
        )
        table = b"".join(start.to_bytes(4, "little") for start in starts[:-1])
        for first in (b"", table):
            edit = Edit(number, stop, _encapsulated([first, *frames]))
            yield _hypothesis(case, [edit], then, now, "compressed again")


def _encapsulated(items: Sequence[bytes]) -> Callable[[Update], None]:
    def send(update: Update) -> None:
        update(bytes.fromhex("E07F10004F420000"))
        for item in items:
            update(bytes.fromhex("FEFF00E0") + item + b"\0" * (len(item) % 2))
        update(bytes.fromhex("FEFFDDE0"))

    return send


def _hypothesis(case: Case, edits: Sequence[Edit], then: str, now: str, how: str) -> Hypothesis:
    tags = [case.index.record(edit.start).tag for edit in edits if edit.stop > edit.start]
    return Hypothesis(
        CauseCode.TRANSCODED, tuple(named(tag) for tag in tags),
        f"the Pixel Data were signed in {name_of(then)} and are now in {name_of(now)}; {how}, "
        "they are the signed pixels, bit for bit",
        tuple(edits),
    )  # fmt: skip
