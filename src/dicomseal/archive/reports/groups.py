"""Groups of objects that are in trouble for one reason, instead of a list of a million paths.

Objects with the same kind, reason and cause are one group. A cause is the sentence on an object
without what differs from object to object: hashes, offsets and lengths. A group counts its signers
and folders and keeps the first few paths, so memory does not grow with the number of objects.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

import msgspec

from ...remedies.table import sentence as remedy_sentence
from ...report import CertificateInfo, escaped
from ..ledger.rows import Row

MAX_GROUPS = 500  # the others are one group for each kind and reason: names come from strangers
MAX_PATHS = 10  # that a group keeps, unless more are asked for
MAX_FOLDERS = 5  # that a group names
OTHER_CAUSES, OTHER_SIGNERS = "(other causes)", "(others)"
_MAX_SIGNERS = 100
_MAX_COUNTED = 256  # folders that are counted before they are replaced by their parents
# it begins with what may begin it, which is found faster than a place between words
_HASH = re.compile(r"[0-9a-fA-F](?<!\w.)[0-9a-fA-F]{15,}\b")
_MOMENT = re.compile(r"(?<= )(\d{4}-\d\d-\d\d)T[\d:.]+(?:Z|[+-]\d\d:\d\d)")
# a number that is not a part of a word, a tag, a date, a version or a UID
_NUMBER = re.compile(r"(?<![\w.,:#+-])(?!\d{4},\d{4}\))\d[\d,]*(?![\w.:-]|,\d)")
_EXPIRED = re.compile(r"\bexpired (?=\d{4}-\d\d-\d\d)")
_WHOSE = re.compile(
    r"(?P<name>.+=.+): its certificate (?P<end>expired .*?)(?:, before the time that counts)?"
)


class Item(NamedTuple):
    """One object that is counted in a group.

    Attributes:
        kind: what it is counted as: a verdict, or a kind of change.
        path: as `escaped` returns it.
        reason: the code, or empty.
        sentence: the same for people, or empty.
        signer: the certificate of the signature that the reason is about; or None.
    """

    kind: str
    path: str
    reason: str
    sentence: str
    signer: CertificateInfo | None = None


class Group(msgspec.Struct, kw_only=True):
    """The objects of one kind that are in trouble for one reason.

    Attributes:
        kind: what they are counted as: a verdict, or a kind of change.
        reason: the code; empty if there is none.
        cause: the same for people, without what differs from object to object.
        files: how many objects.
        signers: how many of them were signed with each certificate, by its subject, the most
            frequent first; at most `_MAX_SIGNERS` and the others.
        folders: how many are in each folder, the most frequent first; at most `MAX_FOLDERS`. Where
            there were more, folders were replaced by their parents.
        paths: the first of them.
        remedy: what to do about the reason, a sentence with a command; or empty.
    """

    kind: str
    reason: str
    cause: str
    files: int = 0
    signers: dict[str, int] = msgspec.field(default_factory=dict)
    folders: dict[str, int] = msgspec.field(default_factory=dict)
    paths: list[str] = msgspec.field(default_factory=list)
    remedy: str = ""

    @property
    def left_out(self) -> int:
        """How many objects there are beyond those whose paths were kept."""
        return self.files - len(self.paths)

    @property
    def title(self) -> str:
        """The group in one line for people, e.g. ``3 files: the folder holds no file``."""
        files = "1 file" if self.files == 1 else f"{self.files:,} files"
        return f"{files}: {self.cause or self.reason or self.kind}"


def item_of(row: Row, kind: str = "") -> Item:
    """Return a row as a member of a group, of the kind of its verdict if none is given."""
    return Item(
        kind or row.verdict, escaped(row.path), row.reason, row.sentence, _signer_concerned(row)
    )


class Groups:
    """Groups that objects are added to one by one; ``paths``: how many paths a group keeps."""

    def __init__(self, paths: int = MAX_PATHS) -> None:
        self._paths = paths
        self._groups: dict[tuple[str, str, str], Group] = {}
        self._kinds: dict[str, int] = {}
        self.files = 0

    def add(self, item: Item) -> None:
        """Count an object."""
        self.files += 1
        self._kinds.setdefault(item.kind, len(self._kinds))
        key = item.kind, item.reason, cause_of(item.sentence)
        if key not in self._groups and len(self._groups) >= MAX_GROUPS:
            key = item.kind, item.reason, OTHER_CAUSES
        group = self._groups.get(key)
        if group is None:
            group = self._groups[key] = Group(
                kind=key[0], reason=key[1], cause=key[2],
                remedy=remedy_sentence(item.reason) or "",
            )  # fmt: skip
        _count(group, item, self._paths)

    def result(self) -> list[Group]:
        """Return the groups, the largest first within each kind.

        Kinds come in the order in which they were first met.
        """
        for group in self._groups.values():
            _reduce(group.folders, MAX_FOLDERS)
            group.folders, group.signers = _ranked(group.folders), _ranked(group.signers)
        return sorted(
            self._groups.values(), key=lambda one: (self._kinds[one.kind], -one.files, one.cause)
        )


def grouped(items: Iterable[Item], paths: int = MAX_PATHS) -> list[Group]:
    """Return the groups of these objects, the largest first within each kind.

    Args:
        items: the objects, e.g. from `item_of`.
        paths: how many paths a group keeps.
    """
    groups = Groups(paths)
    for item in items:
        groups.add(item)
    return groups.result()


def cause_of(sentence: str) -> str:
    """Return a sentence on an object without what differs from object to object."""
    text = _MOMENT.sub(r"\1", sentence) if "T" in sentence else sentence
    text = _HASH.sub(_without_hash, text)
    if "=" not in text:  # the number of a scanner is a part of its name
        text = _NUMBER.sub("…", text)
    expired = _WHOSE.fullmatch(text)
    if expired:
        text = f"the certificate of {expired['name']} {expired['end']}"
    return _EXPIRED.sub("expired on ", text) if "expired" in text else text


def _without_hash(found: re.Match[str]) -> str:
    """Return what stands for a hash; a long number, or a word of these letters, is none."""
    text = found[0]
    return text if text.isdigit() or text.isalpha() else "…"


def _count(group: Group, item: Item, paths: int) -> None:
    group.files += 1
    if len(group.paths) < paths:
        group.paths.append(item.path)
    folder = _parent(item.path)
    group.folders[folder] = group.folders.get(folder, 0) + 1
    _reduce(group.folders, _MAX_COUNTED)
    if item.signer is not None:
        name = item.signer.subject or f"the public key with the SHA-256 {item.signer.sha256}"
        if name not in group.signers and len(group.signers) >= _MAX_SIGNERS:
            name = OTHER_SIGNERS
        group.signers[name] = group.signers.get(name, 0) + 1


def _signer_concerned(row: Row) -> CertificateInfo | None:
    """Return the signer of the signature that a row's reason is about, else of its first one."""
    for signature in row.signatures:
        if signature.reason == row.reason and signature.sentence == row.sentence:
            return signature.signer
    return row.signatures[0].signer if row.signatures else None


def _parent(path: str) -> str:
    """Return the folder of a path, or of a URL; a separator of Windows is one as well."""
    end = max(path.rfind("/"), path.rfind("\\"))
    return path[:end] if end > 0 else path[: end + 1]


def _depth(folder: str) -> int:
    return len([one for one in folder.replace("\\", "/").split("/") if one])


def _reduce(folders: dict[str, int], most: int) -> None:
    """Replace the deepest folders by their parents until there are at most so many."""
    while len(folders) > most and (deepest := max(map(_depth, folders))):
        for folder in [one for one in folders if _depth(one) == deepest]:
            count = folders.pop(folder)
            parent = _parent(folder)
            folders[parent] = folders.get(parent, 0) + count


def _ranked(counts: dict[str, int]) -> dict[str, int]:
    return dict(sorted(counts.items(), key=lambda one: (-one[1], one[0])))
