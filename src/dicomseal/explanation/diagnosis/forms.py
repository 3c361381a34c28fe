"""Other forms of the stream, by old or defective writers, or by another reading of the standard.

LEGACY_FRAGMENTS, BYTE_ORDER, GROUP_LENGTHS, ITEM_FIELDS, MAC_ALGORITHM.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from ...encoding import record as r
from ...encoding._encoder_py import swap
from ...errors import UsageError
from ...signature.certificate import signed_digest, verify_mac
from ...standard import terms
from ...standard.mac_algorithms import MAC_ALGORITHMS, new_hasher
from ...standard.tags import is_signable_tag
from ..edited_stream import Edit, Update, encoded
from .case import MAX_RECORDS, Case, Hypothesis, named
from .cause import PROVEN, Cause, CauseCode

if TYPE_CHECKING:
    from ..subject import Explained

_PIECE = 1 << 16
_MAX_FIELDS = 10
_ITEM, _ITEM_END = bytes.fromhex("FEFF00E0"), bytes.fromhex("FEFF0DE0")
_WORDS = frozenset(("OW",))
_EVERY = frozenset(terms.SWAP_WIDTH)


def legacy(case: Case) -> Iterator[Hypothesis]:
    """Yield the form of dcmsign before 3.5.4, which also hashed the lengths of fragments."""
    if not case.index.fragmented:
        return
    one = case.one
    assert one.mac is not None  # noqa: S101 - see `Case`
    tags, algorithm = one.mac.data_elements_signed, one.mac.algorithm

    def digest() -> bytes:
        hasher = new_hasher(algorithm)
        case.index.stream(hasher.update, one.scope, tags, legacy=True)
        hasher.update(one.own)
        return hasher.digest()

    yield Hypothesis(
        CauseCode.LEGACY_FRAGMENTS, (named(terms.PIXEL_DATA),),
        "it was made by dcmsign before 3.5.4, which hashed the lengths of fragments too, and "
        "nothing was changed since",
        digest=digest, cost=case.stream.behind(0),
    )  # fmt: skip


def item_fields(case: Case) -> Iterator[Hypothesis]:
    """Yield hypotheses in which the signature's own item was hashed in another way.

    These are all choices of its elements, each with and without the tags of the item.
    """
    index, one = case.index, case.one
    forms: list[tuple[int, bytes]] = []
    for number in index.children(one.item):
        record = index.record(number)
        if record.end - record.value > terms.MAX_SHORT_LENGTH or len(forms) >= _MAX_FIELDS:
            continue
        out = bytearray()
        index.stream_between(out.extend, number, record.next, one.item, one.item)
        forms.append((record.tag, bytes(out)))
    usual = {tag for tag, _ in forms if tag not in terms.NOT_IN_MAC}
    for size in range(len(forms) + 1):
        for chosen in itertools.combinations(forms, size):
            tags = {tag for tag, _ in chosen}
            own = b"".join(data for _, data in chosen)
            elements = tuple(named(tag) for tag in sorted(tags ^ usual))
            framings = ((own, ""), (_ITEM + own, ", with the item's tag before it"),
                        (_ITEM + own + _ITEM_END, ", with the item's tags around it"))  # fmt: skip
            for framed, how in framings:
                if framed == one.own:
                    continue
                yield Hypothesis(
                    CauseCode.ITEM_FIELDS, elements,
                    f"of the signature's own item {_list(tags)} was hashed{how}, and by PS3.3 "
                    f"C.12.1.1.3.1.1 it is {_list(usual)}: the writer has its own idea of the "
                    "item; nothing was changed",
                    own=framed,
                )  # fmt: skip


def _list(tags: set[int]) -> str:
    return ", ".join(named(tag) for tag in sorted(tags)) or "nothing"


def byte_order(case: Case) -> Iterator[Hypothesis]:
    """Yield hypotheses in which words and numbers were hashed in the other byte order."""
    pixels = case.top.get(terms.PIXEL_DATA)
    choices: list[tuple[str, Callable[[int, str], bool]]] = [
        ("the words of Pixel Data", lambda number, vr: number == pixels and vr in ("OW", "OB")),
        ("all words (OW)", lambda _, vr: vr in _WORDS),
        ("numbers and words", lambda _, vr: vr in _EVERY),
        ("numbers, and not words", lambda _, vr: vr in _EVERY and vr not in _WORDS),
    ]
    for what, wanted in choices:
        chosen = [leaf for leaf in case.leaves if wanted(leaf.number, leaf.record.vr)]
        edits = tuple(Edit(leaf.number, leaf.number + 1, _swapped(case, leaf.number, leaf.record))
                      for leaf in chosen)  # fmt: skip
        if edits:
            yield Hypothesis(
                CauseCode.BYTE_ORDER, tuple(named(leaf.record.tag) for leaf in chosen),
                f"{what} were hashed in the other byte order: either the writer did not swap them, "
                "or they were swapped since, and then the picture is another",
                edits,
            )  # fmt: skip


def _swapped(case: Case, number: int, record: r.Record) -> Callable[[Update], None]:
    """Return a function that sends an element with its value in the other byte order."""
    vr = "OW" if record.vr == "OB" else record.vr
    width = terms.SWAP_WIDTH[vr]
    index, scope = case.index, record.parent

    def send(update: Update) -> None:
        left = bytearray()
        head = 12 if record.vr in terms.LONG_VRS else 8

        def take(piece: bytes | memoryview) -> None:
            nonlocal head
            data = memoryview(piece)
            if head:
                update(bytes(data[:head]))
                count = min(head, len(data))
                head -= count
                data = data[count:]
            left.extend(data)
            whole = len(left) - len(left) % width
            if whole >= _PIECE:
                update(swap(bytes(left[:whole]), vr))
                del left[:whole]

        index.stream_between(take, number, number + 1, scope, scope)
        update(swap(bytes(left), vr))

    return send


def group_lengths(case: Case) -> Iterator[Hypothesis]:
    """Yield hypotheses in which group lengths, present or former ones, were hashed as well."""
    index = case.index
    edits = []
    for tag, child in case.top.items():
        if tag & 0xFFFF:
            continue
        record = index.record(child)
        if record.kind == r.ELEMENT and record.vr == "UL":
            value = index.value(child)
            value = swap(value, "UL") if index.big_endian else value
            edits.append(Edit(child, child, encoded(record.tag, "UL", value)))
    if edits:
        yield _with_lengths("that are in the file", edits)
    computed = _computed(case) if len(case.top) <= MAX_RECORDS else []
    if computed:
        yield _with_lengths("as they once were", computed)
        yield _with_lengths("as they once were, of group 0008 alone", computed[:1])


def _with_lengths(which: str, edits: list[Edit]) -> Hypothesis:
    return Hypothesis(
        CauseCode.GROUP_LENGTHS, (),
        f"group lengths {which} were hashed as well, and the standard never signs them: it is the "
        "writer's defect, and nothing was changed",
        tuple(edits),
    )  # fmt: skip


def _computed(case: Case) -> list[Edit]:
    """Return the group lengths that the present elements would have in explicit VR little endian.

    The length of a sequence is that in the file.
    """
    index = case.index
    groups: dict[int, list[int]] = {}
    for child in index.children(case.one.scope):
        record = index.record(child)
        if record.tag & 0xFFFF and is_signable_tag(record.tag):
            groups.setdefault(record.tag >> 16, []).append(child)
    edits = []
    for group, members in groups.items():
        if not any(index.record(n).tag in case.listed for n in members):
            continue
        size = 0
        for number in members:
            record = index.record(number)
            length = record.end - record.value
            header = 12 if record.vr in terms.LONG_VRS else 8
            size += header + length + length % 2
        value = (size & 0xFFFFFFFF).to_bytes(4, "little")
        edits.append(Edit(members[0], members[0], encoded(group << 16, "UL", value)))
    return edits


def other_algorithm(one: Explained) -> Cause | None:
    """Return another hash than that of the MAC Parameters, if it is proven; or None."""
    assert one.mac is not None and one.certificate is not None  # noqa: S101
    key, value = one.certificate.public_key, one.stored.signature
    for name in MAC_ALGORITHMS:
        if name == one.mac.algorithm:
            continue
        if one.key == "RSA" and signed_digest(key, name, value) is None:
            continue  # the MAC in the signature names the hash that was signed
        try:
            hasher = new_hasher(name)
        except UsageError:  # this hash is not available
            continue
        one.stream(hasher.update)
        hasher.update(one.own)
        if verify_mac(key, hasher.digest(), name, value):
            return Cause(
                CauseCode.MAC_ALGORITHM, PROVEN, (named(terms.MAC_ALGORITHM),),
                f"MAC Algorithm says {one.mac.algorithm}, and {name} was signed: somebody changed "
                "the MAC Parameters, which no signature protects, and nothing else",
            )  # fmt: skip
    return None
