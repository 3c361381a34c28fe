"""docs/how-it-works.md, followed from its first block to its last; openssl checks each one."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from _walked import follow, says_nothing

PAGE = Path(__file__).parents[2] / "docs" / "how-it-works.md"


def anonymous(text: str) -> str:
    """Without what differs from run to run: UIDs, times, hashes, and what follows a UID."""
    text = re.sub(r"2\.25\.\d{9,}", "2.25.UID", text)
    text = re.sub(r"\d{4}-\d\d-\d\dT[\d:.+-]+", "TIME", text)
    text = re.sub(r"\b[0-9a-f]{64}\b", "HASH", text)
    before, mark, own = text.partition("-- the signature's own item\n")
    own = re.sub(r"^[0-9A-F]{8} ", "OFFSET ", own, flags=re.MULTILINE)
    own = re.sub(r"^ +00 04 (00|05) 01 .*$", "VALUE", own, flags=re.MULTILINE)  # UID and time
    own = re.sub(r"UI \d\d Dig", "UI N Dig", own)
    return before + mark + re.sub(r"^-- \d+ bytes$", "-- BYTES", own, flags=re.MULTILINE)


def test_every_line_of_it(tmp_path, monkeypatch):
    for name in ("openssl", "dcmconv", "dcmdjpeg"):
        if shutil.which(name) is None:
            pytest.skip(f"{name} is not installed")
    monkeypatch.chdir(tmp_path)
    verified, lines = 0, []
    for ran in follow(PAGE, {}):
        lines.append(ran.line)
        assert ran.done.returncode == ran.code, (ran.line, ran.output)
        if not says_nothing(ran.line):
            assert anonymous(ran.output) == anonymous(ran.expected), ran.line
        verified += ran.output == "Verified OK\n"
    assert verified == 5
    assert len(lines) == len(re.findall(r"^\$ ", PAGE.read_text("utf-8"), re.MULTILINE)) > 25


def test_what_the_text_says_of_the_bytes(tmp_path):
    """The bytes that it quotes stand in a stream that it prints."""
    text = PAGE.read_text("utf-8")
    printed = " ".join(re.findall(r"^ +((?:[0-9a-f]{2} )+)", text, re.MULTILINE))
    prose = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    quoted = re.findall(r"`((?:[0-9a-f]{2} )*[0-9a-f]{2})`", prose)
    assert len(quoted) >= 15
    for one in quoted:
        assert one in printed, one


def test_a_key_of_another_is_told(tmp_path, monkeypatch):
    """So that the check by openssl is one: another key, or another stream, is not accepted."""
    from _walked import run

    monkeypatch.chdir(tmp_path)
    answers = []
    for ran in follow(PAGE, {}):
        answers.append(ran.output)
        if ran.line.startswith("openssl dgst"):
            break
    assert answers[-1] == "Verified OK\n"
    check = "openssl dgst -sha256 -verify public.pem -signature signature.bin stream.bin"
    stream = Path("stream.bin").read_bytes()
    Path("stream.bin").write_bytes(stream.replace(b"Doe", b"Roe"))
    assert run(check).returncode == 1
    Path("stream.bin").write_bytes(stream)
    assert run(check).returncode == 0
    assert run("openssl genrsa -out other.pem 2048").returncode == 0
    assert run("openssl rsa -in other.pem -pubout -out public.pem").returncode == 0
    assert run(check).returncode == 1
