"""The table of remedies: complete, true of the command line, and what every output says."""

from __future__ import annotations

import ast
import hashlib
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import click
import msgspec
import pki
import pytest

import dicomseal
from dicomseal import cli, errors
from dicomseal.cli.text import render
from dicomseal.errors import DicomSealError, VerificationError
from dicomseal.remedies.errors import ERRORS
from dicomseal.remedies.reasons import REASONS, STATES
from dicomseal.remedies.table import TABLE, sentence
from dicomseal.report import ErrorReport, ObjectReport, Reason, ReasonCode, SignatureReport

SOURCE = Path(dicomseal.__file__).parent
COMMANDS = sorted({line for remedy in TABLE.values() for line in remedy.commands})
# programs beside dicomseal that a remedy may name
OTHERS = {"cat", "curl", "dcmconv", "dcmdump", "df", "env", "ls", "openssl", "pip", "ps", "python",
          "ss", "sync", "wc"}  # fmt: skip


def test_every_reason_has_one_and_no_other_code():
    assert sorted(REASONS) == sorted(ReasonCode)
    assert set(STATES) == {"NOT_CHECKED", "UNSIGNED"}
    assert len(TABLE) == len(REASONS) + len(STATES) + len(ERRORS)


TREES = {path: ast.parse(path.read_text("utf-8")) for path in SOURCE.rglob("*.py")}
CONSTANTS = {
    node.targets[0].id: node.value.value
    for tree in TREES.values()
    for node in tree.body
    if isinstance(node, ast.Assign)
    and isinstance(node.targets[0], ast.Name)
    and isinstance(node.value, ast.Constant)
}


def spelled_out(node):
    """The strings that an expression can be, as far as the source says so."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.IfExp):
        yield from spelled_out(node.body)
        yield from spelled_out(node.orelse)
    elif isinstance(node, ast.Name) and isinstance(CONSTANTS.get(node.id), str):
        yield CONSTANTS[node.id]


def codes_of_errors():
    """The codes that the source gives to errors and exceptions."""
    for path, tree in TREES.items():
        if "dcmsign" in path.parts:  # these are words of dcmsign's log
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                for line in node.body:
                    if (
                        isinstance(line, ast.Assign)
                        and getattr(line.targets[0], "id", "") == "code"
                    ):
                        yield line.value.value
            elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                name = node.func.id
                if name in ("ErrorReport", "_error"):
                    place = 0 if name == "ErrorReport" else 1
                elif isinstance(getattr(errors, name, None), type):
                    place = 1
                else:
                    continue
                if len(node.args) > place:
                    yield from spelled_out(node.args[place])


def test_every_error_has_one():
    found = set(codes_of_errors())
    assert len(found) > 40
    assert found - set(ERRORS) == set()
    # these are put into variables that get them elsewhere
    others = {"empty_folder", "empty_list", "nothing_selected", "permission", "truncated", "time"}
    assert set(ERRORS) - found - others == set()


def test_each_says_what_it_means_and_has_a_command():
    for code, remedy in TABLE.items():
        assert len(remedy.meaning) > 10, code
        assert remedy.concerns, code
        assert remedy.steps, code
        for purpose, command in remedy.steps:
            assert purpose, code
            assert command == command.strip(), code
            assert f"{purpose}: {command}" in remedy.sentence
        assert "\n" not in remedy.sentence
        assert remedy.sentence.isprintable()


@pytest.mark.parametrize("line", COMMANDS)
def test_each_command_can_be_given(line):
    """Its options are those of the command line; FILE and the like are the reader's own."""
    words = shlex.split(line.removeprefix("TMPDIR=/var/tmp "))
    if words[0] != "dicomseal":
        assert words[0] in OTHERS, line
        return
    if words[1].startswith("-"):
        assert words[1] in {option for one in cli.group.params for option in one.opts} | {"--help"}
        return
    if words[1] not in cli._COMMANDS:
        pytest.skip(f"there is no command {words[1]} yet")
    command: click.Command = cli.group
    context = click.Context(command, **command.context_settings)
    rest = words[1:]
    while isinstance(command, click.Group):
        command = command.get_command(context, rest[0])
        assert command is not None, line
        context = click.Context(command, parent=context, info_name=rest.pop(0))
    command.parse_args(context, rest)


def test_an_object_says_what_its_own_code_says():
    good = SignatureReport(location="", uid="", mac_id=1, datetime="", integrity="intact",
                           trust="trusted")  # fmt: skip
    hash_failure, revoked = (
        Reason(code, "why") for code in (ReasonCode.HASH_FAILURE, ReasonCode.REVOKED_NO_POE)
    )
    altered = msgspec.structs.replace(good, integrity="altered", integrity_reason=hash_failure)
    untrusted = msgspec.structs.replace(good, trust="untrusted", trust_reason=revoked)
    unnamed = msgspec.structs.replace(good, trust="not_checked")
    error = ErrorReport("truncated", "why")
    weak = Reason(ReasonCode.FORMAT_FAILURE, "why")
    assert good.remedy is None
    assert altered.remedy == sentence("HASH_FAILURE")
    assert untrusted.remedy == sentence("REVOKED_NO_POE")
    for verdict, given, code in (
        ("passed", {"signatures": (good,)}, None),
        ("failed", {"signatures": (untrusted, altered)}, "HASH_FAILURE"),
        ("failed", {"signatures": (altered,), "reasons": (weak,)}, "FORMAT_FAILURE"),
        ("indeterminate", {"signatures": (good, untrusted)}, "REVOKED_NO_POE"),
        ("indeterminate", {"signatures": (unnamed,)}, "NOT_CHECKED"),
        ("unsigned", {}, "UNSIGNED"),
        ("error", {"error": error}, "truncated"),
    ):
        report = ObjectReport(path="a.dcm", verdict=verdict, **given)
        wanted = None if code is None else TABLE[code].sentence
        assert report.remedy == wanted
        decoded = msgspec.json.decode(report.to_json())
        assert decoded["remedy"] == wanted
        assert msgspec.structs.replace(report, path="b.dcm").remedy == wanted
        if verdict not in ("passed", "unsigned"):
            assert f"to do: {wanted}" in render(report)


