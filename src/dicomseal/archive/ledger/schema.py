"""The tables of a ledger, their version, and what to do with one of another version."""

from __future__ import annotations

from ...report import CertificateInfo
from .rows import Row, SignatureRow

APPLICATION, VERSION = 0x6473_6C67, 3  # "dslg"
SCHEMA = """
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
# the columns of these tables are the fields of what is kept in them, in their order
OBJECT_FIELDS = Row.__struct_fields__[:-1]
SIGNATURE_FIELDS = SignatureRow.__struct_fields__[:-1]
SIGNER_FIELDS = CertificateInfo.__struct_fields__
OBJECT, SIGNATURE, SIGNER = map(", ".join, (OBJECT_FIELDS, SIGNATURE_FIELDS, SIGNER_FIELDS))


def remedy(version: int, writer: str) -> str:
    """What helps with a ledger of another version, written by that version of dicomseal, or ""."""
    by = f"dicomseal {writer}" if writer else "the dicomseal that wrote it"
    if version > VERSION:
        return f"Update dicomseal: it was written by a newer one, {by}"
    return f"Begin a new ledger, and keep this one: {by} reads it"


def insert(table: str, columns: int) -> str:
    """The statement that appends a row to a table."""
    return f"INSERT INTO {table} VALUES ({', '.join('?' * columns)})"  # noqa: S608
