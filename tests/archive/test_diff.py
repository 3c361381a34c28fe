"""`archive diff`: every class of change, made for real, and the exit code for cron."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys

import pki
import pydicom
import pytest
from _archive import VERIFY

from dicomseal import remove_file, sign_file
from dicomseal.archive.reports.diff import ALARMING, KINDS

GOOD = "archive/a/passed.dcm"
ONE = "archive/one.dcm"
PAIR = pki.member("rsa").pair


@pytest.fixture
def one(folder):
    """A signed object that the tests change."""
    shutil.copy(GOOD, ONE)
    return folder


def changed(run, *options):
    code, out, err = run("archive", "diff", "ledger.db", "--format", "jsonl", *options)
    found = [json.loads(line) for line in out.splitlines()]
    return code, {os.path.basename(one["path"]): one["change"] for one in found}, err


def set_name(path, name):
    data = pydicom.dcmread(path)
    data.PatientName = name
    data.save_as(path)


def anew(path, change=lambda path: None, pair=PAIR, **options):
    """Take the signatures off, change the object, and sign it."""
    remove_file(path, path)
    change(path)
    sign_file(path, path, *pair, **options)


def jane(path):
    set_name(path, "Doe^Jane")


def same_uid(path):
    """As `anew` with other content; and the new signature claims to be the old one."""
    was = pydicom.dcmread(path).DigitalSignaturesSequence[0]
    anew(path, jane, uid=was.DigitalSignatureUID)


def garbage(path):
    with open(path, "wb") as file:
        file.write(b"overwritten by something else")


def replace_by(other):
    return lambda path: shutil.copy(other, path)


def add(path, **options):
    sign_file(path, path, *options.pop("pair", PAIR), **options)


def unknown_vr(path):
    """What was signed has an unknown VR now: nobody can tell what it was."""
    data = pydicom.dcmread(path)
    data[0x00100020].VR = "UN"
    data[0x00100020]._value = b"1234"
    data.save_as(path)


OTHER = pki.member("other").pair
DIGEST = ("--content-digest",)
TAGS = ["PatientID", "SOPInstanceUID"]
# what is done -> the kind of change, without and with --content-digest; None: nothing is said
TABLE = {
    "nothing": (lambda path: os.utime(path), None, None),
    "altered": (lambda path: jane(path), "newly_failing", "newly_failing"),
    "cut short": (lambda path: os.truncate(path, 700), "newly_failing", "newly_failing"),
    "overwritten": (garbage, "newly_failing", "newly_failing"),
    "vanished": (os.unlink, "vanished", "vanished"),
    "stripped": (lambda path: remove_file(path, path), "stripped", "stripped"),
    "signed anew": (anew, "re_signed", "re_signed"),
    "by another trusted one": (
        lambda path: anew(path, pair=pki.member("rsa two").pair), "re_signed", "re_signed"),
    "by an unknown one": (
        lambda path: anew(path, pair=OTHER), "no_longer_passing", "no_longer_passing"),
    "changed, signed anew": (lambda path: anew(path, jane), "content_changed", "content_changed"),
    "changed, by an unknown one": (
        lambda path: anew(path, jane, OTHER), "content_changed", "content_changed"),
    "changed, with the old UID": (same_uid, "content_changed", "content_changed"),
    "another algorithm": (lambda path: anew(path, mac="SHA512"), "replaced", "re_signed"),
    "another algorithm, changed": (
        lambda path: anew(path, jane, mac="SHA512"), "replaced", "content_changed"),
    "other elements": (lambda path: anew(path, tags=TAGS), "replaced", "re_signed"),
    "other elements, changed": (
        lambda path: anew(path, jane, tags=TAGS), "replaced", "content_changed"),
    "one more": (add, "signature_added", "signature_added"),
    "one more, of an unknown one": (
        lambda path: add(path, pair=OTHER), "no_longer_passing", "no_longer_passing"),
    "not to be told any more": (unknown_vr, "no_longer_passing", "no_longer_passing"),
}  # fmt: skip


@pytest.mark.parametrize("digest", [(), DIGEST], ids=["", "content-digest"])
@pytest.mark.parametrize("what", TABLE)
def test_every_change(run, one, what, digest):
    change, *kinds = TABLE[what]
    kind = kinds[bool(digest)]
    run(*VERIFY, *digest)
    change(ONE)
    run(*VERIFY, *digest)
    code, found, err = changed(run)
    assert (found, err) == ({"one.dcm": kind} if kind else {}, "")
    assert code == (kind in ALARMING)


def test_of_two_kinds_of_alarm_and_news():
    assert set(KINDS[-4:]) == set(KINDS) - ALARMING
    told = {kind for _, *kinds in TABLE.values() for kind in kinds if kind}
    assert told | {"unsigned_changed", "newly_passing", "new"} == set(KINDS)


def test_news_is_no_alarm(run, one):
    jane(ONE)
    run(*VERIFY)
    shutil.copy(GOOD, ONE)
    shutil.copy("archive/unsigned.dcm", "archive/new.dcm")
    sign_file("archive/unsigned.dcm", "archive/unsigned.dcm", *PAIR)
    run(*VERIFY)
    assert changed(run) == (
        0, {"one.dcm": "newly_passing", "new.dcm": "new", "unsigned.dcm": "newly_passing"}, "",
    )  # fmt: skip


def test_what_no_signature_protects(run, one):
    """Only digests of all content show it."""
    anew(ONE, tags=TAGS)
    shutil.copy("archive/unsigned.dcm", "archive/signed.dcm")
    for number, digest in enumerate(((), DIGEST)):
        run(*VERIFY, *digest)
        for path in (ONE, "archive/unsigned.dcm", "archive/signed.dcm"):
            set_name(path, f"Doe^{number}")
        if digest:
            sign_file("archive/signed.dcm", "archive/signed.dcm", *PAIR)
        run(*VERIFY, *digest)
        assert changed(run) == ((0, {}, ""), (1, {
            "one.dcm": "unsigned_changed", "unsigned.dcm": "unsigned_changed",
            "signed.dcm": "content_changed",
        }, ""))[bool(digest)]  # fmt: skip


def test_a_signature_in_an_item(run, one):
    """Contents compare in the same item alone."""
    remove_file(ONE, ONE)
    sign_file(ONE, ONE, *PAIR, items=["BeamSequence[0]"])
    run(*VERIFY)
    anew(ONE, items=["BeamSequence[0]"])
    run(*VERIFY)
    assert changed(run)[1] == {"one.dcm": "re_signed"}
    anew(ONE, items=["BeamSequence[1]"])
    run(*VERIFY)
    assert changed(run)[1] == {"one.dcm": "replaced"}


def test_what_is_said_of_content(run, one):
    shutil.copy(GOOD, "archive/two.dcm")
    run(*VERIFY, *DIGEST)
    remove_file(ONE, ONE)
    remove_file("archive/two.dcm", "archive/two.dcm")
    jane("archive/two.dcm")
    run(*VERIFY, *DIGEST)
    code, out, _ = run("archive", "diff", "ledger.db")
    assert code == 1
    was = "1 file: was signed, and no longer is, or has fewer signatures; the content"
    assert f"{was} is the same\n  {os.path.abspath(ONE)}\n" in out
    assert f"{was} changed\n  {os.path.abspath('archive/two.dcm')}\n" in out
    assert out.endswith("run 1 to run 2: 2 stripped; 3 in trouble besides\n")
    _, out, _ = run("archive", "diff", "ledger.db", "--format", "jsonl")
    assert [json.loads(line)["content"] for line in out.splitlines()] == ["same", "changed"]


def test_for_cron(run, one):
    """The command as cron calls it: quiet on standard error, and its exit code."""
    command = [sys.executable, "-m", "dicomseal", "archive", "diff", "ledger.db"]

    def call(*options):
        done = subprocess.run([*command, *options], capture_output=True, text=True)
        return done.returncode, done.stderr, done.stdout

    assert call()[0] == 2  # no ledger
    run(*VERIFY)
    assert (call()[0], "cannot be compared with no earlier run" in call()[1]) == (2, True)
    run(*VERIFY)
    assert call() == (0, "", "run 1 to run 2: no change; 3 in trouble besides\n")
    os.unlink(ONE)
    run(*VERIFY)
    assert call()[:2] == (1, "")
    assert call("--since", "1")[:2] == (1, "")
    assert call("--since", "7")[0] == 2
    run(*VERIFY)
    assert call()[:2] == (0, "")


def test_when_trust_is_lost(run, one):
    run(*VERIFY)
    names = ("--trust-signer", "other.cert.pem")
    run("archive", "verify", "archive", "--ledger", "ledger.db", *names)
    code, found, _ = changed(run)
    assert (code, found["passed.dcm"]) == (1, "no_longer_passing")


def test_of_other_files(run, one):
    run(*VERIFY)
    run(*VERIFY, "--include", "passed.dcm")
    code, found, err = changed(run)
    assert (code, found) == (0, {})
    assert "are not known" in err


@pytest.mark.parametrize("digest", [(), DIGEST], ids=["", "content-digest"])
def test_one_of_two_signatures_is_stripped(run, one, digest):
    """Over the same content as the one that is left, which must not look like a new signature."""
    add(ONE, pair=pki.member("rsa two").pair)
    first, second = pydicom.dcmread(ONE).DigitalSignaturesSequence
    run(*VERIFY, *digest)
    remove_file(ONE, ONE, uid=second.DigitalSignatureUID)
    run(*VERIFY, *digest)
    assert changed(run) == (1, {"one.dcm": "stripped"}, "")
    assert first.DigitalSignatureUID in str(pydicom.dcmread(ONE))


def test_what_could_not_be_read_before_and_fails_now(run, one):
    os.truncate(ONE, 700)
    run(*VERIFY)
    shutil.copy(GOOD, ONE)
    jane(ONE)
    run(*VERIFY)
    assert changed(run) == (1, {"one.dcm": "newly_failing"}, "")
    os.truncate(ONE, 700)
    run(*VERIFY)
    assert changed(run) == (0, {}, "")


def test_what_a_list_names_twice_has_not_vanished(run, one):
    for twice in (True, False):
        with open("list.txt", "w") as names:
            names.write(f"{ONE}\n" * (1 + twice))
        run("archive", "verify", "@list.txt", "--ledger", "ledger.db", "--trust", "root.cert.pem")
    assert changed(run) == (0, {}, "")


def test_a_stratified_sample_draws_others_beside_a_new_file(run, one):
    sample = ("--sample", "1%", "--stratify")
    run(*VERIFY, *sample)
    for number in range(200):
        shutil.copy(ONE, f"archive/{number}.dcm")
    run(*VERIFY, *sample)
    code, found, err = changed(run)
    assert (code, found) == (0, {})
    assert "are not known" in err


# --- groups and baselines -------------------------------------------------------------------------


def expired(run):
    """Two runs; the certificates expired between them."""
    for number in range(30):
        shutil.copy(GOOD, f"archive/{number}.dcm")
    for at in ((), ("--at", "2500-01-01T00:00:00Z")):
        run(*VERIFY, *at)


def test_what_happened_to_many_is_one_group(run, one):
    expired(run)
    code, out, _ = run("archive", "diff", "ledger.db", "--most", "2")
    assert code == 1
    group, where, *paths, rest, total = out.splitlines()
    assert group.startswith("no_longer_passing 33 files: the certificate of ")
    assert " expired on 2" in group
    assert group.endswith("(OUT_OF_BOUNDS_NO_POE)")
    assert where == f"  in {one}/archive (31), {one}/archive/a (1), {one}/archive/a/b (1)"
    assert paths == [f"  {one}/archive/{n}.dcm" for n in (0, 1)]
    assert rest == "  and 31 more"
    assert total == "run 1 to run 2: 33 no_longer_passing; 3 in trouble besides"
    assert run("archive", "diff", "ledger.db", "--most", "0")[1].count("\n") == 3
    assert len(changed(run)[1]) == 33


def test_only_some_kinds_and_quiet(run, one):
    expired(run)
    os.unlink(ONE)
    run(*VERIFY, "--at", "2500-01-01T00:00:00Z")
    assert run("archive", "diff", "ledger.db", "--quiet")[0] == 1
    assert run("archive", "diff", "ledger.db", "--only", "new")[:2] == (
        0, "run 2 to run 3: no change\n",
    )  # fmt: skip
    only = ("--since", "1", "--only", "vanished")
    code, out, _ = run("archive", "diff", "ledger.db", *only)
    assert (code, out.splitlines()[-1]) == (1, "run 1 to run 3: 1 vanished")
    shutil.copy(GOOD, ONE)
    run(*VERIFY, "--at", "2500-01-01T00:00:00Z")
    assert run("archive", "diff", "ledger.db", "--quiet") == (0, "", "")
    code, out, _ = run("archive", "diff", "ledger.db", "--only", "in_trouble", "--quiet")
    assert (code, out.splitlines()[-1]) == (1, "run 3 to run 4: no change; 36 in trouble besides")


def test_known_damage_is_no_alarm_and_all_other_is_one(run, one):
    known = ("--baseline", "known.jsonl")
    run(*VERIFY)
    run(*VERIFY)
    assert changed(run)[0] == 0
    write = ("archive", "baseline", "ledger.db", "--output", "known.jsonl")
    assert run(*write)[:2] == (0, "known.jsonl: 3 files are accepted\n")
    assert run("archive", "diff", "ledger.db", *known)[:2] == (
        0, "run 1 to run 2: no change; 3 in trouble besides; 3 of these are in the baseline\n",
    )  # fmt: skip
    assert run("archive", "diff", "ledger.db", *known, "--quiet") == (0, "", "")
    shutil.copy("ledger.db", "old.db")
    assert run("archive", "diff", "ledger.db", "--baseline", "old.db", "--quiet")[0] == 0
    code, _, err = run("archive", "diff", "ledger.db", "--baseline", "ledger.db")
    assert (code, "is not its own baseline" in err) == (2, True)
    for _ in range(2):  # on every night
        with open("archive/new.dcm", "wb"):
            pass
        jane(ONE)
        run(*VERIFY)
        code, found, _ = changed(run, *known, "--quiet")
        assert (code, found["new.dcm"]) == (1, "in_trouble")
        assert set(found) == {"new.dcm", "one.dcm"}
    assert run(*write)[1] == "known.jsonl: 5 files are accepted\n"
    assert changed(run, *known, "--quiet") == (0, {}, "")
    set_name(ONE, "Doe^Jim")  # damaged once more, and otherwise
    run(*VERIFY)
    assert changed(run, *known, "--quiet")[:2] == (1, {"one.dcm": "in_trouble"})
    os.truncate("archive/error.dcm", 500)
    run(*VERIFY)
    assert set(changed(run, *known, "--quiet")[1]) == {"one.dcm", "error.dcm"}


@pytest.mark.parametrize(("text", "said"), [
    ("", None), ("{}\n", "line 1"), ("x", "line 1"), ('{"dicomseal_baseline": 2}\n', "another"),
    ('{"dicomseal_baseline": 1}\n{"path": "a"}\n', "line 2"),
])  # fmt: skip
def test_what_is_no_baseline(run, one, text, said):
    run(*VERIFY)
    run(*VERIFY)
    with open("known.jsonl", "w") as file:
        file.write(text)
    code, _, err = run("archive", "diff", "ledger.db", "--baseline", "known.jsonl")
    assert (code, said is None or said in err) == (2, True)
    assert run("archive", "diff", "ledger.db", "--baseline", "nothing")[0] == 2
