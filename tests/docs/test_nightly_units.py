"""contrib/ for nights: what systemd, Kubernetes, Prometheus and the command itself say of it."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from _nights import NIGHT, add, nights, strip  # noqa: F401

from dicomseal import cli
from dicomseal.cli.archive.nightly_config import example, options, read
from dicomseal.errors import UsageError

CONTRIB = Path(__file__).parents[2] / "contrib"
UNITS = CONTRIB / "systemd"
RULES = CONTRIB / "prometheus" / "dicomseal-nightly.rules.yml"
NAMES = ("dicomseal-nightly.service", "dicomseal-nightly.timer", "dicomseal-nightly-mail.service")


def understood(words):
    """Parse the command line; nothing is started."""
    command, context = cli.group, None
    while words and hasattr(command, "get_command"):
        command = command.get_command(context, words[0])
        assert command is not None, words
        words = words[1:]
    return command.make_context("dicomseal", list(words)).params


def section(name, unit):
    """The settings of a unit; the last of several with the same name."""
    text = (UNITS / unit).read_text("utf-8")
    body = text.split(f"[{name}]\n", 1)[1].split("\n[", 1)[0]
    return dict(re.findall(r"^(\w+)=(.*)$", body, re.MULTILINE))


# --- systemd --------------------------------------------------------------------------------------


def test_the_units_fit_together():
    service = section("Service", NAMES[0])
    program, *words = shlex.split(service["ExecStart"])
    assert os.path.basename(program) == "dicomseal"
    given = understood(words)
    assert given["config"] == "/etc/dicomseal/archive.toml"
    unit = section("Unit", NAMES[0])
    assert unit["OnSuccess"] == unit["OnFailure"] == NAMES[2]
    # an alarm must not be a success
    assert "SuccessExitStatus" not in service
    # a night is not cut off after the default minute and a half
    assert service["TimeoutStartSec"] == "infinity"
    state = service["StateDirectory"]
    assert f"/var/lib/{state}/last-night.txt" in section("Service", NAMES[2])["ExecStart"]
    assert section("Timer", NAMES[1])["Persistent"] == "true"


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd is not here")
def test_systemd_takes_the_units(tmp_path):
    program = tmp_path / "dicomseal"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    for name in NAMES:
        text = (
            (UNITS / name).read_text("utf-8").replace("/opt/dicomseal/bin/dicomseal", str(program))
        )
        (tmp_path / name).write_text(text)
    units = [tmp_path / name for name in NAMES]
    done = subprocess.run(
        ["systemd-analyze", "verify", "--recursive-errors=no", *units],
        capture_output=True, text=True,
    )  # fmt: skip
    ours = [line for line in done.stderr.splitlines() if "dicomseal" in line]
    assert (done.returncode, ours) == (0, []), done.stderr
    broken = tmp_path / NAMES[0]
    broken.write_text(broken.read_text().replace("KillMode=mixed", "KillMode=mixd"))
    done = subprocess.run(["systemd-analyze", "verify", broken], capture_output=True, text=True)
    assert "mixd" in done.stderr  # or nothing was looked at
    calendar = section("Timer", NAMES[1])["OnCalendar"]
    done = subprocess.run(["systemd-analyze", "calendar", calendar], capture_output=True)
    assert done.returncode == 0


@pytest.mark.skipif(os.name != "posix", reason="a shell command")
def test_the_mail_that_the_unit_sends(tmp_path):
    words = shlex.split(section("Service", NAMES[2])["ExecStart"].replace("$$", "$"))
    assert words[:2] == ["/bin/sh", "-c"]
    sent, text = tmp_path / "sent", tmp_path / "last-night.txt"
    text.write_text("archive ct: nothing new\nexit code 0\n")
    sendmail = tmp_path / "sendmail"
    sendmail.write_text(f'#!/bin/sh\n[ "$*" = "-t -i" ] && cat > {sent}\n')
    sendmail.chmod(0o755)
    program = words[2].replace("/usr/sbin/sendmail", str(sendmail))
    subprocess.run(["sh", "-c", program, text], check=True, env={**os.environ, "TO": "admins"})
    assert sent.read_text().split("\n\n", 1) == [
        "To: admins\nSubject: dicomseal: archive ct: nothing new", text.read_text(),
    ]  # fmt: skip


@pytest.mark.skipif(os.name != "posix", reason="a shell command")
def test_a_night_that_cannot_begin_does_not_mail_the_one_before(tmp_path):
    """The program is not there, say: what the mail unit sends then is not yesterday's summary."""
    service = section("Service", NAMES[0])
    folder = service["WorkingDirectory"]
    sent = shlex.split(section("Service", NAMES[2])["ExecStart"])[-1]
    assert os.path.dirname(sent) == folder
    text = tmp_path / os.path.basename(sent)
    text.write_text("archive ct: nothing new\nexit code 0\n")
    before = shlex.split(service["ExecStartPre"])
    assert before[:2] == ["/bin/sh", "-c"]  # it fails where the file cannot be written
    subprocess.run(before, cwd=tmp_path, check=True)
    assert text.read_text().startswith("THE NIGHT DID NOT BEGIN")


