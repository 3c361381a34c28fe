"""Pages about what arrives: every command in them is understood, and those of a first try run."""

from __future__ import annotations

import contextlib
import re
import shlex
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from _gate_process import client, dcmtk, posix_only, until

from dicomseal import cli

ROOT = Path(__file__).parents[2]
PAGES = ("gate", "watch", "dicomweb", "orthanc")
TRY = re.search(
    r"## Trying it\n(.*?)\n## ", (ROOT / "docs" / "gate.md").read_text("utf-8"), re.DOTALL
)[1]
UNIT = ROOT / "contrib" / "systemd" / "dicomseal-gate.service"
WATCH_UNIT = UNIT.with_name("dicomseal-watch.service")
COMPOSE = (ROOT / "contrib" / "compose" / "compose.yaml").read_text("utf-8")


def blocks(text):
    """The lines of each block of commands; what goes on in the next line is joined."""
    found = re.findall(r"```(?:text|sh|console)\n(.*?)```", text, re.DOTALL)
    return [block.replace("\\\n", " ").splitlines() for block in found]


def command_lines():
    texts = {name: (ROOT / "docs" / f"{name}.md").read_text("utf-8") for name in PAGES}
    texts["README"] = (ROOT / "README.md").read_text("utf-8")
    for name, text in texts.items():
        for block in blocks(text):
            for line in block:
                if re.match(r" *(\$ )?dicomseal (gate|watch|verify|archive) ", line):
                    yield pytest.param(
                        line.strip().removeprefix("$ "), id=f"{name}: {line.strip()}"
                    )


def understood(words):
    """Parse the command line; nothing is started."""
    command, context = cli.group, None
    while words and hasattr(command, "get_command"):
        command = command.get_command(context, words[0])
        assert command is not None, words
        words = words[1:]
    return command.make_context("dicomseal", list(words)).params


@pytest.mark.parametrize("line", [*command_lines()])
def test_every_command_line_is_understood(line):
    understood(shlex.split(re.sub(r" +[#>].*", "", line))[1:])


def test_there_are_command_lines():
    assert len([*command_lines()]) >= 12


def unit_words(unit):
    joined = unit.read_text("utf-8").replace("\\\n", " ")
    (line,) = re.findall(r"^ExecStart=\S+ (.*)$", joined, re.MULTILINE)
    return shlex.split(line)


def test_the_unit_of_watch(tmp_path):
    given = understood(unit_words(WATCH_UNIT))
    text = WATCH_UNIT.read_text("utf-8")
    # the sandbox lets it write where it is told to
    writable = re.findall(r"^ReadWritePaths=(\S+)$", text, re.MULTILINE)
    state = re.findall(r"^StateDirectory=(\S+)$", text, re.MULTILINE)
    assert list(given["folders"]) == writable
    for path in (given["ledger"], given["quarantine"]):
        assert path.startswith(f"/var/lib/{state[0]}/")
    if shutil.which("systemd-analyze") is None:
        pytest.skip("no systemd-analyze")
    unit = tmp_path / WATCH_UNIT.name
    unit.write_text(text.replace("/opt/dicomseal/bin/dicomseal", "/bin/true"))
    found = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(unit)], capture_output=True, text=True,
        check=False, timeout=60,
    )  # fmt: skip
    assert [line for line in found.stderr.splitlines() if unit.name in line] == [], found.stderr


def test_the_unit_of_the_gate_may_write_where_it_is_told_to():
    given = understood(unit_words(UNIT))
    (state,) = re.findall(r"^StateDirectory=(\S+)$", UNIT.read_text("utf-8"), re.MULTILINE)
    for path in (given["store"], given["quarantine"], given["ledger"]):
        assert path.startswith(f"/var/lib/{state}/")


def test_the_compose_file():
    """As far as it can be looked at without a container: it names what there is."""
    yaml = pytest.importorskip("yaml")
    (service,) = yaml.safe_load(COMPOSE)["services"].values()
    docker = (ROOT / "contrib" / "compose" / "Dockerfile").read_text("utf-8")
    (entry,) = re.findall(r"^ENTRYPOINT (.*)$", docker, re.MULTILINE)
    assert yaml.safe_load(entry) == ["dicomseal", "gate"]
    given = understood(["gate", *service["command"]])
    assert service["build"] == "."
    mounts = {volume.split(":")[1] for volume in service["volumes"]}
    assert mounts == {"/objects", given["trust"][0]}
    assert service["read_only"] is True  # so all that is written goes to a volume
    for path in (given["store"], given["quarantine"], given["ledger"]):
        assert path.startswith("/objects/")
    assert "--directory --owner=dicomseal --mode=0750 /objects" in " ".join(docker.split())
    assert [port.split(":")[-1] for port in service["ports"]] == [str(given["port"])]
    assert str(given["metrics_port"]) in service["healthcheck"]["test"][-1]
    seconds = int(service["stop_grace_period"].removesuffix("s"))
    assert seconds > given["stop_timeout"]


def free_ports(count):
    with contextlib.ExitStack() as stack:
        found = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [str(one.getsockname()[1]) for one in found]


def run(line, folder):
    """One command line as a shell takes it; DCMTK's programs are DCMTK's."""
    name, *words = shlex.split(line)
    words = [
        path
        for word in words
        for path in (sorted(map(str, folder.glob(word))) if word.endswith("*.dcm") else [word])
    ]
    if name == "dicomseal":
        return subprocess.run([sys.executable, "-m", "dicomseal", *words], cwd=folder,
                              capture_output=True, text=True, timeout=120, check=False)  # fmt: skip
    if name == "curl":
        if shutil.which("curl") is None:
            pytest.skip("no curl")
        return subprocess.run(["curl", "--noproxy", "*", "--fail", *words], capture_output=True,
                              text=True, timeout=60, check=False)  # fmt: skip
    return client(name, *words)


@posix_only
def test_the_first_try(tmp_path):
    """All of it, in its order; the ports are free ones."""
    yaml = pytest.importorskip("yaml")
    dcmtk("dcmsend")
    port, metrics = free_ports(2)
    text = TRY.replace("11112", port).replace("9112", metrics)
    (demo, serve), others, after = blocks(text)
    assert run(demo, tmp_path).returncode == 0
    words = [sys.executable, "-m", "dicomseal", *shlex.split(serve)[1:]]
    with open(tmp_path / "log", "wb") as log, subprocess.Popen(
        words, cwd=tmp_path, stderr=log, stdout=subprocess.DEVNULL
    ) as process:  # fmt: skip
        try:
            until(lambda: b"listening" in (tmp_path / "log").read_bytes())
            said = {}
            for line in others:
                found = run(line, tmp_path)
                assert found.returncode == 0, (line, found.stdout, found.stderr)
                said[line] = found.stdout + found.stderr
            check = yaml.safe_load(COMPOSE)["services"]["gate"]["healthcheck"]["test"]
            code = check[-1].replace("9112", metrics)
            subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
        finally:
            process.terminate()
            assert process.wait(60) == 0
    text = "".join(said.values())
    assert re.search(r"with status SUCCESS *: 5\n", text)
    assert re.search(r"with status ERROR *: 1\n", text)
    assert '"status": "ok"' in text
    assert 'dicomseal_gate_objects_total{action="accept",verdict="passed",via="C-STORE"} 5' in text
    assert b"HASH_FAILURE" in (tmp_path / "log").read_bytes()
    for line in after:
        found = run(line, tmp_path)
        assert found.returncode == 0, (line, found.stdout, found.stderr)
    assert "5 passed" in found.stdout  # the store; nothing else is in the way
    assert "not_dicom" not in found.stdout
