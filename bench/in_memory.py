"""Data sets in memory beside pydicom and beside the same object as a file, in one process and run.

    python -m bench --part in-memory

For each shape the medians of: pydicom's `dcmwrite` into a `BytesIO` with SHA-256 over it, which is
what a program does without dicomseal; `canonical.digest` of the same data set and of the file, and
SHA-256 over the file's bytes; `verify` of the data set, unsigned and signed, and `sign` beside the
bare RSA-2048 signature, and the memory these take. Their rounds take turns.
"""

from __future__ import annotations

import hashlib
import io
import statistics
import time
import tracemalloc
import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

from cryptography.hazmat.primitives.serialization import load_pem_private_key

from . import on_load, workloads
from .measure import say
from .signing import key_and_certificate, sign_digest
from .tables import marked, table

GOALS = {  # ahead of pydicom at least, over the file at most
    "decoded": (20, 6), "nested raw": (40, 6), "raw": (40, 3), "large": (None, 1.05),
}  # fmt: skip


MAX_VERIFY = 2  # times `digest`, for `verify`, and for `sign` without the bare signature
MAX_HASH = 1.05  # times SHA-256 alone, for what is large
MAX_MIB = 2
CALLS = 20  # of each in a round


class Shape(NamedTuple):
    """A data set: where it comes from, and which goal is set for its state."""

    name: str
    goal: str
    content: bytes
    data_set: Any


def decoded(data_set: Any) -> Any:
    """The data set, with every element decoded."""
    for _ in data_set.iterall():
        pass
    return data_set


def shapes() -> list[Shape]:
    """What is measured."""
    from pydicom import dcmread
    from pydicom.data import get_testdata_file

    found = []
    for name in (
        "CT_small", "test-SR", "rtplan", "waveform_ecg", "MR_small_implicit", "liver_expb_1frame",
    ):  # fmt: skip
        with open(get_testdata_file(f"{name}.dcm"), "rb") as file:
            content = file.read()
        found.append(Shape(f"{name}, decoded", "decoded", content, decoded(_read(content))))
        found.append(Shape(f"{name}, raw", "raw", content, _read(content)))
    report = workloads.cached("in-memory-report")
    if not report.exists():
        workloads.report(report, 2000)
    built = decoded(dcmread(report))
    content = _written(built)
    found.append(Shape("report of 2,000 items, built", "decoded", content, built))
    _undefine(built)
    content = _written(built)
    found.append(Shape("2,000 items, nested raw", "nested raw", content, _read(content)))
    with open(workloads.make("multiframe"), "rb") as file:
        content = file.read()
    found.append(Shape("105 MB of Pixel Data, decoded", "large", content, decoded(_read(content))))
    return found


def _read(content: bytes) -> Any:
    from pydicom import dcmread

    return dcmread(io.BytesIO(content))


def _written(data_set: Any) -> bytes:
    from pydicom import dcmwrite

    out = io.BytesIO()
    dcmwrite(out, data_set)
    return out.getvalue()


def _undefine(data_set: Any) -> None:
    for element in data_set:
        if element.VR == "SQ":
            element.is_undefined_length = True
            for item in element.value:
                item.is_undefined_length_sequence_item = True
                _undefine(item)


def _by_pydicom(data_set: Any) -> bytes:
    return hashlib.sha256(_written(data_set)).digest()


def medians(
    calls: dict[str, Callable[[], object]], rounds: int, seconds: float
) -> dict[str, float]:
    """Microseconds of each call; their rounds take turns, at least three of each."""
    taken: dict[str, list[float]] = {name: [] for name in calls}
    end = time.perf_counter() + seconds
    for number in range(rounds):
        if number >= 3 and time.perf_counter() > end:
            break
        for name, call in calls.items():
            begin = time.perf_counter()
            call()
            taken[name].append(time.perf_counter() - begin)
    return {name: statistics.median(times) * 1e6 for name, times in taken.items()}


def peak(call: Callable[[], object]) -> float:
    """MiB that a call takes beyond what was there."""
    tracemalloc.start()
    try:
        call()
        return tracemalloc.get_traced_memory()[1] / (1 << 20)
    finally:
        tracemalloc.stop()


class _Signed:
    """The data set of a shape as it is signed, and how it is signed anew each time."""

    def __init__(self, data_set: Any) -> None:
        from dicomseal import sign

        key, certificate = key_and_certificate()
        # read once, as a program does that signs more than one object
        self.pair = load_pem_private_key(key.read_bytes(), None), str(certificate)
        self.data_set, self._sign = data_set, sign

    def sign(self) -> None:
        """Sign it; a signature that it has is taken out before, which costs next to nothing."""
        for tag in (0x4FFE0001, 0xFFFAFFFA):
            self.data_set._dict.pop(tag, None)
        self._sign(self.data_set, *self.pair)


