"""From a parsed command line to a job: defaults, and which options may be combined."""

from __future__ import annotations

import re
from typing import NamedTuple

from ..standard import transfer_syntaxes
from .exits import ExitError
from .log import LEVELS
from .parser import CommandLine, usage_error
from .tagnames import tags_of

VERIFY, SIGN, SIGN_ITEM = "--verify", "--sign", "--sign-item"
INSERT, REMOVE, REMOVE_ALL = "--insert-timestamp", "--remove", "--remove-all"
_OPERATIONS = (VERIFY, SIGN, SIGN_ITEM, INSERT, REMOVE, REMOVE_ALL)
_LITTLE, _BIG, _IMPLICIT = (
    transfer_syntaxes.EXPLICIT_VR_LITTLE_ENDIAN,
    transfer_syntaxes.EXPLICIT_VR_BIG_ENDIAN,
    transfer_syntaxes.IMPLICIT_VR_LITTLE_ENDIAN,
)
_READ = {
    "--read-xfer-auto": "",
    "--read-xfer-detect": "",
    "--read-xfer-little": _LITTLE,
    "--read-xfer-big": _BIG,
    "--read-xfer-implicit": _IMPLICIT,
}
_WRITE = {
    "--write-xfer-same": "",
    "--write-xfer-little": _LITTLE,
    "--write-xfer-big": _BIG,
    "--write-xfer-implicit": _IMPLICIT,
}
_REQUIRE = {
    "--verify-if-present": "",
    "--require-sig": "signature",
    "--require-creator": "creator",
    "--require-auth": "authorization",
    "--require-sr": "sr",
}
_PROFILES = {
    "--profile-none": "none",
    "--profile-base": "base",
    "--profile-creator": "creator",
    "--profile-auth": "authorization",
    "--profile-sr": "sr",
    "--profile-srv": "sr-verification",
}
_MACS = {
    "--mac-ripemd160": "RIPEMD160",
    "--mac-sha1": "SHA1",
    "--mac-md5": "MD5",
    "--mac-sha256": "SHA256",
    "--mac-sha384": "SHA384",
    "--mac-sha512": "SHA512",
}
_TS_MACS = {
    "--ts-mac-sha256": "SHA256",
    "--ts-mac-sha384": "SHA384",
    "--ts-mac-sha512": "SHA512",
    "--ts-mac-ripemd160": "RIPEMD160",
    "--ts-mac-sha1": "SHA1",
    "--ts-mac-md5": "MD5",
}
_PASSWORDS = ("--std-passwd", "--use-passwd", "--null-passwd")
_MAIN_ONLY = ("--profile-creator", "--profile-auth", "--profile-sr", "--profile-srv")
_TS_OPTIONS = (
    tuple(_TS_MACS),
    ("--ts-use-nonce", "--ts-no-nonce"),
    ("--ts-request-cert", "--ts-no-cert"),
    ("--ts-no-policy", "--ts-policy"),
)
_CREATION = "--sign or --sign-item"
_NUMBER = re.compile(r"\s*([+-]?\d+)")
_SETTING = re.compile(r"\s*[\w.]+\s*=")
_MAX_PURPOSE = 18


class Job(NamedTuple):
    """A job. Names are of files; ``-`` is standard input or output.

    Attributes:
        level: the least grave level of messages that are logged.
        source, target: input and output; the latter None for a verification.
        mode: ``--read-file``, ``--read-file-only`` or ``--read-dataset``.
        detect: ignore the stated transfer syntax.
        read_syntax, write_syntax: UIDs; empty: recognise it, keep it.
        convert_un: whether UN elements get their real VR.
        operation: one of the commands.
        der: whether keys and certificates are DER, not PEM.
        legacy: whether the format of dcmsign before 3.5.4 is accepted.
        require: the required signature: empty, ``signature``, ``creator``, ``authorization``,
            ``sr``.
        timestamps: ``--verify-ts``, ``--ignore-ts`` or ``--require-ts``.
        anchors, intermediates, folders, crls: files and folders to trust, and revocation lists.
        check_crls: whether revocation is checked without a named list.
        key, certificate: files; None if none is named.
        password: None: ask for it.
        location: of the item to sign.
        profile, mac, purpose: of the signature.
        tags: the tags to sign; None: all.
        stamp_query, stamp_uid: timestamp files to write; None: no timestamp is wanted.
        stamp_mac, stamp_nonce, stamp_certificate, stamp_policy: the options of the query.
        insert: query, response and UID file of a timestamp to insert.
        remove: UID of the signature to remove.
        undefined: whether sequences and items are written with undefined lengths.
        dump: file for the byte stream; None: none.
    """

    level: str
    source: str
    target: str | None
    mode: str
    detect: bool
    read_syntax: str
    write_syntax: str
    convert_un: bool
    operation: str
    der: bool
    legacy: bool
    require: str
    timestamps: str
    anchors: tuple[str, ...]
    intermediates: tuple[str, ...]
    folders: tuple[str, ...]
    crls: tuple[str, ...]
    check_crls: bool
    key: str | None
    certificate: str | None
    password: str | None
    location: str
    profile: str
    mac: str
    purpose: int | None
    tags: tuple[int, ...] | None
    stamp_query: str | None
    stamp_uid: str | None
    stamp_mac: str
    stamp_nonce: bool
    stamp_certificate: bool
    stamp_policy: str | None
    insert: tuple[str, ...]
    remove: str
    undefined: bool
    dump: str | None


