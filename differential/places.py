"""Where in an original something can be put: between any two elements, at any depth."""

from __future__ import annotations

import random
from typing import NamedTuple

from .originals import MAC_PARAMETERS, SIGNATURES, Original
from .tree import ITEM_END, SEQUENCE_END, Node, Nodes, Raw, Style, emit

MARK = b"\x91here is the place\x91\0"
# elements that a signature cannot cover, and others that nobody signed
FRONT = (0x00010001, 0x00010010, 0x00030001, 0x00050010, 0x00060001, 0x00070010, 0x00071001)
FREE = (
    *FRONT, 0x00000000, 0x00000002, 0x00020010, 0x00040000, 0x00080000, 0x00080001, 0x00080003,
    0x00090011, 0x00091003, 0x00091101, 0x00100000, 0x00110010, 0x00111001, 0x00190010, 0x00280000,
    0x00290010, 0x00291010, 0x00420011, 0x00430010, 0x00ff4aa5, 0x01f71070, 0x04000561, 0x20050010,
    0x20051080, 0x2001e05f, 0x40080040, 0x4FFF0010, 0x50003000, 0x54000100, 0x60010010, 0x66660001,
    0x66660010, 0x7FE00000, 0x7FDF0010, 0x7FE10010, 0x7FE11060, 0xFFF90010, 0xFFFA0000, 0xFFFAFFF0,
    0xFFFB0001, 0xFFFCFFFC, 0xFFFD0010, 0xFFFF0010,
)  # fmt: skip


class Place(NamedTuple):
    """Between two elements of an original.

    ``undefined`` says whether the sequences around it have delimiters; ``low`` and ``high`` are
    the tags on both sides; ``after`` is how many bytes follow.
    """

    original: Original
    path: tuple[tuple[int, int], ...]
    at: int
    undefined: bool | None
    low: int
    high: int
    after: int

    @property
    def style(self) -> Style:
        return self.original.style

    @property
    def closing(self) -> bytes:
        """What ends all items and sequences around the place."""
        ends = self.style.end(ITEM_END) + self.style.end(SEQUENCE_END)
        return ends * len(self.path)

    def tag(self, dice: random.Random) -> int:
        """A tag for what is put there, mostly in order."""
        fitting = [tag for tag in FREE if self.low < tag < self.high]
        return dice.choice(fitting if fitting and dice.random() < 0.9 else FREE)

    def file(self, raw: bytes, head: bytes | None = None) -> bytes:
        """The file with these bytes in the place."""
        nodes = _with(self.original.nodes, self.path, self.at, raw)
        return self.original.file(emit(nodes, self.style, self.undefined), head)


def _with(nodes: list[Node], path: tuple[tuple[int, int], ...], at: int, raw: bytes) -> Nodes:
    if not path:
        return [*nodes[:at], Raw(raw), *nodes[at:]]
    (number, item), *rest = path
    node = nodes[number]
    assert node.items is not None
    items: list[Nodes] = [list(i) for i in node.items]
    items[item] = _with(node.items[item], tuple(rest), at, raw)
    changed = Node(node.tag, node.vr, items=items, undefined=node.undefined)  # type: ignore[arg-type]
    return [*nodes[:number], changed, *nodes[number + 1 :]]


def place(original: Original, dice: random.Random, most: float = 0.35) -> Place:
    """Anywhere; the front and the end of the data set most often.

    Args:
        original: what is changed.
        dice: where all choices come from.
        most: how often the place is in an item.
    """
    nodes, path = original.nodes, []
    undefined = dice.choice((None, True, True, False))
    while dice.random() < most:
        inner = [
            (n, i) for n, node in enumerate(nodes) if node.items for i in range(len(node.items))
        ]
        if not inner:
            break
        # the sequences that sign are as many as all others
        signing = [p for p in inner if nodes[p[0]].tag in (MAC_PARAMETERS, SIGNATURES)]
        number, item = dice.choice(signing if signing and dice.random() < 0.5 else inner)
        path.append((number, item))
        nodes = nodes[number].items[item]  # type: ignore[index]
    how = dice.random()
    at = 0 if how < 0.4 else len(nodes) if how < 0.6 else dice.randint(0, len(nodes))
    return _made(original, tuple(path), at, undefined)


def front(original: Original, undefined: bool | None = None) -> Place:
    """Before the first element."""
    return _made(original, (), 0, undefined)


def _made(
    original: Original, path: tuple[tuple[int, int], ...], at: int, undefined: bool | None
) -> Place:
    nodes = original.nodes
    for number, item in path:
        nodes = nodes[number].items[item]  # type: ignore[index]
    low = nodes[at - 1].tag if at else -1
    high = nodes[at].tag if at < len(nodes) else 1 << 32
    body = emit(_with(original.nodes, path, at, MARK), original.style, undefined)
    after = len(body) - body.index(MARK) - len(MARK)
    return Place(original, path, at, undefined, low, high, after)