def run(rounds: int, seconds: float) -> dict[str, Any]:
    """What `python -m bench --part in-memory` keeps: the medians of each shape, and its goals."""
    from dicomseal import canonical, verify

    cases = {}
    rounds = max(rounds, 1) * CALLS
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for shape in shapes():
            say(shape.name)
            data_set, content = shape.data_set, shape.content
            found: dict[str, Any] = dict(medians(
                {
                    "pydicom": lambda data_set=data_set: _by_pydicom(data_set),
                    "digest": lambda data_set=data_set: canonical.digest(data_set),
                    "file": lambda content=content: canonical.digest(content),
                    "hash": lambda content=content: hashlib.sha256(content).digest(),
                    "verify": lambda data_set=data_set: verify(data_set, integrity_only=True),
                },
                rounds,
                seconds / 8,
            ))  # fmt: skip
            found["mib"] = peak(lambda data_set=data_set: verify(data_set, integrity_only=True))
            signed = _Signed(data_set)
            signed.sign()
            found |= medians(
                {
                    "digest_signed": lambda data_set=data_set: canonical.digest(data_set),
                    "verify_signed": lambda data_set=data_set: verify(
                        data_set, integrity_only=True
                    ),
                    "sign": signed.sign,
                    "bare": lambda: sign_digest(bytes(32)),
                },
                rounds,
                seconds / 8,
            )
            found["mib_signed"] = peak(
                lambda data_set=data_set: verify(data_set, integrity_only=True)
            )
            found["mib_sign"] = peak(signed.sign)
            cases[shape.name] = {**found, **_ratios(found), "goals": GOALS[shape.goal]}
        return {"cases": cases, "on_load": on_load.run(medians, rounds, seconds / 8)}


def _ratios(found: dict[str, float]) -> dict[str, float]:
    return {
        "ahead": found["pydicom"] / found["digest"],
        "over_file": found["digest"] / found["file"],
        "over_hash": found["digest"] / found["hash"],
        "verify_over_digest": found["verify"] / found["digest"],
        "verify_signed_over_digest": found["verify_signed"] / found["digest_signed"],
        "sign_over_digest": (found["sign"] - found["bare"]) / found["digest_signed"],
    }


def section(found: dict[str, Any], drawn: dict[str, bool]) -> list[str]:
    """What RESULTS.md says of it."""
    del drawn
    rows = []
    for name, case in found["cases"].items():
        least, most = case["goals"]
        ahead, over = case["ahead"], case["over_file"]
        large = least is None
        rows.append([
            name, *(f"{case[one]:,.0f}" for one in ("pydicom", "digest", "file")),
            marked(ahead, large or ahead >= least), "" if large else f"{least}x",
            marked(over, over <= most), f"{most}x",
            marked(case["over_hash"], not large or case["over_hash"] <= MAX_HASH)
            if "over_hash" in case else "",
        ])  # fmt: skip
    head = ("", "pydicom, µs", "digest, µs", "file, µs", "ahead of pydicom", "at least",
            "over the file", "at most", "over SHA-256 alone")  # fmt: skip
    return [
        "Medians, whose rounds took turns. `pydicom` is `dcmwrite` into a `BytesIO` and SHA-256",
        "over it; `digest` is `canonical.digest` of the data set, `file` of the same object as",
        f"a file. Large ones may take {MAX_HASH} times SHA-256 over its bytes. Bold: missed.",
        "",
        *table(head, rows),
        *_signatures(found["cases"]),
        *(on_load.lines(found["on_load"]) if "on_load" in found else ()),
        *LIMITS,
    ]


def _signatures(cases: dict[str, Any]) -> list[str]:
    rows = []
    for name, case in cases.items():
        if "sign" not in case:
            continue
        ratios = ("verify_over_digest", "verify_signed_over_digest", "sign_over_digest")
        sizes = ("mib", "mib_signed", "mib_sign")
        rows.append([
            name, *(f"{case[one]:,.0f}" for one in ("digest_signed", "verify", "verify_signed",
                                                    "sign", "bare")),
            *(marked(case[one], case[one] <= MAX_VERIFY) for one in ratios),
            *(f"{case[one]:.2f}" if case[one] <= MAX_MIB else f"**{case[one]:.2f}**"
              for one in sizes),
        ])  # fmt: skip
    head = ("", "digest, µs", "verify, µs", "of signed, µs", "sign, µs", "bare RSA, µs",
            "verify / digest", "of signed / digest", "sign without RSA / digest",
            "MiB of verify", "of signed", "of sign")  # fmt: skip
    return [] if not rows else [
        f"`verify`, and `sign` without the bare RSA-2048 signature, may take {MAX_VERIFY} times",
        f"`digest`, and {MAX_MIB} MiB of memory beyond the data set.",
        "",
        *table(head, rows),
    ]  # fmt: skip


LIMITS = (
    "Where a goal is missed, and why:",
    "",
    "- *raw, flat, 40 ahead of pydicom*: pydicom copies the bytes of elements that were not",
    "  decoded, so there is little to gain. The same object as a file, from its bytes, is no more",
    "  than twice as fast as the data set here; a hasher, the look-ups of a call and SHA-256 alone",
    "  take a quarter to a half of the time.",
    "- *2,000 items, 6 over the file*: there are 24,000 elements, and each is a Python object with",
    "  a block of attributes, a tag and a value, in four places of memory that no cache holds. To",
    "  read nothing but `VR` and `_value` of each, in C, takes as long as the whole digest does.",
    "- *`verify` twice `digest`*: the least a verification costs is the RSA verification (17 µs)",
    "  and the report (30 µs), also of a file; `digest` of a small data set takes 16 to 50.",
    "- *`sign` twice `digest`*: pydicom's objects for the two items that are added, the check of",
    "  the signature that was made, and the choice of the elements, 370 to 770 µs altogether.",
    "",
)
