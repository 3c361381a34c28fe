"""The options of dcmsign as data: names, how many values they take, and their help."""

from __future__ import annotations

from typing import NamedTuple


class Option(NamedTuple):
    """One option.

    Attributes:
        long, short: its names; the short one may be empty.
        values: how many arguments it takes.
        metavar: names of the arguments, for the help.
        text: its effect, for the help.
        exclusive: whether the program does this and nothing else.
    """

    long: str
    short: str
    values: int = 0
    metavar: str = ""
    text: str = ""
    exclusive: bool = False


O = Option  # noqa: E741
GROUPS: dict[str, dict[str, tuple[Option, ...]]] = {
    "general options": {
        "": (
            O("--help", "-h", text="print this help text and exit", exclusive=True),
            O("--version", "", text="print version information and exit", exclusive=True),
            O("--arguments", "", text="print expanded command line arguments"),
            O("--quiet", "-q", text="print no warnings and errors"),
            O("--verbose", "-v", text="print processing details"),
            O("--debug", "-d", text="print debug information"),
            O("--log-level", "-ll", 1, "level", "fatal, error, warn, info, debug or trace"),
            O("--log-config", "-lc", 1, "file", "must exist; its content is not used"),
        )
    },
    "input options": {
        "input file format": (
            O("--read-file", "+f", text="read file format or data set (default)"),
            O("--read-file-only", "+fo", text="read file format only"),
            O("--read-dataset", "-f", text="read data set without file meta information"),
        ),
        "input transfer syntax": (
            O("--read-xfer-auto", "-t=", text="recognise it (default)"),
            O("--read-xfer-detect", "-td", text="ignore what the file meta information states"),
            O("--read-xfer-little", "-te", text="explicit VR little endian"),
            O("--read-xfer-big", "-tb", text="explicit VR big endian"),
            O("--read-xfer-implicit", "-ti", text="implicit VR little endian"),
        ),
        "UN elements of defined length": (
            O("--retain-un", "-uc", text="keep them as UN (default)"),
            O("--convert-un", "+uc", text="convert them to their real VR if it is known"),
        ),
    },
    "signature commands": {
        "": (
            O("--verify", "", text="verify all signatures (default)"),
            O("--sign", "+s", 2, "key cert", "sign the main data set"),
            O("--sign-item", "+si", 3, "key cert location", "sign a sequence item"),
            O("--insert-timestamp", "+t", 3, "tsq tsr uid",
              "insert a certified timestamp: query, response, UID file"),
            O("--remove", "+r", 1, "uid", "remove a signature"),
            O("--remove-all", "+ra", text="remove all signatures"),
        )
    },
    "general signature options": {
        "key and certificate file format": (
            O("--pem-keys", "-pem", text="PEM (default)"),
            O("--der-keys", "-der", text="DER"),
        ),
        "signature format": (
            O("--format-new", "-fn", text="that of the standard (default)"),
            O("--format-old", "-fo", text="also accept that of dcmsign before 3.5.4"),
        ),
    },
    "signature verification options (only with --verify)": {
        "signature verification": (
            O("--verify-if-present", "+rv", text="pass where there is none (default)"),
            O("--require-sig", "+rg", text="fail if there is no signature at all"),
            O("--require-creator", "+rc", text="fail if none is a creator RSA signature"),
            O("--require-auth", "+ru", text="fail if none is an authorization RSA signature"),
            O("--require-sr", "+rs", text="fail if none is an SR RSA signature"),
        ),
        "timestamp verification": (
            O("--verify-ts", "+tv", text="verify certified timestamps if present (default)"),
            O("--ignore-ts", "-tv", text="ignore them"),
            O("--require-ts", "+tr", text="fail if a signature has none"),
        ),
        "certification authority": (
            O("--add-cert-file", "+cf", 1, "file", "trusted certificates"),
            O("--add-ucert-file", "+uf", 1, "file", "untrusted intermediate certificates"),
            O("--add-cert-dir", "+cd", 1, "directory", "hashed directory of trusted ones"),
            O("--add-crl-file", "+cr", 1, "file", "revocation list; implies --enable-crl-vfy"),
            O("--enable-crl-vfy", "+cl", text="verify with revocation lists"),
        ),
    },
    "signature creation options (only with --sign or --sign-item)": {
        "private key password": (
            O("--std-passwd", "+ps", text="ask for it (default)"),
            O("--use-passwd", "+pw", 1, "password", "use this one"),
            O("--null-passwd", "-pw", text="use an empty one"),
        ),
        "digital signature profile": (
            O("--profile-none", "-pf", text="none (default)"),
            O("--profile-base", "+pb", text="base RSA"),
            O("--profile-creator", "+pc", text="creator RSA"),
            O("--profile-auth", "+pa", text="authorization RSA"),
            O("--profile-sr", "+pr", text="structured report RSA"),
            O("--profile-srv", "+pv", text="structured report RSA, verification"),
        ),
        "MAC algorithm": (
            O("--mac-ripemd160", "+mr", text="RIPEMD 160 (default)"),
            O("--mac-sha1", "+ms", text="SHA-1 (weak)"),
            O("--mac-md5", "+mm", text="MD5 (weak)"),
            O("--mac-sha256", "+m2", text="SHA-256"),
            O("--mac-sha384", "+m3", text="SHA-384"),
            O("--mac-sha512", "+m5", text="SHA-512"),
        ),
        "signature purpose": (
            O("--list-purposes", "+lp", text="show the codes and exit", exclusive=True),
            O("--no-sig-purpose", "-sp", text="none (default)"),
            O("--sig-purpose", "+sp", 1, "code", "code 1 to 18"),
        ),
        "tag selection": (
            O("--tag", "-t", 1, "tag", "sign this one only: gggg,eeee or a keyword; repeatable"),
            O("--tag-file", "-tf", 1, "file", "read tags from a text file"),
        ),
    },
    "timestamp creation options (only with --sign or --sign-item)": {
        "timestamp creation": (
            O("--timestamp-off", "-ts", text="none (default)"),
            O("--timestamp-file", "+ts", 2, "tsq uid", "write a timestamp query and a UID file"),
        ),
        "timestamp MAC algorithm (only with --timestamp-file)": (
            O("--ts-mac-sha256", "+tm2", text="SHA-256 (default)"),
            O("--ts-mac-sha384", "+tm3", text="SHA-384"),
            O("--ts-mac-sha512", "+tm5", text="SHA-512"),
            O("--ts-mac-ripemd160", "+tmr", text="RIPEMD 160"),
            O("--ts-mac-sha1", "+tms", text="SHA-1 (weak)"),
            O("--ts-mac-md5", "+tmm", text="MD5 (weak)"),
        ),
        "timestamp query nonce (only with --timestamp-file)": (
            O("--ts-use-nonce", "+tn", text="random (default)"),
            O("--ts-no-nonce", "-tn", text="none"),
        ),
        "timestamp certificate (only with --timestamp-file)": (
            O("--ts-request-cert", "+tc", text="ask for the authority's (default)"),
            O("--ts-no-cert", "-tc", text="do not"),
        ),
        "timestamp policy (only with --timestamp-file)": (
            O("--ts-no-policy", "-tp", text="none (default)"),
            O("--ts-policy", "+tp", 1, "OID", "this one"),
        ),
    },
    "output options": {
        "output transfer syntax": (
            O("--write-xfer-same", "+t=", text="that of the input (default)"),
            O("--write-xfer-little", "+te", text="explicit VR little endian"),
            O("--write-xfer-big", "+tb", text="explicit VR big endian"),
            O("--write-xfer-implicit", "+ti", text="implicit VR little endian"),
        ),
        "lengths of sequences and items": (
            O("--length-explicit", "+e", text="explicit (default)"),
            O("--length-undefined", "-e", text="undefined"),
        ),
        "other output options": (
            O("--dump", "+d", 1, "file",
              "write the byte stream of the MAC (only with --sign or --sign-item)"),
        ),
    },
}  # fmt: skip

ALL = tuple(o for group in GROUPS.values() for options in group.values() for o in options)
BY_NAME = {name: option for option in ALL for name in (option.long, option.short) if name}

HEADER = "dicomseal-dcmsign: sign and verify DICOM files, with the options of DCMTK's dcmsign"
USAGE = "usage: dicomseal-dcmsign [options] dcmfile-in [dcmfile-out]"
_PARAMETERS = (
    ("dcmfile-in", 'DICOM input file ("-" for stdin)'),
    ("dcmfile-out", 'DICOM output file ("-" for stdout)'),
)


def help_text() -> str:
    """Return the output of --help."""
    lines = [HEADER, USAGE, "", "parameters:"]
    lines += [f"  {name:<38}{text}" for name, text in _PARAMETERS]
    for group, parts in GROUPS.items():
        lines += ["", f"{group}:"]
        for part, options in parts.items():
            if part:
                lines.append(f"  {part}:")
            for option in options:
                name = f"{option.long} {option.metavar}".rstrip()
                lines.append(f"    {option.short:<5} {name:<30} {option.text}".rstrip())
    return "\n".join(lines)
