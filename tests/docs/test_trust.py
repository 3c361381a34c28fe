"""docs/trust.md against the program: its commands and what they print; and the options of trust."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pki
import pytest
import trust_pki

from dicomseal import sign_file
from dicomseal.cli import verify as verify_command

TEXT = (Path(__file__).parents[2] / "docs" / "trust.md").read_text("utf-8")
SIGNED = {"ct": "CT 1", "stolen": "CT 2", "retired": "Retired CT", "ultrasound": "Ultrasound 7"}


def run(folder, *arguments):
    return subprocess.run(
        [sys.executable, "-m", "dicomseal", *arguments], cwd=folder, capture_output=True, text=True
    )


@pytest.fixture(scope="module")
def hospital(tmp_path_factory):
    """The folder that the document speaks of."""
    folder = tmp_path_factory.mktemp("hospital")
    plain = folder / "plain.dcm"
    plain.write_bytes(pki.small())
    for name, who in SIGNED.items():
        sign_file(
            plain, folder / f"{name}.dcm", trust_pki.key(who), trust_pki.cert(who),
            when=trust_pki.at(-100 if name == "retired" else -1),
        )  # fmt: skip
    plain.unlink()
    for name, who in (("ca", "Hospital CA"), ("ultrasound", "Ultrasound 7"),
                      ("tsa-ca", "tsa root")):  # fmt: skip
        (folder / f"{name}.pem").write_bytes(trust_pki.cert(who).public_bytes(trust_pki.PEM))
    why = trust_pki.x509.ReasonFlags.key_compromise
    (folder / "ca.crl").write_bytes(trust_pki.crl("Hospital CA", trust_pki.Entry("CT 2", -5, why)))
    (folder / "old.crl").write_bytes(trust_pki.crl("Hospital CA", window=(-40, -33)))
    (folder / "ours.json").write_text('{"name": "ours", "weak": "reject"}')
    return folder


def anonymous(text):
    text = re.sub(r"2\.25\.\d+", "2.25.UID", text)
    text = re.sub(r"[ \t]+$", "", text, flags=re.MULTILINE)
    return re.sub(r"\d{4}-\d\d-\d\dT[\d:.]+(\+00:00|Z)", "TIME", text)


def _examples():
    for block in re.findall(r"```console\n(.*?)```", TEXT, re.DOTALL):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, output = part.partition("\n")
            yield command, output


EXAMPLES = dict(_examples())


@pytest.mark.parametrize(("command", "output"), EXAMPLES.items(), ids=EXAMPLES)
def test_examples(hospital, command, output):
    """Each command of the document prints what stands below it; `...` leaves lines out."""
    command = command.partition(" #")[0]
    if "TIME" in command:
        command = command.replace("TIME", f"{trust_pki.at(-90):%Y-%m-%dT%H:%M:%SZ}")
    done = run(hospital, *shlex.split(command)[1:])
    assert done.returncode != 2, done.stderr
    assert "Traceback" not in done.stderr
    printed = anonymous(done.stdout)
    at = 0
    for piece in anonymous(output).split("...\n"):
        assert piece in printed[at:]
        at = printed.index(piece, at) + len(piece)


def test_there_are_examples():
    assert len(EXAMPLES) >= 6


def test_python(hospital, monkeypatch):
    (block,) = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    monkeypatch.chdir(hospital)
    names: dict[str, object] = {}
    exec(compile(block, "trust.md", "exec"), names)
    (signature,) = names["report"].signatures
    assert (signature.judged_by, signature.revocation) == ("validation", "good")


def report(hospital, *arguments):
    done = run(hospital, "verify", "--format", "json", *arguments)
    assert done.stderr == ""
    content = json.loads(done.stdout)
    return done.returncode, content["verdict"], content["signatures"][0]


CA = ("--trust", "ca.pem")
WEEKS_AGO = f"{trust_pki.at(-90):%Y-%m-%dT%H:%M:%SZ}"
# options -> exit code, trust, reason
OPTIONS = {
    "no CRL": (("ct.dcm", *CA), 0, "trusted", None),
    "CRL": (("ct.dcm", *CA, "--crl", "ca.crl", "--revocation", "require"), 0, "trusted", None),
    "required": (("ct.dcm", *CA, "--revocation", "require"), 3, "untrusted", "TRY_LATER"),
    "strict and missing": (("ct.dcm", *CA, "--policy", "strict"), 3, "untrusted", "TRY_LATER"),
    "out of date": (("ct.dcm", *CA, "--crl", "old.crl"), 3, "untrusted", "TRY_LATER"),
    "off": (("stolen.dcm", *CA, "--crl", "ca.crl", "--revocation", "off"), 0, "trusted", None),
    "revoked": (("stolen.dcm", *CA, "--crl", "ca.crl"), 3, "untrusted", "REVOKED_NO_POE"),
    "revoked since": (("stolen.dcm", *CA, "--crl", "ca.crl", "--at", WEEKS_AGO), 0, "trusted",
                      None),
    "expired": (("retired.dcm", *CA), 3, "untrusted", "OUT_OF_BOUNDS_NO_POE"),
    "claimed": (("retired.dcm", *CA, "--accept-claimed-time"), 0, "trusted", None),
    "at": (("retired.dcm", *CA, "--at", WEEKS_AGO), 0, "trusted", None),
    "self-signed": (("ultrasound.dcm", *CA), 3, "untrusted", "NO_CERTIFICATE_CHAIN_FOUND"),
    "signer": (("ultrasound.dcm", "--trust-signer", "ultrasound.pem"), 0, "trusted", None),
    "TSA is no anchor": (("ct.dcm", "--tsa-trust", "ca.pem", "--trust", "tsa-ca.pem"), 3,
                         "untrusted", "NO_CERTIFICATE_CHAIN_FOUND"),
    "weak": (("ct.dcm", *CA, "--weak", "reject"), 0, "trusted", None),
    "policy from a file": (("ct.dcm", *CA, "--policy", "ours.json"), 0, "trusted", None),
    "fetch": (("ct.dcm", *CA, "--fetch"), 0, "trusted", None),  # it names no address
}  # fmt: skip


@pytest.mark.parametrize(("arguments", "code", "trust", "reason"), OPTIONS.values(), ids=OPTIONS)
def test_options(hospital, arguments, code, trust, reason):
    answer = report(hospital, *arguments)
    signature = answer[2]
    assert (answer[0], signature["integrity"], signature["trust"]) == (code, "intact", trust)
    assert (signature["trust_reason"] or {}).get("code") == reason
    assert signature["judged_by"] == (
        "claimed" if "--accept-claimed-time" in arguments else "validation"
    )


def test_several_processes(hospital):
    """The store travels: anchors, CRLs and policy."""
    done = run(hospital, "verify", *CA, "--crl", "ca.crl", "--revocation", "require", "--jobs", "2",
               "--format", "jsonl", "ct.dcm", "stolen.dcm")  # fmt: skip
    verdicts = [json.loads(line)["verdict"] for line in done.stdout.splitlines()]
    assert (verdicts, done.stderr) == (["passed", "indeterminate"], "")


WRONG = {
    "--intermediate ca.pem": "give --trust as well",
    "--crl ca.crl": "give --trust as well",
    "--tsa-trust ca.pem": "give --trust as well",
    "--trust ca.pem --crl ca.pem": "ca.pem: no certificate revocation list",
    "--trust ca.pem --ocsp ca.crl": "ca.crl: no OCSP response in it",
    "--trust ca.crl": "ca.crl: no certificate in it",
    "--trust ct.dcm": "ct.dcm: no certificate in it",
    "--trust nowhere": "nowhere: No such file",
    "--trust ca.pem --policy lenient": "neither a file nor a policy's name",
    "--trust ca.pem --policy ca.pem": "ca.pem: no policy",
    "--trust ca.pem --fetch-cache x": "goes with --fetch",
    "--trust ca.pem --trust-password-env NOT_THERE": "no environment variable NOT_THERE",
    "--trust ca.pem --weak perhaps": "is not one of",
    "--trust ca.pem --revocation perhaps": "is not one of",
}


@pytest.mark.parametrize(("arguments", "said"), WRONG.items(), ids=WRONG)
def test_wrong_options(hospital, arguments, said):
    done = run(hospital, "verify", *arguments.split(), "ct.dcm")
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_every_option_is_in_the_document():
    named = {name for param in verify_command.command.params for name in param.opts}
    ours = {"--trust", "--intermediate", "--crl", "--ocsp", "--trust-signer", "--tsa-trust",
            "--revocation", "--at", "--accept-claimed-time", "--weak", "--policy", "--fetch",
            "--fetch-cache", "--trust-password-env"}  # fmt: skip
    assert ours <= named
    for option in ours:
        assert f"`{option}" in TEXT, option