def parse_job(line: CommandLine) -> Job:
    """Return the job of a command line.

    Raises:
        ExitError: options that cannot be combined, or a value that makes no sense.
    """
    level = _level(line)
    mode = line.chosen("--read-file", "--read-file-only", "--read-dataset") or "--read-file"
    named = tuple(_READ)[2:]
    read_xfer = _needs(line, named, "--read-dataset", mode == "--read-dataset", tuple(_READ))
    operation, files = _operation(line)
    _check_verification(line, operation)
    creating = operation in (SIGN, SIGN_ITEM)
    _needs(line, _PASSWORDS, _CREATION, creating)
    for name, _ in line.block(*_PROFILES):
        if name in _MAIN_ONLY and operation != SIGN:
            raise _only(name, SIGN)
        if not creating:
            raise _only(name, _CREATION)
    _needs(line, tuple(_MACS), _CREATION, creating)
    purpose = _purpose(line, creating)
    # dcmsign reads the tags at this point: errors in the options below are reported after theirs
    tags = tags_of((line.last("--tag-file") or (None,))[0], _values(line, "--tag"))
    stamp = _stamp(line, creating)
    if line.has("--dump") and not creating:
        raise _only("--dump", _CREATION)
    password = line.chosen(*_PASSWORDS)
    given = {"--use-passwd": (line.last("--use-passwd") or ("",))[0], "--null-passwd": ""}
    stamp_policy = line.chosen("--ts-no-policy", "--ts-policy") == "--ts-policy"
    dump = line.last("--dump")
    return Job(
        level=level,
        source=line.parameters[0],
        target=line.parameters[1] if len(line.parameters) > 1 else None,
        mode=mode,
        detect=line.has("--read-xfer-detect"),
        read_syntax=_READ.get(read_xfer, ""),
        write_syntax=_WRITE.get(line.chosen(*_WRITE), ""),
        convert_un=line.chosen("--retain-un", "--convert-un") == "--convert-un",
        operation=operation,
        der=line.chosen("--pem-keys", "--der-keys") == "--der-keys",
        legacy=line.chosen("--format-new", "--format-old") == "--format-old",
        require=_REQUIRE.get(line.chosen(*_REQUIRE), ""),
        timestamps=line.chosen("--verify-ts", "--ignore-ts", "--require-ts") or "--verify-ts",
        anchors=_values(line, "--add-cert-file"),
        intermediates=_values(line, "--add-ucert-file"),
        folders=_values(line, "--add-cert-dir"),
        crls=_values(line, "--add-crl-file"),
        check_crls=line.has("--enable-crl-vfy"),
        key=files.get("key"),
        certificate=files.get("certificate"),
        password=given.get(password),
        location=files.get("location", ""),
        profile=_PROFILES.get(line.chosen(*_PROFILES), "none"),
        mac=_MACS.get(line.chosen(*_MACS), "RIPEMD160"),
        purpose=purpose,
        tags=tags,
        stamp_query=stamp[0],
        stamp_uid=stamp[1],
        stamp_mac=_TS_MACS.get(line.chosen(*_TS_MACS), "SHA256"),
        stamp_nonce=line.chosen("--ts-use-nonce", "--ts-no-nonce") != "--ts-no-nonce",
        stamp_certificate=line.chosen("--ts-request-cert", "--ts-no-cert") != "--ts-no-cert",
        stamp_policy=(line.last("--ts-policy") or (None,))[0] if stamp_policy else None,
        insert=(line.last(INSERT) or ()) if operation == INSERT else (),
        remove=(line.last(REMOVE) or ("",))[0] if operation == REMOVE else "",
        undefined=line.chosen("--length-explicit", "--length-undefined") == "--length-undefined",
        dump=dump[0] if dump else None,
    )


