"""docs/gate.md and contrib/ against the program: their options exist, their Python runs."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
from _gate import file_of

from dicomseal.cli.gate import command

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "gate.md").read_text("utf-8")
UNIT = ROOT / "contrib" / "systemd" / "dicomseal-gate.service"
COMPOSE = (ROOT / "contrib" / "compose" / "compose.yaml").read_text("utf-8")
OPTIONS = {name for one in command.params for name in (*one.opts, *one.secondary_opts)}


def arguments(line):
    """The options of a command line."""
    return [word.partition("=")[0] for word in shlex.split(line) if word.startswith("--")]


def unit_command():
    joined = UNIT.read_text("utf-8").replace("\\\n", " ")
    (line,) = re.findall(r"^ExecStart=\S+ gate (.*)$", joined, re.MULTILINE)
    return line


def compose_command():
    return " ".join(re.findall(r"^      - (--\S+)$", COMPOSE, re.MULTILINE))


def parsed(line):
    """The command line as click takes it; nothing is started."""
    return command.make_context("gate", shlex.split(line))


def test_every_option_that_is_named_exists():
    # those of other commands and of pip are named beside them
    named = set(re.findall(r"`(--[a-z-]+)", TEXT))
    assert named <= OPTIONS
    assert len(named) > 25


@pytest.mark.parametrize("line", [unit_command(), compose_command()], ids=["systemd", "compose"])
def test_the_command_lines_of_contrib(line):
    assert set(arguments(line)) <= OPTIONS
    given = parsed(line).params
    assert given["aet"] == "GATE"
    assert given["on_failed"] == "quarantine"
    assert given["quarantine"]


def test_nothing_listens_to_the_world_by_itself():
    assert "--bind 127.0.0.1" in unit_command()
    assert '"127.0.0.1:11112:11112"' in COMPOSE
    assert parsed("--port 1 --aet A --store s --integrity-only").params["bind"] == "127.0.0.1"


def test_the_unit_is_one(tmp_path):
    if shutil.which("systemd-analyze") is None:
        pytest.skip("no systemd-analyze")
    unit = tmp_path / UNIT.name
    # the program is not there where the tests run
    unit.write_text(UNIT.read_text("utf-8").replace("/opt/dicomseal/bin/dicomseal", "/bin/true"))
    found = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(unit)], capture_output=True, text=True,
        check=False, timeout=60,
    )  # fmt: skip
    about = [line for line in found.stderr.splitlines() if UNIT.name in line]
    assert about == [], found.stderr
    stop = int(re.findall(r"^TimeoutStopSec=(\d+)$", unit.read_text(), re.MULTILINE)[0])
    assert stop > parsed(unit_command()).params["stop_timeout"]


def test_the_python(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ct.dcm").write_bytes(file_of("good"))
    (block,) = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    *lines, shown, last = block.strip().splitlines()
    expression, _, said = shown.partition("  # ")
    names: dict = {}
    source = "\n".join([*lines, f"shown = {expression}", last])
    exec(source.replace('open("ct.dcm", "rb").read()', "data"), {
        **names, "data": (tmp_path / "ct.dcm").read_bytes()}, names)  # fmt: skip
    assert repr(names["shown"]) == said
    assert callable(names["on_c_store"])


def test_the_statuses_are_those_of_the_program():
    from dicomseal.gate import handlers, judgement

    shown = set(re.findall(r"^\| ([0-9A-F]{4}) \|", TEXT, re.MULTILINE))
    assert shown == {
        f"{status:04X}"
        for status in (
            judgement.SUCCESS, judgement.DOES_NOT_MATCH, judgement.CANNOT_UNDERSTAND,
            judgement.OUT_OF_RESOURCES, handlers.PROCESSING_FAILURE,
        )
    }  # fmt: skip
