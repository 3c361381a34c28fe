"""dicomseal-dcmsign and the real dcmsign on the same command lines.

Exit code, verdicts, the object written, other files written, and what scripts read of the messages.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import _command_lines as table
import _command_lines_different as different
import pytest
from _kitchen import Kitchen
from _same_outcome import both, verify

from dicomseal import dcmsign
from dicomseal.dcmsign import options
from dicomseal.dcmsign.exits import Exit

pytestmark = pytest.mark.peer
DOCUMENT = Path(__file__).parents[2] / "docs" / "dcmsign.md"


# --- the lines -----------------------------------------------------------------------------------


def test_there_are_enough(kitchen: Kitchen) -> None:
    """Lines that are no usage errors; and a file that is missing by mistake makes both agree."""
    assert len(table.SAME) == len(set(table.SAME)) >= 150
    assert not set(table.SAME) & set(table.USAGE)
    words = {w for text in (*table.SAME, *different.DIFFERENT) for w in text.split()}
    files = {w.lstrip("@") for w in words if re.fullmatch(r"@?[\w-]+\.[a-z]\w*", w)}
    absent = {name for name in files if not (kitchen.folder / name).exists()}
    assert absent == {"out.dcm", "nothing.dcm"}


@pytest.mark.parametrize("text", table.SAME)
def test_same(text: str, kitchen: Kitchen, work: Path, capsysbinary: Any, monkeypatch: Any) -> None:
    theirs, mine = both(kitchen, text, work, capsysbinary, monkeypatch)
    assert mine == theirs
    assert mine.code != 1
    if mine.code == 0 and "out.dcm" in text and "+s" in text:
        report = verify(work / "ours" / "out.dcm", integrity_only=True)
        lost = "+ra" in text or "became-un" in text  # an element of the first signature became UN
        assert report.verdict == "passed" or lost, report.sentence()


@pytest.mark.parametrize("text", table.USAGE)
def test_usage(
    text: str, kitchen: Kitchen, work: Path, capsysbinary: Any, monkeypatch: Any
) -> None:
    """Command lines that make no sense: both say what is wrong, in the same words."""
    theirs, mine = both(kitchen, text, work, capsysbinary, monkeypatch)
    assert mine == theirs
    assert mine.code == 1
    assert mine.said


@pytest.mark.parametrize("text", different.DIFFERENT)
def test_different(
    text: str, kitchen: Kitchen, work: Path, capsysbinary: Any, monkeypatch: Any
) -> None:
    """Deliberate differences: both programs do what the document says, and it names them."""
    theirs, mine = both(kitchen, table.full(text), work, capsysbinary, monkeypatch)
    *codes, reason = different.DIFFERENT[text]
    assert [theirs.code, mine.code] == codes
    assert theirs[:3] != mine[:3]
    assert any(reason in row for row in rows()), reason


def rows() -> list[str]:
    """The first cells of the table of differences between the two commands."""
    text = DOCUMENT.read_text("utf-8").split("## The same options", 1)[1].split("###")[0]
    cells = [line.split(" | ")[0] for line in text.splitlines() if line.startswith("| ")]
    return cells[cells.index("| case") + 2 :]


def test_every_row_of_the_document_is_held_true() -> None:
    reasons = {reason for *_, reason in different.DIFFERENT.values()} | set(different.ELSEWHERE)
    assert [row for row in rows() if not any(reason in row for reason in reasons)] == []
    for where in different.ELSEWHERE.values():
        file, name = where.split("::")
        assert f"def {name}(" in (Path(__file__).parent / file).read_text("utf-8")


# --- options -------------------------------------------------------------------------------------


def test_options_are_the_same(kitchen: Kitchen) -> None:
    """Every option of its help, and no other, with as many values."""
    done = subprocess.run([kitchen.program, "--help"], capture_output=True, text=True, check=True)
    theirs = set(re.findall(r"^ +(?:([+-]\S+) +)?(--[a-z0-9-]+)(?: |$)", done.stdout, re.MULTILINE))
    assert len(theirs) > 80
    assert {(o.short, o.long) for o in options.ALL} == theirs
    # all in a row: a value too many would be a parameter, one too few would swallow an option
    for pick in ("long", "short"):
        line = [w for o in options.ALL if not o.exclusive and getattr(o, pick)
                for w in (getattr(o, pick), *["x"] * o.values)]  # fmt: skip
        done = subprocess.run([kitchen.program, *line], capture_output=True, text=True, check=False)
        assert "error: Missing parameter dcmfile-in" in done.stderr


def test_purposes_are_the_same(kitchen: Kitchen, capsys: Any) -> None:
    done = subprocess.run([kitchen.program, "+lp"], capture_output=True, text=True, check=True)
    assert dcmsign.run(["+lp"]) == 0
    listed = [
        re.findall(r"^ +\d+: .*", text, re.MULTILINE)
        for text in (done.stdout, capsys.readouterr().out)
    ]
    assert len(listed[0]) == 18
    assert listed[0] == listed[1]


# --- exit codes ----------------------------------------------------------------------------------

REACHED = {
    0: "+cf ca.pem signed.dcm", 20: "nothing.dcm", 21: '""', 30: "{S} -tf nothing in.dcm out.dcm",
    31: "+t nothing r.tsr u.uid signed.dcm out.dcm",
    32: "+t q.tsq nothing u.uid signed.dcm out.dcm",
    33: "+t q.tsq r.tsr nothing stamp-me.dcm out.dcm", 40: "{S} in.dcm nothing/out.dcm",
    46: "{S} +d nothing/dump in.dcm out.dcm", 83: "+ra no-mac-id.dcm out.dcm",
    84: "+r 1.2.3 signed.dcm out.dcm", 85: "{S} -t 0010,9998 in.dcm out.dcm",
    86: "{S} -tf bad-tags.txt in.dcm out.dcm", 87: "+t other.tsq r.tsr u.uid stamp-me.dcm out.dcm",
    100: "+rg in.dcm", 101: "+cf ca.pem altered.dcm", 102: "+rc subset.dcm",
}  # fmt: skip
NEVER = {5, 80, 81, 82}


@pytest.mark.parametrize("code", REACHED)
def test_exit_codes(
    code: int, kitchen: Kitchen, work: Path, capsysbinary: Any, monkeypatch: Any
) -> None:
    text = table.full(REACHED[code])
    assert text in table.SAME
    theirs, mine = both(kitchen, text, work, capsysbinary, monkeypatch)
    assert (theirs.code, mine.code) == (code, code)


def test_every_exit_code_is_reached_or_said_to_be_never() -> None:
    assert {int(e) for e in Exit} | {5} == set(REACHED) | NEVER | {1}