# --- Kubernetes -----------------------------------------------------------------------------------


def test_the_resources_of_kubernetes(tmp_path):
    yaml = pytest.importorskip("yaml")
    text = (CONTRIB / "kubernetes" / "nightly.yaml").read_text("utf-8")
    config, claim, job = yaml.safe_load_all(text)
    assert [one["kind"] for one in (config, claim, job)] == [
        "ConfigMap", "PersistentVolumeClaim", "CronJob",
    ]  # fmt: skip
    spec = job["spec"]
    assert spec["concurrencyPolicy"] == "Forbid"
    assert spec["jobTemplate"]["spec"]["backoffLimit"] == 0
    pod = spec["jobTemplate"]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    given = understood(container["command"][1:])
    mounts = {one["mountPath"]: one["name"] for one in container["volumeMounts"]}
    volumes = {one["name"]: one for one in pod["volumes"]}
    assert set(mounts.values()) == set(volumes)
    folder, name = os.path.split(given["config"])
    assert volumes[mounts[folder]]["configMap"]["name"] == config["metadata"]["name"]
    assert volumes["ledger"]["persistentVolumeClaim"]["claimName"] == claim["metadata"]["name"]
    (tmp_path / name).write_text(config["data"][name])
    settings, verify = read(str(tmp_path / name))
    written = [settings.archive.ledger, settings.alarm.baseline, settings.report.html]
    read_only = {one["mountPath"] for one in container["volumeMounts"] if one.get("readOnly")}
    for path in [*written, *settings.archive.roots, *verify["trust"]]:
        (mount,) = [one for one in mounts if path == one or path.startswith(f"{one}/")]
        assert path not in written or mount not in read_only


# --- Prometheus -----------------------------------------------------------------------------------


