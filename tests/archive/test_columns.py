"""From a worker's packed rows to the tables: what is inserted is what the chain is over."""

from __future__ import annotations

import hashlib
import random
import sqlite3
from contextlib import closing

import msgspec
import pytest

from dicomseal.archive.ledger import columns, hash_chain
from dicomseal.archive.ledger.audit import audit
from dicomseal.archive.ledger.ledger import Ledger
from dicomseal.archive.ledger.rows import Row, SignatureRow, pack
from dicomseal.errors import LedgerError
from dicomseal.report import CertificateInfo

TEXTS = ("", "x", "CN=J\u00fcrgen, O=\U0001f5c4", "a" * 300, "'; DROP TABLE object; --")
SIGNERS = (
    None,
    *(CertificateInfo(f"CN={n}", "CN=ca", f"{n}", "00" * 32, "RSA 2048", "", "") for n in "123"),
)


def some(seed, count=40, signatures_of_each=(0, 1, 1, 3)):
    """Rows with every kind of value, the same for the same seed."""
    chance = random.Random(seed)

    def value(kind):
        if kind is str:
            return chance.choice(TEXTS)
        if kind is bytes:
            return chance.randbytes(chance.choice((0, 16, 32)))
        if kind is int:
            return chance.choice((0, 1, 2**40))
        return chance.choice((0.0, 1795347873.25, 1e300))

    def some_row(kind, last, **more):
        fields = msgspec.structs.fields(kind)[:-1]
        return kind(*(more.get(one.name, value(one.type)) for one in fields), last)

    rows = []
    for number in range(count):
        signatures = tuple(
            some_row(SignatureRow, chance.choice(SIGNERS))
            for _ in range(chance.choice(signatures_of_each))
        )
        path = chance.choice((f"/archive/{number}", b"/archive/\xff%d" % number))
        rows.append(some_row(Row, signatures, path=path, mtime=-(2**62)))
    return rows


@pytest.fixture
def ledger(tmp_path):
    with Ledger(str(tmp_path / "ledger.db"), create=True) as opened:
        yield opened


@pytest.mark.parametrize("number", [0, 1, 2])
def test_as_many_signatures_each(ledger, number):
    run = ledger.begin("{}")
    rows = some(7, signatures_of_each=(number,))
    ledger.append(run.number, 1, run.head, pack(rows))
    assert list(ledger.rows(*ledger.span(run.number))) == rows


def test_what_is_inserted_is_what_was_sent(ledger):
    run = ledger.begin("{}")
    head = run.head
    for number in (1, 2, 3):
        rows = some(number)
        appended = ledger.append(run.number, number, head, pack(rows))
        batch = list(ledger.batches(run.number))[-1]
        stored = list(ledger.rows(batch.first, batch.last))
        assert stored == rows
        # the head over the bytes of the worker is the one over the rows that an audit reads
        assert appended.head == batch.head == hash_chain.of_batch(head, number, batch.time, stored)
        whole = msgspec.msgpack.encode(("batch", (number, batch.time, stored)))
        assert appended.head == hashlib.sha256(head + whole).digest()
        assert (appended.files, appended.size) == (len(rows), sum(row.size for row in rows))
        assert appended.size == batch.size
        for verdict in TEXTS:
            assert appended.verdicts[verdict] == sum(row.verdict == verdict for row in rows)
        head = appended.head
    every = some(1) + some(2) + some(3)
    files, size, verdicts = ledger.tally(run.number)
    assert (files, size) == (len(every), sum(row.size for row in every))
    assert verdicts == {one: sum(row.verdict == one for row in every) for one in TEXTS}
    assert audit(ledger).findings == []
    assert signers(ledger) == ["CN=1", "CN=2", "CN=3"]


def test_what_is_empty_in_all_rows(ledger):
    """It is not handed over for each row, and is there all the same, with its type."""
    blank = Row("", 0, 0, "", "", "", b"", "", "", "", "", 0, "", 0.0)
    signature = SignatureRow(*[""] * 13, *[b""] * 3, None)
    both = msgspec.structs.replace(blank, signatures=(signature, signature))
    one = [some(seed, 1) for seed in range(20)]
    run = ledger.begin("{}")
    head = run.head
    for number, rows in enumerate(([blank], [both, blank], *one, [blank, *some(1)]), 1):
        head = ledger.append(run.number, number, head, pack(rows)).head
        batch = list(ledger.batches(run.number))[-1]
        assert list(ledger.rows(batch.first, batch.last)) == rows
    assert audit(ledger).findings == []


WORDS = (
    "1.2.840.10008.5.1.4.1.1.2",
    "passed",
    "it's",
    "''",
    "a;b",
    "a" * 65,
    "J\u00fcrgen",
    "9",
    "-",
)