def _values(line: CommandLine, long: str) -> tuple[str, ...]:
    return tuple(values[0] for values in line.all(long))


def _only(name: str, other: str) -> ExitError:
    return usage_error(f"{name} only allowed with {other}")


def _needs(
    line: CommandLine,
    names: tuple[str, ...],
    other: str,
    met: bool,
    block: tuple[str, ...] = (),
) -> str:
    """Return the option of a block that decides; the named ones are not allowed unless ``met``."""
    found = ""
    for name, _ in line.block(*(block or names)):
        if name in names and not met:
            raise _only(name, other)
        found = name
    return found


def _level(line: CommandLine) -> str:
    plain = line.chosen("--quiet", "--verbose", "--debug")
    for name in ("--log-level", "--log-config"):
        if line.has(name) and plain:
            raise usage_error(f"{name} not allowed with --verbose, --debug or --quiet")
    config = line.last("--log-config")
    if config:
        _check_config(config[0])
    level = (line.last("--log-level") or ("warn",))[0].lower()
    if level not in LEVELS:
        raise usage_error("Invalid log level for --log-level option")
    return {"--quiet": "fatal", "--verbose": "info", "--debug": "debug"}.get(plain, level)


def _check_config(path: str) -> None:
    """Check that a file is a logger configuration; its settings are not used here."""
    try:
        with open(path, encoding="latin-1") as file:
            found = any(_SETTING.match(text) for text in file)
    except (OSError, ValueError):
        raise usage_error("Specified --log-config file does not exist") from None
    if not found:
        raise usage_error("Specified --log-config file does not contain any settings")


def _operation(line: CommandLine) -> tuple[str, dict[str, str]]:
    """Return the command and its files, also those of a --sign that another one overruled."""
    operation = VERIFY
    files: dict[str, str] = {}
    for name, values in line.block(*_OPERATIONS):
        operation = name
        if name != VERIFY and len(line.parameters) < 2:
            raise usage_error(f"parameter dcmfile-out required for {name}")
        if name in (SIGN, SIGN_ITEM):
            files.update(zip(("key", "certificate", "location"), values, strict=False))
    if operation == VERIFY and len(line.parameters) > 1:
        raise usage_error("parameter dcmfile-out not allowed for --verify")
    return operation, files


def _check_verification(line: CommandLine, operation: str) -> None:
    verifying = operation == VERIFY
    _needs(line, tuple(_REQUIRE), VERIFY, verifying)
    _needs(line, ("--verify-ts", "--ignore-ts", "--require-ts"), VERIFY, verifying)
    for name in ("--add-cert-file", "--add-ucert-file", "--add-cert-dir", "--add-crl-file",
                 "--enable-crl-vfy"):  # fmt: skip
        if line.has(name) and not verifying:
            raise _only(name, VERIFY)


def _purpose(line: CommandLine, creating: bool) -> int | None:
    purpose: int | None = None
    for name, values in line.block("--no-sig-purpose", "--sig-purpose"):
        if not creating:
            raise _only(name, _CREATION)
        if not values:
            continue
        number = _NUMBER.match(values[0])
        purpose = int(number[1]) if number else -1
        if not 1 <= purpose <= _MAX_PURPOSE:
            why = values[0]
            if purpose >= 0:  # a negative one is a number without a sign for dcmsign
                why = f"{'over' if purpose else 'under'}flow: {why}"
            raise usage_error(f"Invalid value for option --sig-purpose ({why})")
    return purpose


def _stamp(line: CommandLine, creating: bool) -> tuple[str | None, str | None]:
    files: tuple[str | None, str | None] = (None, None)
    wanted = False
    for name, values in line.block("--timestamp-off", "--timestamp-file"):
        if not creating:
            raise _only(name, _CREATION)
        wanted = bool(values)
        files = (values[0], values[1]) if wanted else (None, None)
    for block in _TS_OPTIONS:
        _needs(line, block, "--timestamp-file", wanted)
    return files
