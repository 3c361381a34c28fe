"""Asks the readers, and says where they show other content of what is signed."""

from __future__ import annotations

import json
import os
import select
import shutil
import subprocess
import sys
import threading
from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any, NamedTuple

from . import ROOT
from .dumps import dumped
from .readers import READERS

SECONDS = 20.0  # for one answer; then the reader is replaced
PIXEL_DATA = 0x7FE00010
MODULES = {"pydicom": ("pydicom", "numpy"), "gdcm": ("gdcm",), "itk": ("SimpleITK",)}
NAMES = (*READERS, "dcmdump")
# what no signature can cover (PS3.3 C.12.1.1.3.1.1), beside group lengths
NEVER_GROUPS = (*range(8), 0xFFFA)
NEVER_TAGS = (0x00080001, 0x4FFE0001, 0xFFFCFFFC)
FORGED, ADDED, HIDDEN = "forged", "added", "hidden"

Answer = dict[str, Any]


class Find(NamedTuple):
    """What one reader shows otherwise than of the original."""

    reader: str
    kind: str  # other content, more in a signed sequence, or less of what is signed
    where: str
    was: str
    shown: str

    def __str__(self) -> str:
        return f"{self.reader}: {self.kind} {self.where}: {self.was[:60]!r} -> {self.shown[:60]!r}"


def missing() -> list[str]:
    """The readers that are not here."""
    found = [
        name for name, modules in MODULES.items() if any(find_spec(m) is None for m in modules)
    ]
    return found + ([] if shutil.which("dcmdump") else ["dcmdump"])


class Reader:
    """One of `readers` in a process of its own, which is replaced when it dies or hangs."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.lost = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._pending = b""

    def ask(self, paths: Sequence[str]) -> list[Answer]:
        """An answer for each path."""
        answers: list[Answer] = []
        while len(answers) < len(paths):
            process = self._running()
            assert process.stdin is not None
            rest = paths[len(answers) :]
            try:
                process.stdin.write("".join(f"{p}\n" for p in rest).encode())
                process.stdin.flush()
                for _ in rest:
                    answers.append(json.loads(self._line()))  # noqa: PERF401 kept if one fails
            except (EOFError, TimeoutError, BrokenPipeError) as error:
                self.close()
                self.lost += 1
                answers.append({"refused": f"crashed: {type(error).__name__}"})
        return answers

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            self._pending = b""
            self._process = subprocess.Popen(
                [sys.executable, "-m", "differential.readers", self.name],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT,
            )  # fmt: skip
        return self._process

    def _line(self) -> bytes:
        assert self._process is not None and self._process.stdout is not None
        out = self._process.stdout.fileno()
        while b"\n" not in self._pending:
            if not select.select([out], [], [], SECONDS)[0]:
                raise TimeoutError
            piece = os.read(out, 1 << 16)
            if not piece:
                raise EOFError
            self._pending += piece
        line, _, self._pending = self._pending.partition(b"\n")
        return line

    def close(self) -> None:
        """End its process."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            for pipe in (self._process.stdin, self._process.stdout):
                assert pipe is not None
                pipe.close()
            self._process = None


class Oracle:
    """All readers that are here."""

    def __init__(self, names: Sequence[str] | None = None) -> None:
        absent = missing()
        self.names = [n for n in NAMES if n not in absent] if names is None else list(names)
        self._readers = {n: Reader(n) for n in self.names if n in READERS}

    @property
    def lost(self) -> dict[str, int]:
        """How often a reader died or hung."""
        return {name: reader.lost for name, reader in self._readers.items()}

    def ask(self, paths: Sequence[str]) -> list[dict[str, Answer]]:
        """What each reader shows of each file; the readers work at the same time."""
        found: dict[str, list[Answer]] = {}

        def one(name: str) -> None:
            reader = self._readers.get(name)
            found[name] = reader.ask(paths) if reader else dumped(paths)

        threads = [threading.Thread(target=one, args=(name,)) for name in self.names]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return [{name: found[name][at] for name in self.names} for at in range(len(paths))]

    def close(self) -> None:
        """End the processes of the readers."""
        for reader in self._readers.values():
            reader.close()


def finds(was: dict[str, Answer], now: dict[str, Answer], signed: frozenset[int]) -> list[Find]:
    """Where a reader shows other content of a signed element, or other pixels.

    A reader that refuses the file, or shows nothing that is signed, is not deceived.
    """
    found: list[Find] = []
    for name, before in was.items():
        after = now[name]
        if "refused" not in before and "refused" not in after:
            found += _compared(name, before, after, signed)
    return found


def _compared(name: str, before: Answer, after: Answer, signed: frozenset[int]) -> list[Find]:
    old, new = before["elements"], after["elements"]
    tags = [f"{tag:08X}" for tag in sorted(signed) if f"{tag:08X}" in old]
    found = []
    for tag in tags:
        if tag in new and _content(new[tag]) != _content(old[tag]):
            found.append(Find(name, *_difference(tag, _content(old[tag]), _content(new[tag]))))
        if f"{tag}+" in new:
            found.append(Find(name, FORGED, f"a second {tag}", str(old[tag]), str(new[f"{tag}+"])))
    if PIXEL_DATA in signed:
        for kind, pixels in before["pixels"].items():
            seen = after["pixels"].get(kind)
            if seen is not None and seen != pixels:
                found.append(Find(name, FORGED, f"pixels as {kind}", str(pixels), str(seen)))
    if any(tag in new for tag in tags):
        found += [
            Find(name, HIDDEN, tag, str(old[tag]), "")
            for tag in tags
            if tag not in new and f"{tag}?" not in new  # one that it says it cannot show
        ]
    return found


def _difference(where: str, old: Any, new: Any) -> tuple[str, str, str, str]:
    """The kind of a difference, where it is, and both values."""
    if not isinstance(old, list) or not isinstance(new, list):
        return FORGED, where, str(old), str(new)
    if len(old) != len(new):
        kind = ADDED if len(old) < len(new) else HIDDEN
        return kind, f"{where} items", str(len(old)), str(len(new))
    for number, (one, two) in enumerate(zip(old, new, strict=True)):
        inner = f"{where}[{number}]"
        for tag in one:
            if tag in two and two[tag] != one[tag]:
                return _difference(f"{inner}.{tag}", one[tag], two[tag])
            if tag not in two:
                return HIDDEN, f"{inner}.{tag}", str(one[tag]), ""
        more = sorted(set(two) - set(one))
        if more:
            return ADDED, f"{inner}.{more[0]}", "", str(two[more[0]])
    return FORGED, where, str(old), str(new)


def _content(shown: Any) -> Any:
    """What is shown without the elements in items that are no content."""
    if not isinstance(shown, list):
        return shown
    return [{t: _content(v) for t, v in item.items() if _signable(t)} for item in shown]


def _signable(shown: str) -> bool:
    """Whether a signature could cover a tag (PS3.3 C.12.1.1.3.1.1); the rest is no content.

    One that a reader says it cannot show is none either.
    """
    if shown.endswith("?"):
        return False
    tag = int(shown[:8], 16)
    return tag & 0xFFFF != 0 and tag >> 16 not in NEVER_GROUPS and tag not in NEVER_TAGS
