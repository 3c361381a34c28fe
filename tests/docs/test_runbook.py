"""docs/runbook.md against the program: its commands are understood, and its scripts run."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import click
import pytest

from dicomseal import cli
from dicomseal.archive.ledger.ledger import Ledger

DOCUMENT = (Path(__file__).parents[2] / "docs" / "runbook.md").read_text("utf-8")
SCRIPTS = re.findall(r"```sh\n(.*?)```", DOCUMENT, re.DOTALL)


def understood(words):
    """Whether the command line takes these words."""
    command, context = cli.group, None
    while words and hasattr(command, "get_command"):
        command = command.get_command(context, words[0])
        assert command is not None, words
        words = words[1:]
    with contextlib.suppress(click.exceptions.Exit):  # of an option that prints, and no more
        command.make_context("dicomseal", list(words))


def test_every_command_is_understood():
    lines = re.findall(r"^(?: *|\$ )dicomseal (archive .*)$", DOCUMENT, re.MULTILINE)
    assert len(lines) >= 16
    for line in lines:
        line = re.sub(r" *(>|&&|\|\|?) .*", "", line).replace('"$@"', "/a --ledger l")
        understood(shlex.split(line))


def test_the_resources_of_kubernetes():
    yaml = pytest.importorskip("yaml")
    (block,) = re.findall(r"```yaml\n(.*?)```", DOCUMENT, re.DOTALL)
    cluster, job = yaml.safe_load_all(block)
    assert (cluster["kind"], job["kind"]) == ("DaskCluster", "CronJob")
    pod = job["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    understood(container["args"][1:])
    assert f"tcp://{cluster['metadata']['name']}-scheduler:8786" in container["args"]
    volumes = {one["name"] for one in pod["volumes"]}
    assert {one["name"] for one in container["volumeMounts"]} == volumes


@pytest.fixture
def place(tmp_path, monkeypatch):
    """What the scripts expect: an archive, an anchor, and the commands on the path."""
    monkeypatch.chdir(tmp_path)
    subprocess.run([sys.executable, "-m", "dicomseal", "demo", "--keep", "archive"], check=True,
                   capture_output=True)  # fmt: skip
    shutil.move("archive/ca.pem", "ca.pem")
    for name in ("key.pem", "cert.pem"):
        os.unlink(f"archive/{name}")
    tools = tmp_path / "bin"
    tools.mkdir()
    for name, module in (("dicomseal", "dicomseal"), ("dask", "dask")):
        (tools / name).write_text(f'#!/bin/sh\nexec "{sys.executable}" -m {module} "$@"\n')
    (tools / "python").write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    (tools / "srun").write_text('#!/bin/sh\nexec "$@"\n')  # one task, where the job runs
    for tool in tools.iterdir():
        tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
    return tmp_path


def script(text, place):
    for name in ("/var/lib/dicomseal", "/project", "/archive"):
        text = re.sub(rf"(?<![\w.]){name}\b", str(place) + name.removeprefix("/var/lib/dicomseal")
                      .removeprefix("/project"), text)  # fmt: skip
    path = place / "script.sh"
    path.write_text(text)
    return subprocess.run(["sh", str(path)], capture_output=True, text=True, timeout=120)


def anonymous(text, folder):
    """Without what differs from run to run."""
    text = text.replace(str(folder), "/srv/pacs")
    text = re.sub(r"\b[0-9a-f]{64}\b", "HASH", text)
    text = re.sub(r"[\d,]+ bytes", "N bytes", text)
    return re.sub(r"\d{4}-\d\d-\d\d(?: [\d:]+ UTC)?", "TIME", text)


@pytest.mark.skipif(os.name != "posix", reason="shell commands")
def test_seven_nights(place, tmp_path):
    """Every command, what it prints, the exit code of every night, and its metrics."""
    pytest.importorskip("prometheus_client")
    here = tmp_path / "pacs"
    here.mkdir()
    (config,) = re.findall(r"```toml\n(.*?)```", DOCUMENT, re.DOTALL)
    (here / "archive.toml").write_text(config)
    codes = []
    for block in re.findall(r"```console\n(.*?)```", DOCUMENT, re.DOTALL):
        for part in block.split("$ ")[1:]:
            line, _, expected = part.partition("\n")
            done = subprocess.run(["sh", "-c", line], cwd=here, capture_output=True, text=True)
            assert done.stderr == "", line
            assert anonymous(done.stdout, here) == anonymous(expected, here), line
            if line == "dicomseal archive nightly --config archive.toml":
                assert f"\nexit code {done.returncode}\n" in done.stdout
                codes.append(done.returncode)
            elif line.startswith("grep"):
                assert "nightly_exit_code{archive=" in done.stdout
                assert f" {codes[-1]}.0\n" in done.stdout.splitlines(keepends=True)[0]
    assert codes == [0, 1, 0, 1, 1, 1, 4]


@pytest.mark.skipif(os.name != "posix", reason="a shell script")
def test_slurm(place, monkeypatch):
    pytest.importorskip("distributed")
    monkeypatch.setenv("SLURM_NTASKS", "1")
    temporary = place / "tmp"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    text = SCRIPTS[1].replace("$(hostname)", "127.0.0.1").replace("8786", "18786")
    done = script(text, place)
    assert "run 1 in " in done.stdout, done.stderr[-2000:]
    with Ledger(str(place / "ledger.db")) as ledger:
        assert ledger.find().finished is not None
