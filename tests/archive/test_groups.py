"""Groups of objects in trouble: one line for a cause, however many objects it has."""

from __future__ import annotations

import pytest
from _archive import VERIFY, rows

from dicomseal.archive.reports import groups
from dicomseal.archive.reports.groups import Item, cause_of, grouped, item_of
from dicomseal.report import CertificateInfo

HASHES = ("2b6a9252a381585bdebdeff79d0d018a", "009abc65b398aca22fa9592cc23aca85")


def certificate(name):
    return CertificateInfo(f"CN={name}", "", "", "00", "RSA 2048", "", "")


@pytest.mark.parametrize(("sentence", "cause"), [
    (f"its SHA256 was {HASHES[0]} and is {HASHES[1]}; look", "its SHA256 was … and is …; look"),
    ("CN=X 7: its certificate expired 2026-11-01T12:00:00+00:00, before the time that counts",
     "the certificate of CN=X 7 expired on 2026-11-01"),
    ("CN=X: an authority in its chain expired 2026-11-01T12:00:00Z, before the time that counts",
     "CN=X: an authority in its chain expired on 2026-11-01, before the time that counts"),
    ("(0010,0010) at offset 1,350 has 12 bytes", "(0010,0010) at offset … has … bytes"),
    ("Input/output error", "Input/output error"),
    ("1.2.840.10008.1.2 and RSA 2048-bit, 64bit", "1.2.840.10008.1.2 and RSA 2048-bit, 64bit"),
    ("", ""),
])  # fmt: skip
def test_a_cause_is_without_what_differs_from_object_to_object(sentence, cause):
    assert cause_of(sentence) == cause


def test_one_group_for_each_kind_reason_and_cause():
    x, y = certificate("X"), certificate("Y")
    items = [
        *(Item("failed", f"/a/ct/{n}", "HASH_FAILURE", f"was {HASHES[n % 2]}", x)
          for n in range(30)),
        Item("failed", "/a/mr/1", "HASH_FAILURE", f"was {HASHES[1]}", y),
        Item("error", "/a/mr/2", "empty", "it has no bytes"),
        *(Item("failed", f"/b/{n}", "FORMAT_FAILURE", "a list is empty", y) for n in range(40)),
    ]  # fmt: skip
    found = grouped(items, paths=3)
    assert [(one.kind, one.reason, one.files) for one in found] == [
        ("failed", "FORMAT_FAILURE", 40), ("failed", "HASH_FAILURE", 31), ("error", "empty", 1),
    ]  # fmt: skip
    altered = found[1]
    assert altered.title == "31 files: was …"
    assert altered.signers == {"CN=X": 30, "CN=Y": 1}
    assert altered.folders == {"/a/ct": 30, "/a/mr": 1}
    assert altered.paths == ["/a/ct/0", "/a/ct/1", "/a/ct/2"]
    assert altered.left_out == 28
    assert "dicomseal explain" in altered.remedy
    assert found[2].title == "1 file: it has no bytes"


def test_many_folders_become_their_parents():
    names = [f"/archive/{n % 7}/{n}/{n}/file" for n in range(2000)]
    (group,) = grouped(Item("error", name, "x", "y") for name in names)
    assert group.folders == {"/archive": 2000}
    (group,) = grouped(Item("error", f"s3://bucket/{n % 3}/{n}", "x", "y") for n in range(600))
    assert group.folders == {"s3://bucket/0": 200, "s3://bucket/1": 200, "s3://bucket/2": 200}
    (group,) = grouped(Item("error", f"/{n}/file", "x", "y") for n in range(600))
    assert sum(group.folders.values()) == 600
    assert len(group.folders) <= groups.MAX_FOLDERS


def test_names_by_strangers_do_not_make_groups_without_end():
    items = [Item("failed", "/a", "X", "the certificate of CN=" + chr(0x4E00 + n), certificate(n))
             for n in range(3000)]  # fmt: skip
    found = grouped(items)
    assert len(found) == groups.MAX_GROUPS + 1
    assert found[0].cause == groups.OTHER_CAUSES
    assert sum(one.files for one in found) == 3000
    assert max(len(one.signers) for one in found) == groups._MAX_SIGNERS + 1
    assert found[0].signers["(others)"] == 3000 - groups.MAX_GROUPS - groups._MAX_SIGNERS


def test_the_rows_of_a_run(run, folder):
    run(*VERIFY)
    found = {one.kind: one for one in grouped(map(item_of, rows()))}
    failed = found["failed"]
    assert failed.reason == "HASH_FAILURE"
    assert failed.cause.startswith("the signed content is not the present one: its SHA256 was … ")
    assert [name for name in failed.signers if name.startswith("CN=")] == list(failed.signers) != []
    assert failed.folders == {f"{folder}/archive": 1}
    assert found["passed"].files == 2