def test_it_cannot_be_given_or_kept():
    """It follows from the rest, so that no report has the remedy of another."""
    report = ObjectReport(path="", verdict="unsigned", remedy="pay somebody")
    assert report.remedy == sentence("UNSIGNED")


def test_text_says_it_once_for_all_signatures():
    one = SignatureReport(
        location="", uid="", mac_id=1, datetime="", integrity="altered",
        integrity_reason=Reason(ReasonCode.HASH_FAILURE, "why"),
    )  # fmt: skip
    report = ObjectReport(path="", verdict="failed", signatures=(one,) * 3)
    text = render(report)
    assert text.count("HASH_FAILURE: why") == 3
    assert text.count(sentence("HASH_FAILURE")) == 1


@pytest.fixture
def signed(tmp_path):
    """A small object with a signature, as a file."""
    source, target = tmp_path / "in.dcm", tmp_path / "signed.dcm"
    source.write_bytes(pki.small())
    dicomseal.sign_file(source, target, *pki.member("rsa").pair)
    return target


def test_whoever_names_nobody_is_told_to(signed):
    data = signed.read_bytes()
    report = dicomseal.verify(data)
    assert report.remedy == sentence("NOT_CHECKED")
    assert "--trust ca.pem" in report.remedy
    assert "--trust-signer" in report.remedy
    assert f"to do: {report.remedy}" in render(report)
    alone = dicomseal.verify(data, integrity_only=True)
    assert (alone.verdict, alone.remedy) == ("passed", None)
    assert "to do" not in render(alone)
    trusted = dicomseal.verify(data, trust=dicomseal.TrustStore([pki.member("root").pair[1]]))
    assert (trusted.verdict, trusted.remedy) == ("passed", None)
    assert "to do" not in render(trusted)


def test_an_exception_has_it():
    with pytest.raises(VerificationError) as caught:
        dicomseal.verify(b"").require()
    assert caught.value.remedy == sentence("empty")
    assert VerificationError("why").remedy == sentence("verification")
    with pytest.raises(DicomSealError) as caught:
        dicomseal.sign_file("/no/such", "/no/such.out", "key.pem", "cert.pem")
    assert caught.value.remedy == sentence(caught.value.code) is not None
    assert DicomSealError("why", "of another program").remedy is None


def test_a_changed_object_shows_both_hashes_and_the_next_step(signed):
    signed.write_bytes(signed.read_bytes().replace(b"Doe^John", b"Doe^Jane"))
    report = dicomseal.verify(signed)
    (signature,) = report.signatures
    message = signature.integrity_reason.message
    was, now = re.findall(r"[0-9a-f]{64}", message)
    stream = subprocess.run(
        [sys.executable, "-m", "dicomseal", "dump", "--raw", str(signed)], capture_output=True
    ).stdout
    assert hashlib.sha256(stream).hexdigest() == now
    assert hashlib.sha256(stream.replace(b"Doe^Jane", b"Doe^John")).hexdigest() == was
    assert "`dicomseal explain FILE`" in message
    assert "dicomseal explain FILE --against COPY" in report.remedy


def test_whoever_passes_loads_no_table(signed):
    """It is looked up for what did not pass, alone."""
    program = (
        "import sys; from dicomseal import cli\n"
        "try: cli.main()\n"
        "except SystemExit: pass\n"
        "print('dicomseal.remedies.table' in sys.modules)"
    )
    for options, loaded in ((["--integrity-only"], "False"), ([], "True")):
        done = subprocess.run(
            [sys.executable, "-c", program, "verify", *options, "signed.dcm"],
            cwd=signed.parent, capture_output=True, text=True,
        )  # fmt: skip
        assert done.stdout.splitlines()[-1] == loaded, done


@pytest.mark.skipif(sys.platform == "win32", reason="there are no pseudo terminals on Windows")
def test_a_person_at_a_terminal_is_told_and_a_script_is_not(tmp_path):
    import pty

    command = [sys.executable, "-m", "dicomseal", "dump", "absent.dcm"]
    leader, follower = pty.openpty()
    done = subprocess.run(command, cwd=tmp_path, stderr=follower, stdout=subprocess.DEVNULL)
    os.close(follower)
    told = os.read(leader, 4096).decode().splitlines()
    os.close(leader)
    assert done.returncode == 1
    assert told[0].startswith("dicomseal: absent.dcm: ")
    assert told[1:] == [f"dicomseal: to do: {sentence('not_found')}"]
    piped = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert piped.stderr.splitlines() == told[:1]
