"""Make the files of this folder with DCMTK's dcmsign: ``python make_vectors.py``.

Needs dcmsign and dcmconv, pydicom and its test files, cryptography. The keys are made anew and
thrown away, so every run gives other bytes; nothing but dcmsign computes a MAC or a signature.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import pydicom
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

HERE = Path(__file__).parent
SOURCES = Path(pydicom.__file__).parent / "data" / "test_files"
KEYS = {
    "RSA 2048": lambda: rsa.generate_private_key(65537, 2048),
    "ECDSA secp256r1": lambda: ec.generate_private_key(ec.SECP256R1()),
    "DSA 2048": lambda: dsa.generate_private_key(2048),
}
JPEG = "SC_rgb_small_odd_jpeg.dcm"

# name: source, then for each signature the key, the MAC Algorithm, its option, other options,
# and the location. dcmsign's dump of what it hashed goes beside the file, for the last of them.
RSA, EC, DSA = KEYS
VECTORS: dict[str, tuple[str, list[tuple[str, str, str, list[str], str]]]] = {
    "rtplan-implicit": ("rtplan.dcm", [(RSA, "RIPEMD160", "+mr", [], "")]),
    "rtplan-item": (
        "rtplan.dcm",
        [(EC, "SHA256", "+m2", [], "BeamSequence[0].ControlPointSequence[1]")],
    ),
    "sr": ("test-SR.dcm", [(EC, "SHA384", "+m3", [], "")]),
    "sr-purpose": ("reportsi.dcm", [(DSA, "MD5", "+mm", ["+sp", "1"], "")]),
    "jpeg": (JPEG, [(RSA, "SHA512", "+m5", [], "")]),
    "jpeg-legacy": (JPEG, [(RSA, "SHA1", "+ms", ["-fo"], "")]),
    "rle-legacy-ec": ("SC_rgb_rle_2frame.dcm", [(EC, "SHA256", "+m2", ["-fo"], "")]),
    "pixels-big-endian": (
        "SC_rgb_small_odd_big_endian.dcm",
        [(RSA, "SHA256", "+m2", [], "")],
    ),
    "mr-two": (
        "MR_small.dcm",
        [
            (RSA, "SHA256", "+m2", [], ""),
            (EC, "SHA512", "+m5", ["-t", "PatientName", "-t", "PixelData"], ""),
        ],
    ),
    "ob": ("SC_rgb_small_odd.dcm", [(RSA, "SHA256", "+m2", [], "")]),
    "private": ("priv_SQ.dcm", [(EC, "RIPEMD160", "+mr", [], "")]),
}
# re-encodings of a vector by dcmconv
CONVERTED = {
    "rtplan-big-endian": ("rtplan-implicit", ["+tb"]),
    "rtplan-deflated": ("rtplan-implicit", ["+td"]),
    "sr-implicit-undefined": ("sr", ["+ti", "-e"]),
    "ob-implicit": ("ob", ["+ti"]),
    "mr-two-padded": ("mr-two", ["+te", "+g", "+p", "512", "64"]),
}
# West of Greenwich: dcmsign rejects its own file while the certificate is young
NEW_YORK = "rtplan-item"


def run(*command: object, tz: str = "UTC") -> None:
    """Run a program of DCMTK; stop if it fails."""
    environment = os.environ | {"TZ": tz}
    subprocess.run([str(part) for part in command], check=True, env=environment)


def main() -> None:
    """Make every file."""
    for old in (*HERE.glob("*.dcm"), *HERE.glob("*.stream"), *HERE.glob("*.json")):
        old.unlink()
    with tempfile.TemporaryDirectory() as folder:
        pairs = make_pki(Path(folder))
        facts = {}
        for name, (source, signatures) in VECTORS.items():
            path = Path(folder, "0")
            path.write_bytes(prepared(source))
            stream = HERE / f"{name}.stream"
            for number, (key, _, mac, options, location) in enumerate(signatures, 1):
                target = Path(folder, str(number))
                target.unlink(missing_ok=True)
                what = ("+si", *pairs[key], location) if location else ("+s", *pairs[key])
                zone = "America/New_York" if name == NEW_YORK else "UTC"
                run("dcmsign", *what, mac, *options, "+d", stream, path, target, tz=zone)
                path = target
            (HERE / f"{name}.dcm").write_bytes(path.read_bytes())
            facts[name] = describe(name, [(s[0], s[1], s[4]) for s in signatures], source)
        for name, (source, options) in CONVERTED.items():
            run("dcmconv", *options, HERE / f"{source}.dcm", HERE / f"{name}.dcm")
            facts[name] = {**facts[source], "stream": f"{source}.stream", "dcmconv": options}
    facts = dict(sorted(facts.items()))
    (HERE / "vectors.json").write_text(json.dumps(facts, indent=1) + "\n")


def prepared(source: str) -> bytes:
    """The bytes to sign: those of the source file, but for two that are changed first."""
    dataset = pydicom.dcmread(SOURCES / source)
    if source == "MR_small.dcm":  # cut down to 16 by 16 pixels
        rows = range(24, 40)
        pixels = [dataset.PixelData[2 * (64 * row + 24) : 2 * (64 * row + 40)] for row in rows]
        dataset.PixelData = b"".join(pixels)
        dataset.Rows = dataset.Columns = 16
    elif source == "SC_rgb_small_odd.dcm":  # 8 bits: OB is as legal as OW in explicit VR
        dataset["PixelData"].VR = "OB"
    else:
        return (SOURCES / source).read_bytes()
    with tempfile.NamedTemporaryFile() as file:
        dataset.save_as(file.name)
        return Path(file.name).read_bytes()


def describe(name: str, signatures: list[tuple[str, str, str]], source: str) -> dict[str, object]:
    """What the test must find, taken from what was asked of dcmsign."""
    return {
        "source": source,
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "legacy": "legacy" in name,
        "stream": f"{name}.stream",
        "signatures": [
            {"key": key, "mac_algorithm": mac, "location": location}
            for key, mac, location in signatures
        ],
    }


def make_pki(folder: Path) -> dict[str, tuple[Path, Path]]:
    """A CA and a certificate for each kind of key, valid for a hundred years."""
    ca_key = KEYS[RSA]()
    ca = build("dicomseal test vectors CA", ca_key, ca_key)
    (HERE / "ca.pem").write_bytes(ca.public_bytes(Encoding.PEM))
    pairs = {}
    for kind, make in KEYS.items():
        key = make()
        certificate = build(f"dicomseal test vectors {kind}", key, ca_key)
        while kind == EC and len(certificate.public_bytes(Encoding.DER)) % 2 == 0:
            certificate = build(f"dicomseal test vectors {kind}", key, ca_key)
        pair = (folder / f"{kind}.key", folder / f"{kind}.pem")
        plain = (Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        pair[0].write_bytes(key.private_bytes(*plain))
        pair[1].write_bytes(certificate.public_bytes(Encoding.PEM))
        pairs[kind] = pair
    return pairs


def build(
    name: str,
    key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | dsa.DSAPrivateKey,
    ca_key: rsa.RSAPrivateKey,
) -> x509.Certificate:
    """A certificate issued by the CA."""
    common = x509.NameOID.COMMON_NAME
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(common, name)]))
        .issuer_name(x509.Name([x509.NameAttribute(common, "dicomseal test vectors CA")]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime(2020, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2120, 1, 1, tzinfo=UTC))
        .add_extension(x509.BasicConstraints(ca=key is ca_key, path_length=None), critical=True)
        .sign(ca_key, hashes.SHA256())
    )


if __name__ == "__main__":
    main()