@pytest.mark.parametrize("word", WORDS)
def test_what_is_alike_in_all_rows(ledger, word):
    """Words of a device are handed over once; what would have to be escaped in SQL is not."""
    names = [one.name for one in msgspec.structs.fields(Row) if one.type is str]
    signature_names = [one.name for one in msgspec.structs.fields(SignatureRow) if one.type is str]
    run = ledger.begin("{}")
    head = run.head
    alike = [
        msgspec.structs.replace(
            row,
            **dict.fromkeys(names, word),
            signatures=tuple(
                msgspec.structs.replace(one, **dict.fromkeys(signature_names, word))
                for one in row.signatures
            ),
        )
        for row in some(5)
    ]
    nearly = [*alike[:-1], some(6, 1)[0]]  # the last one has others
    for number, rows in enumerate((alike, nearly, alike[:1]), 1):
        head = ledger.append(run.number, number, head, pack(rows)).head
        batch = list(ledger.batches(run.number))[-1]
        assert list(ledger.rows(batch.first, batch.last)) == rows
    assert audit(ledger).findings == []


def test_words_are_not_handed_over_for_each_row(ledger):
    run = ledger.begin("{}")
    statements = []
    ledger.db.set_trace_callback(statements.append)
    rows = [msgspec.structs.replace(row, verdict="passed", modality="it's") for row in some(5, 3)]
    ledger.append(run.number, 1, run.head, pack(rows))
    ledger.db.set_trace_callback(None)
    inserted = [one for one in statements if one.startswith("INSERT INTO object ")]
    assert len(inserted) == 3
    assert all("'passed'" in one for one in inserted)


def signers(ledger):
    return sorted(name for (name,) in ledger.db.execute("SELECT subject FROM signer"))


@pytest.mark.parametrize("column", ["size", "verdict", "path"])
def test_what_is_inserted_otherwise_shows(ledger, monkeypatch, column):
    """The chain is over what the worker sent, so an audit tells if something else was inserted."""
    real, place = columns.decode, Row.__struct_fields__.index(column)

    def other(packed):
        (first, *rest) = real(packed)
        return [(*first[:place], 7 if column == "size" else "x", *first[place + 1 :]), *rest]

    monkeypatch.setattr(columns, "decode", other)
    run = ledger.begin("{}")
    ledger.append(run.number, 1, run.head, pack(some(1)))
    assert [one.message for one in audit(ledger).findings] == ["a row of it was changed"]


def broken():
    """Packed rows that are none."""
    row = msgspec.msgpack.decode(pack(some(1, 1)))[0]
    signature = msgspec.msgpack.decode(pack([some(n, 1)[0] for n in range(9)]))
    one = next(found[-1][0] for found in signature if found[-1])
    yield [[*row[:-1]]]
    yield [[*row, 1]]
    yield [["x", "1", *row[2:]]]
    yield [[*row[:7], b"passed", *row[8:]]]  # a verdict is text
    yield [[*row[:-1], [one[:-1]]]]
    yield [[*row[:-1], [[*one, None]]]]
    yield [[*row[:-1], [[*one[:-1], {"subject": 1}]]]]
    yield [[*row[:-1], [[*one[:-1], {}]]]]
    yield row


@pytest.mark.parametrize("rows", list(broken()))
def test_nothing_else_is_taken(ledger, rows):
    run = ledger.begin("{}")
    with pytest.raises(msgspec.ValidationError):
        ledger.append(run.number, 1, run.head, msgspec.msgpack.encode(rows))
    assert ledger.span(run.number) == (1, 0)
    assert audit(ledger).findings == []


def test_a_batch_that_was_rolled_back(ledger):
    """Its certificates are not there either, and come again with the next one."""
    run = ledger.begin("{}")
    rows = some(1)
    bare = [msgspec.structs.replace(row, signatures=()) for row in rows]
    appended = ledger.append(run.number, 1, run.head, pack(bare))
    with pytest.raises(LedgerError, match="UNIQUE"):
        ledger.append(run.number, 1, appended.head, pack(rows))  # there is a first batch already
    assert (signers(ledger), ledger.tally(run.number)[0]) == ([], len(bare))
    ledger.append(run.number, 2, appended.head, pack(rows))
    assert list(ledger.rows(1, 2 * len(rows))) == bare + rows
    assert signers(ledger) == ["CN=1", "CN=2", "CN=3"]
    assert audit(ledger).findings == []


def test_certificates_of_an_earlier_run(ledger):
    run = ledger.begin("{}")
    appended = ledger.append(run.number, 1, run.head, pack(some(1)))
    with Ledger(ledger.path, create=True) as again:
        again.append(run.number, 2, appended.head, pack(some(2)))
        assert signers(again) == ["CN=1", "CN=2", "CN=3"]
        assert audit(again).findings == []


def test_numbers_of_certificates(tmp_path):
    """A ledger with any of them counts on from the last."""
    path = str(tmp_path / "ledger.db")
    Ledger(path, create=True).close()
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("INSERT INTO signer VALUES (41, 'CN=old', '', '', '', '', '', '')")
    with Ledger(path, create=True) as ledger:
        old = CertificateInfo("CN=old", "", "", "", "", "", "")
        found = columns.Signers(ledger.db)
        packed = {one: msgspec.msgpack.encode(one) for one in (old, *SIGNERS)}
        assert [found[packed[one]] for one in (SIGNERS[0], SIGNERS[1], old)] == [None, 42, 41]
        assert found[packed[SIGNERS[2]]] == 43