@pytest.mark.skipif(
    not shutil.which("promtool"), reason="promtool is not here (Debian: prometheus)"
)
def test_prometheus_takes_the_rules_and_they_fire():
    for command in (
        ("check", "rules", RULES.name),
        ("test", "rules", "dicomseal-nightly.test.yml"),
    ):
        done = subprocess.run(
            ["promtool", *command], cwd=RULES.parent, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stdout + done.stderr


def test_every_rule_is_tried():
    tried = set(re.findall(r"alertname: (\w+)", RULES.with_name(RULES.name.replace(
        "rules", "test")).read_text("utf-8")))  # fmt: skip
    assert set(re.findall(r"alert: (\w+)", RULES.read_text("utf-8"))) == tried


@pytest.mark.usefixtures("nights")
def test_every_metric_and_label_in_a_rule_is_exported(run):
    pytest.importorskip("prometheus_client")
    add('[report]\nmetrics = "ct.prom"')
    run(*NIGHT)
    strip("archive/a/1.dcm")
    run(*NIGHT)
    exported = Path("ct.prom").read_text() + Path("ct.nightly.prom").read_text()
    series = dict(re.findall(r"^(\w+)\{(.*)\} \S+$", exported, re.MULTILINE))
    text = RULES.read_text("utf-8")
    used = set(re.findall(r"\bdicomseal_\w+", re.sub(r"`.*?`", "", text)))
    assert len(used) >= 5
    assert used <= set(series)
    for rule in text.split("- alert: ")[1:]:
        (metric, *_) = re.findall(r"\bdicomseal_\w+", rule)
        for label in re.findall(r"\$labels\.(\w+)", rule):
            assert f'{label}="' in series[metric], (metric, label)


# --- the configuration ----------------------------------------------------------------------------


def test_the_example_has_every_key_and_all_of_them_are_known(tmp_path):
    text = example()
    path = tmp_path / "archive.toml"
    path.write_text(text)
    read(str(path))
    for name in options():
        assert re.search(rf"^#?{name} = ", text, re.MULTILINE), name
    # all keys at once, but for those that exclude each other
    alone = ("integrity-only", "require-all-signed")
    path.write_text("\n".join(
        re.sub(r"^#(?=[a-z-]+ = )", "", line) for line in text.splitlines()
        if not line.startswith(tuple(f"#{one} " for one in alone))
    ))  # fmt: skip
    settings, verify = read(str(path))
    assert settings.mail.command == ["/usr/sbin/sendmail", "-t", "-i"]
    assert verify["trust"] == (str(tmp_path / "ca.pem"),)
    for line in text.splitlines():
        assert len(line) <= 100
    # above every key there is a sentence about it
    for block in text.split("\n\n")[1:]:
        assert block.startswith("# "), block


def test_relative_paths_count_from_its_folder(tmp_path, monkeypatch):
    monkeypatch.chdir("/")
    (tmp_path / "archive.toml").write_text(
        '[archive]\nroots = ["ct", "@list.txt", "s3://bucket/ct", "/abs"]\nledger = "l.db"\n'
        '[verify]\ntrust = "ca.pem"\nsign-run = ["pkcs11:token=x", "cert.pem"]\npolicy = "strict"\n'
        '[audit]\nsigners = ["../cert.pem"]\n'
    )
    settings, verify = read(str(tmp_path / "archive.toml"))
    assert settings.archive.ledger == str(tmp_path / "l.db")
    assert verify["roots"] == (
        str(tmp_path / "ct"), f"@{tmp_path}/list.txt", "s3://bucket/ct", "/abs",
    )  # fmt: skip
    assert verify["trust"] == (str(tmp_path / "ca.pem"),)
    assert verify["sign_run"] == ("pkcs11:token=x", str(tmp_path / "cert.pem"))
    assert verify["policy"] == "strict"
    assert settings.audit.signers == [str(tmp_path.parent / "cert.pem")]


ARCHIVE = '[archive]\nroots = ["a"]\nledger = "l"\n'
WRONG = {
    "": "[archive] names roots and a ledger",
    "x": "this is not TOML: ",
    "[archive]\nx = =": "line 2",
    "[archive]\nroots = ['a']": "line 1: [archive]: Object missing required field `ledger`",
    '[archive]\nroots = ["-"]\nledger = "l"': "line 2: [archive] roots: standard input",
    '[archive]\nroots = []\nledger = "l"': "line 2: [archive] roots: name a root",
    '[archive]\nroots = "a"\nledger = "l"': "line 2: [archive] roots: Expected `array`",
    f"{ARCHIVE}[verrify]\n": "line 4: there is no table [verrify]: did you mean 'verify'?",
    f"{ARCHIVE}mail = 3\n": "line 4: [archive] has no key 'mail'",
    "archive = 3": "line 1: archive is a table: write [archive]",
    f"{ARCHIVE}[verify]\n\ntrsut = 'x'": "line 6: [verify] has no key 'trsut': did you mean 'tr",
    f"{ARCHIVE}[verify]\ntrust_signer = 'x'": "did you mean 'trust-signer'?",
    f"{ARCHIVE}[verify]\nledger = 'x'": "line 5: [verify] has no key 'ledger'",
    f"{ARCHIVE}[verify]\njobs = 0": "line 5: [verify] jobs: ",
    f"{ARCHIVE}[verify]\njobs = 'many'": "line 5: [verify] jobs: ",
    f"{ARCHIVE}[verify]\njobs = true": "line 5: [verify] jobs is a text or a number",
    f"{ARCHIVE}[verify]\nnull = 'yes'": "line 5: [verify] null is true or false",
    f"{ARCHIVE}[verify]\nsign-run = ['k']": "line 5: [verify] sign-run has 2 values",
    f"{ARCHIVE}[verify]\nrevocation = 'never'": "line 5: [verify] revocation: ",
    f"{ARCHIVE}[alarm]\nbaselin = 'x'": "line 5: [alarm] has no key 'baselin': did you mean 'b",
    f"{ARCHIVE}[alarm]\nignore = ['vanishd']": "line 5: [alarm] ignore: Invalid enum value",
    f"{ARCHIVE}[alarm]\nmost-missing = 200": "line 5: [alarm] most-missing: ",
    f"{ARCHIVE}[mail]\nwhen = 'never'": "line 5: [mail] when: ",
    f"{ARCHIVE}[mail]\ncommand = 'sendmail'": "line 5: [mail] command: ",
}  # fmt: skip


@pytest.mark.parametrize("text", WRONG)
def test_what_is_wrong_is_told_with_its_line(tmp_path, text):
    path = tmp_path / "archive.toml"
    path.write_text(text)
    with pytest.raises(UsageError) as caught:
        read(str(path))
    assert WRONG[text] in str(caught.value)
    assert str(path) in str(caught.value)


def test_of_the_command(run, tmp_path):
    path = tmp_path / "archive.toml"
    assert run("archive", "nightly", "--config", path)[0] == 2
    path.write_text(f"{ARCHIVE}[verify]\ntrust = 'ca.pem'\n")
    code, _, err = run("archive", "nightly", "--config", path, "--check")
    assert (code, "ca.pem" in err) == (2, True)
    assert run("archive", "nightly")[0] == 2
    assert run("archive", "nightly", "--example-config")[1] == example()
    path.write_text(ARCHIVE)
    assert run("archive", "nightly", "--config", path, "--check")[0] == 0
    assert sys.version_info >= (3, 11)
