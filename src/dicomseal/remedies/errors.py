"""The remedies for the codes of errors and exceptions."""

from __future__ import annotations

from .remedy import Remedy

_VERIFY = "dicomseal verify --trust ca.pem"
_SIGN = "dicomseal sign FILE OUT --key key.pem --cert cert.pem"
_FILE, _CALL = "of a file", "of a call"
_GATE = "of a gate"
_SIGNING, _LEDGER, _TIMESTAMP = "of signing", "of a ledger", "of a timestamp"
_ARCHIVE = "dicomseal archive verify archive/ --ledger ledger.db --trust ca.pem"
_WEB, _CURL = "of a DICOMweb server", "curl -sv http://pacs.example/dicom-web/studies"
_SPACE, _LOOK, _READ = "df -h .", "ls -l FILE", "cat FILE > /dev/null"


def _one(concerns: str, meaning: str, purpose: str, command: str, page: str = "") -> Remedy:
    return Remedy(concerns, meaning, ((purpose, command),), page)


ERRORS = {
    # what a report on a file has
    "not_found": _one(
        _FILE, "there is no such file, or no such signature or item in it",
        "see what is there", _LOOK,
    ),
    "permission": _one(
        _FILE, "this process may not read it", "see who may, and run as that user", _LOOK
    ),
    "unreadable": _one(
        _FILE, "the system did not give its bytes, or it is not a file",
        "see whether all of it can be read, and look after the disk or the network", _READ,
    ),
    "changed": _one(
        _FILE, "it was written to while it was read",
        "try again when its writer is done", f"{_VERIFY} FILE",
    ),
    "empty": _one(_FILE, "it has no bytes", "fetch it again from where it came", _LOOK),
    "empty_folder": _one(
        _FILE, "the folder holds no file", "see whether its disk is mounted", "ls -la DIR"
    ),
    "empty_list": _one(
        _FILE, "the list names no file", "see what wrote the list", "wc LIST"
    ),
    "nothing_selected": _one(
        _FILE, "--exclude or the selection leaves no file",
        "leave the patterns out and see", f"{_VERIFY} DIR",
    ),
    "not_dicom": _one(
        _FILE, "it is not DICOM",
        "leave such files out, if they belong there", f'{_VERIFY} --exclude "*.txt" DIR',
    ),
    "malformed": _one(
        _FILE, "its bytes are not a DICOM data set (PS3.5)",
        "fetch it again; see what another reader says (DCMTK)", "dcmdump FILE",
    ),
    "contradiction": _one(
        _FILE, "it can be read, and not by all readers in the same way",
        "write it anew with one encoding (DCMTK)", "dcmconv FILE OUT",
    ),
    "truncated": _one(
        _FILE, "its end is missing", "fetch it again, and compare the sizes", "ls -l FILE COPY"
    ),
    "unsupported": _one(
        _FILE, "its transfer syntax is not known, or is a private one that is not read",
        "convert it (DCMTK)", "dcmconv +te FILE OUT",
    ),
    "limit": _one(
        _FILE, "to verify it would cost more than the limits allow",
        "raise the limit, if you know where it comes from",
        f"{_VERIFY} --limit seconds=600 FILE", "reports.md#limits",
    ),
    "crashed": _one(
        _FILE, "the process that worked on it ended: it ran out of memory, or was killed",
        "try it alone, and see how much memory is free", f"{_VERIFY} FILE",
    ),
    "time": _one(
        _FILE,
        "it took too long to be read or verified",
        "give it more time, if you know where it comes from",
        f"{_VERIFY} --limit seconds=600 FILE",
        "reports.md#limits",
    ),
    "hung": _one(
        _FILE,
        "it was not read in time: the server or the disk that it is on does not answer",
        "see whether it can be read at all; --read-timeout waits longer",
        _READ,
        "archive.md",
    ),
    "unreachable": _one(
        _WEB,
        "the server cannot be reached, whatever is requested",
        "see whether it can be reached",
        _CURL,
        "dicomweb.md",
    ),
    "redirected": _one(
        _WEB,
        "the server redirects to another address, to which no secret is sent",
        "see where to, and name that address yourself",
        _CURL,
        "dicomweb.md",
    ),
    "incomplete": _one(
        _WEB,
        "the server itself says that its answer is not complete",
        "look into its log, and ask again",
        _CURL,
        "dicomweb.md",
    ),
    "media_type": _one(
        _WEB,
        "the server sent something other than DICOM objects",
        "see what it sends",
        _CURL,
        "dicomweb.md",
    ),
    "other_object": _one(
        _WEB,
        "the server sent another object than the requested one",
        "see what the server has under that address",
        _CURL,
        "dicomweb.md",
    ),
    # what exceptions have beside these
    "error": _one(
        _CALL, "something went wrong, as the sentence says", "see how it is called",
        "dicomseal --help",
    ),
    "usage": _one(
        _CALL, "the call or the command line makes no sense", "see how it is called",
        "dicomseal --help",
    ),
    "truth": _one(
        _CALL, "a report was taken for true or false: a report on a forgery would be true",
        "write `report.passed` or `report.require()`", "python -m pydoc dicomseal.report",
        "reports.md",
    ),
    "verification": _one(
        _CALL, "an object did not pass, as the sentence says", "see why",
        "dicomseal explain --trust ca.pem FILE", "reports.md",
    ),
    "backend": _one(
        _CALL, "DICOMSEAL_BACKEND names a backend that is not there", "see which one is there",
        "env -u DICOMSEAL_BACKEND dicomseal --version",
    ),
    "encoding": _one(
        _CALL, "a value cannot be written in canonical form", "look at the value (DCMTK)",
        "dcmdump FILE",
    ),
    "stream": _one(
        _CALL,
        "the stream that was signed cannot be rebuilt from this file",
        "see what is missing, and find a copy that was not converted",
        "dicomseal explain FILE",
        "verification.md#vrs-that-are-not-there",
    ),
    "location": _one(
        _CALL, "no item has this location", "see the sequences and their items (DCMTK)",
        "dcmdump FILE",
    ),
    "certificate": _one(
        _SIGNING, "a certificate cannot be read, or is not there", "look at it",
        "openssl x509 -in cert.pem -noout -text", "keys.md",
    ),
    "key": _one(
        _SIGNING, "a private key cannot be read, or does not belong to the certificate",
        "look at the key", "openssl pkey -in key.pem -noout -check", "keys.md",
    ),
    "password": _one(
        _SIGNING, "the password or PIN of a key is missing or wrong", "hand it over in a file",
        f"{_SIGN} --password-file password", "keys.md",
    ),
    "not_installed": _one(
        _CALL, "a package that this needs is not installed", "install all extras",
        "pip install dicomseal[all]",
    ),
    "trust": _one(
        "of trust", "trust anchors cannot be read, or there are none", "look at the file",
        "openssl x509 -in ca.pem -noout -text", "trust.md",
    ),
    "signing": _one(
        _SIGNING, "the object cannot be signed as asked; nothing was written",
        "see what the object is like", "dicomseal dump FILE",
    ),
    "ambiguous": _one(
        _SIGNING, "two readers may see two contents, and a signature cannot say which",
        "write the object anew first (DCMTK)", "dcmconv FILE OUT", "verification.md",
    ),
    "weak": _one(
        _SIGNING, "the algorithm or key is not strong enough any more",
        "use a stronger one; or, if that is not possible", f"{_SIGN} --allow-weak", "profiles.md",
    ),
    "profile": _one(
        _SIGNING, "the signature would not satisfy the profile that was asked for",
        "sign without one, if none is required", f"{_SIGN} --profile none", "profiles.md",
    ),
    "unsigned": _one(
        _SIGNING, "not every element can be signed, or a run in a ledger is not signed",
        "sign what can be signed", _SIGN, "unsigned.md",
    ),
    "transfer_syntax": _one(
        _SIGNING, "the object cannot be written in that encoding without a loss, or without "
        "breaking a signature", "keep its encoding", _SIGN, "writing.md",
    ),
    "exists": _one(
        _SIGNING, "the target is there already", "replace it, if that is meant",
        "dicomseal sign FILE --target DIR --overwrite --key key.pem --cert cert.pem", "writing.md",
    ),
    "write": _one(
        _SIGNING, "the target cannot be written", "see who may write there", "ls -ld .",
        "writing.md",
    ),
    "no_space": _one(
        _SIGNING, "the disk is full; the old file is as it was", "see how full it is", _SPACE,
        "writing.md",
    ),
    "not_synced": _one(
        _SIGNING, "the file was written, and a power failure may bring the old one back",
        "flush the disk", "sync", "writing.md",
    ),
    "owner": _one(
        _SIGNING, "the file belongs to somebody else, and could not be replaced with its owner",
        "write to a new path", _SIGN, "writing.md",
    ),
    "timestamp": _one(
        _TIMESTAMP, "a certified timestamp could not be had, or is not one of this signature",
        "ask once more, and look at the answer", "openssl ts -reply -in answer.tsr -text",
        "timestamps.md",
    ),
    "address": _one(
        _GATE,
        "it cannot listen there: the port is taken, or the address is not this machine's",
        "see who listens",
        "ss -ltnp",
    ),
    "watch": _one(
        _GATE,
        "the folders cannot be watched",
        "look at them now and then instead, and see what is there",
        "dicomseal verify --trust ca.pem DIR",
        "watch.md",
    ),
    "http": _one(
        _TIMESTAMP, "the authority did not answer as it should", "see whether it can be reached",
        "curl -sv http://tsa.example/", "timestamps.md",
    ),
    "timeout": _one(
        _TIMESTAMP, "the authority did not answer in time", "wait longer",
        f"{_SIGN} --tsa http://tsa.example/ --tsa-timeout 120", "timestamps.md",
    ),
    "refused": _one(
        _TIMESTAMP, "the authority refused", "ask for another hash or policy",
        f"{_SIGN} --tsa http://tsa.example/ --tsa-mac sha512", "timestamps.md",
    ),
    "present": _one(
        _TIMESTAMP, "the signature has a timestamp already", "see which", f"{_VERIFY} FILE",
        "timestamps.md",
    ),
    "several": _one(
        _TIMESTAMP, "there are several signatures", "name one by its UID",
        "dicomseal timestamp query FILE --out request.tsq --uid 2.25.1", "timestamps.md",
    ),
    "ledger": _one(
        _LEDGER, "the ledger cannot be read or written, or does not fit",
        "see whether it is as it was written", "dicomseal archive audit ledger.db", "archive.md",
    ),
    "in_use": _one(
        _LEDGER, "another process writes to it, which the sentence names",
        "wait for it, or see what it does", "ps -f", "archive.md",
    ),
    "no_ledger": _one(
        _LEDGER, "the file is not a ledger", "make one", _ARCHIVE, "archive.md"
    ),
    "no_run": _one(
        _LEDGER, "the ledger has no such run", "see which runs it has",
        "dicomseal archive audit ledger.db", "archive.md",
    ),
    "nothing_to_resume": _one(
        _LEDGER, "the last run came to its end, or was of another kind", "begin a new one",
        _ARCHIVE, "archive.md",
    ),
    "version": _one(
        _LEDGER, "another version of dicomseal wrote it", "see which version this is",
        "dicomseal --version", "archive.md",
    ),
    "temporary": _one(
        _LEDGER, "there is no room for temporary files", "name another folder for them",
        f"TMPDIR=/var/tmp {_ARCHIVE}", "archive.md",
    ),
    "lost": _one(
        _LEDGER, "something that all files need is no longer available", "go on when it is back",
        f"{_ARCHIVE} --resume", "runbook.md",
    ),
    "executor": _one(
        _LEDGER, "the executor takes no more work", "go on when it is back",
        f"{_ARCHIVE} --resume", "runbook.md",
    ),
    "store": _one(
        _LEDGER, "the object store does not answer, or refuses access",
        "go on when it is back", f"{_ARCHIVE} --resume", "runbook.md",
    ),
    "stopped": _one(
        _LEDGER, "something that every object needs is no longer available: the key, the "
        "authority, room on the disk", "go on when it is back",
        "dicomseal archive sign archive/ --in-place --ledger ledger.db --key key.pem "
        "--cert cert.pem --resume",
        "runbook.md",
    ),
}  # fmt: skip
