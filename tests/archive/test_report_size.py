"""A report on very many objects in trouble: its size and its memory do not grow with them."""

from __future__ import annotations

import csv
import io
import json
import os
import tracemalloc

import pki
import pytest

from dicomseal.archive.find.selection import RunRequest, Selection, as_json
from dicomseal.archive.ledger.hash_chain import of_end
from dicomseal.archive.ledger.ledger import Ledger
from dicomseal.archive.ledger.rows import Row, SignatureRow, pack
from dicomseal.archive.reports import html
from dicomseal.archive.reports.summary import MAX_NAMES, summarize
from dicomseal.archive.reports.trouble import troubled, write_csv
from dicomseal.archive.run.progress import Totals
from dicomseal.report import CertificateInfo

BATCH = 500


def row(number, passes):
    """Each in a folder of its own, for a cause of its own, by a signer of his own."""
    until = pki.NOW.isoformat()
    why = ("", "") if passes else ("HASH_FAILURE", f"the value of A{number}B is another one")
    signer = CertificateInfo(
        f"CN={number}", "CN=x", "1", f"{number:064x}", "RSA 2048", until, until
    )
    signature = SignatureRow("", f"2.25.{number}", "", "intact" if passes else "altered",
                             "trusted", "SHA256", *why, until, "validation", "", "", "",
                             number.to_bytes(8, "big"), b"c", b"e", signer)  # fmt: skip
    return Row(f"/archive/{number}/{number}.dcm", 1, 0, f"1.2.{number}", f"2.25.{number}",
               f"M{number}", b"", "passed" if passes else "failed", *why, why[0], 0, "", 0.0,
               (signature,))  # fmt: skip


def ledger_of(path, count):
    """Two runs: in the first all pass, in the second all fail."""
    with Ledger(str(path), create=True) as ledger:
        for passes in (True, False):
            run = ledger.begin(as_json(RunRequest(selection=Selection(roots=("/archive",)))))
            head = run.head
            for batch, first in enumerate(range(0, count, BATCH), 1):
                rows = [row(n, passes) for n in range(first, first + BATCH)]
                head = ledger.append(run.number, batch, head, pack(rows)).head
            totals = as_json(Totals(files=count, bytes=count))
            finished = pki.NOW.timestamp()
            ledger.end(run.number, of_end(head, finished, totals), totals, finished)
    return str(path)


class Counted(io.StringIO):
    """Counts what is written, and keeps nothing."""

    size = 0

    def write(self, text):
        self.size += len(text)
        return len(text)


def figures(path):
    """For the summary, the page and the table: the most memory in bytes; and their lengths."""
    page, table = Counted(), Counted()
    most = []
    with Ledger(path) as ledger:
        tracemalloc.start()
        try:
            summary = summarize(ledger, most=html.MOST_IN_HTML)
            most.append(tracemalloc.get_traced_memory()[1])
            for write in (
                lambda: html.write(page, summary, pki.NOW.timestamp(), csv="x.csv"),
                lambda: write_csv(troubled(ledger, ledger.span(2)), table),
            ):
                before = tracemalloc.get_traced_memory()[0]
                tracemalloc.reset_peak()
                write()
                most.append(tracemalloc.get_traced_memory()[1] - before)
        finally:
            tracemalloc.stop()
    return most, page.size, table.size


def test_neither_memory_nor_the_page_grow(tmp_path):
    figures(ledger_of(tmp_path / "warm.db", BATCH))
    few, few_page, few_table = figures(ledger_of(tmp_path / "few.db", 1000))
    many, many_page, many_table = figures(ledger_of(tmp_path / "many.db", 3000))
    for one, three in zip(few, many, strict=True):
        assert three < 1.3 * one + 100_000
    assert many_page < 1.1 * few_page < 3e6
    assert many_table > 2.9 * few_table


def test_what_is_left_out_is_counted(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    count = 1500
    ledger_of("ledger.db", count)
    report = json.loads(run("archive", "report", "ledger.db", "--format", "json")[1])
    assert (len(report["signers"]), report["signers_left_out"]) == (MAX_NAMES, count - MAX_NAMES)
    assert sum(group["files"] for group in report["groups"]) == count
    assert report["changes"]["counts"] == {"newly_failing": count}
    assert sum(group["files"] for group in report["changes"]["groups"]) == count
    assert len(report["failures"]) == count
    assert run("archive", "report", "ledger.db", "--html", "report.html")[0] == 0
    text = (tmp_path / "report.html").read_text("utf-8")
    assert "The first 500 of 1,500 are here." in text
    assert os.path.getsize("report.html") < 1e6
    with open("report-failures.csv", newline="", encoding="utf-8") as file:
        assert sum(1 for _ in csv.DictReader(file)) == count


@pytest.mark.parametrize("most", [0, 1])
def test_as_few_as_are_asked_for(run, tmp_path, monkeypatch, most):
    monkeypatch.chdir(tmp_path)
    ledger_of("ledger.db", BATCH)
    out = run("archive", "report", "ledger.db", "--most", str(most), "--no-changes")[1]
    assert out.endswith(f"  and {BATCH - most} more\n")
    assert "changes since" not in out
