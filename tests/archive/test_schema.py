"""The tables of a ledger: their text is the same in all ledgers of a version; an audit says so."""

from __future__ import annotations

import sqlite3
from contextlib import closing

from dicomseal.archive.ledger.schema import SCHEMA, TABLES, VERSION, insert
from dicomseal.archive.reports.export import COLUMNS

# what version 3 has, to the last byte: a change needs another version
WRITTEN = """
CREATE TABLE run (
  id INTEGER PRIMARY KEY, kind TEXT NOT NULL, started REAL NOT NULL, asked TEXT NOT NULL,
  head BLOB NOT NULL, seal BLOB);
CREATE TABLE batch (
  run INTEGER NOT NULL, number INTEGER NOT NULL, time REAL NOT NULL, first INTEGER NOT NULL,
  last INTEGER NOT NULL, bytes INTEGER NOT NULL, head BLOB NOT NULL, seal BLOB,
  PRIMARY KEY (run, number)) WITHOUT ROWID;
CREATE TABLE object (
  id INTEGER PRIMARY KEY, path BLOB NOT NULL, size INTEGER NOT NULL, mtime INTEGER NOT NULL,
  sop_class_uid TEXT NOT NULL, sop_instance_uid TEXT NOT NULL, modality TEXT NOT NULL,
  content BLOB NOT NULL, verdict TEXT NOT NULL, reason TEXT NOT NULL, sentence TEXT NOT NULL,
  reasons TEXT NOT NULL, uncovered INTEGER NOT NULL, uncovered_classes TEXT NOT NULL,
  time REAL NOT NULL);
CREATE TABLE signature (
  object INTEGER NOT NULL, position INTEGER NOT NULL, location TEXT NOT NULL, uid TEXT NOT NULL,
  datetime TEXT NOT NULL, integrity TEXT NOT NULL, trust TEXT NOT NULL,
  mac_algorithm TEXT NOT NULL, reason TEXT NOT NULL, sentence TEXT NOT NULL,
  judged_at TEXT NOT NULL, judged_by TEXT NOT NULL, timestamp TEXT NOT NULL, proof TEXT NOT NULL,
  weak TEXT NOT NULL, digest BLOB NOT NULL, content BLOB NOT NULL, elements BLOB NOT NULL,
  signer INTEGER,
  PRIMARY KEY (object, position)) WITHOUT ROWID;
CREATE TABLE signer (
  id INTEGER PRIMARY KEY, subject TEXT NOT NULL, issuer TEXT NOT NULL, serial TEXT NOT NULL,
  sha256 TEXT NOT NULL, key TEXT NOT NULL, not_before TEXT NOT NULL, not_after TEXT NOT NULL);
CREATE TABLE run_end (
  run INTEGER PRIMARY KEY, finished REAL NOT NULL, totals TEXT NOT NULL, head BLOB NOT NULL,
  signature BLOB, certificate BLOB);
"""


def test_the_text_is_that_of_every_ledger_of_this_version():
    assert (VERSION, SCHEMA) == (3, WRITTEN)


def test_the_columns_are_those_that_sqlite_has():
    with closing(sqlite3.connect(":memory:")) as db:
        db.executescript(SCHEMA)
        for table, columns in TABLES.items():
            found = db.execute(f"PRAGMA table_info({table})").fetchall()
            assert [one[1] for one in found] == [one.name for one in columns]
            for (_, _, kind, required, _, is_key), column in zip(found, columns, strict=True):
                assert column.types[0] == kind.lower()
                assert ("null" not in column.types) == bool(required or is_key)
            assert insert(table).count("?") == len(found)


def test_columns_of_an_export():
    """Other programs know them by name and place: at the end some may be added."""
    assert COLUMNS[:4] == ("path", "size", "mtime", "sop_class_uid")
    assert COLUMNS[14:17] == ("signature_location", "signature_uid", "signature_datetime")
    assert (COLUMNS[30], COLUMNS[-1], len(COLUMNS)) == ("signer_subject", "signer_not_after", 37)
