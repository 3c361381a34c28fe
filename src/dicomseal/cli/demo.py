"""``dicomseal demo``."""

from __future__ import annotations

import os
import shutil
import tempfile
from datetime import UTC

import click

from .. import report
from ..errors import UsageError
from ..signing.sign_file import sign_file
from ..trust.store import TrustStore
from ..verification.options import Options
from ..verification.verifier import verify_with
from .guard import secrets_at_hand
from .text import render, summary

_FILES = (
    ("CT_small.dcm", "CT, explicit VR little endian"),
    ("MR_small_bigendian.dcm", "MR, explicit VR big endian"),
    ("rtplan.dcm", "RT plan, implicit VR little endian"),
    ("waveform_ecg.dcm", "ECG waveform"),
    ("JPEG-lossy.dcm", "JPEG, encapsulated"),
    ("test-SR.dcm", "structured report"),
)


@click.command("demo", epilog="Example: dicomseal demo --keep demo/")
@click.option("--keep", metavar="DIR", help="Leave keys and files in this new folder. "
              "Default: a temporary one, removed at the end.")  # fmt: skip
def command(keep: str | None) -> None:
    """Make a throw-away PKI, sign real files, tamper with one, verify all, show the report.

    The files are test files of pydicom. The exit code is 0 if exactly the tampered file failed.
    """
    if keep is None:
        folder = tempfile.mkdtemp(prefix="dicomseal-demo-")
    else:
        folder = keep
        try:
            os.makedirs(folder)
        except FileExistsError:
            raise UsageError(f"--keep: {folder} exists already; name a new folder") from None
        except OSError as error:
            raise UsageError(f"--keep: {folder}: {error.strerror}") from None
    try:
        with secrets_at_hand():
            as_expected = _run(folder)
    finally:
        if keep is None:
            shutil.rmtree(folder)
    raise click.exceptions.Exit(0 if as_expected else 1)


def _run(folder: str) -> bool:
    import pydicom.data

    source = os.path.join(os.path.dirname(pydicom.data.__file__), "test_files")
    key, cert, ca = make_pki(folder)
    click.echo(f"A certification authority and a signer's certificate, made in {folder}\n")
    paths = []
    for name, what in _FILES:
        target = os.path.join(folder, name)
        sign_file(os.path.join(source, name), target, key, cert)
        click.echo(f"signed   {name:<24} {what}")
        paths.append(target)
    _tamper(paths[0])
    click.echo(f"tampered {_FILES[0][0]:<24} one letter of the patient's name\n")
    options = Options(trust=TrustStore.from_files(ca))
    counts: dict[str, int] = {}
    verdicts = []
    for path in paths:
        object_report = verify_with(path, options)
        counts[object_report.verdict] = counts.get(object_report.verdict, 0) + 1
        verdicts.append(object_report.verdict)
        click.echo(render(object_report).replace(folder + os.sep, ""))
    click.echo(summary(counts))
    return verdicts == [report.FAILED] + [report.PASSED] * (len(paths) - 1)


def _tamper(path: str) -> None:
    with open(path, "rb") as file:
        data = file.read()
    with open(path, "wb") as file:
        file.write(data.replace(b"CompressedSamples^CT1", b"CompressedSamples^CT2"))


def make_pki(folder: str) -> tuple[str, str, str]:
    """Make a throw-away authority and a signer, valid for a day.

    Returns:
        The paths of the signer's key, its certificate, and the authority's certificate.
    """
    from datetime import datetime, timedelta

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives import serialization as form
    from cryptography.hazmat.primitives.asymmetric import rsa
    from cryptography.x509.oid import NameOID

    def name(common: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])

    now = datetime.now(UTC)
    ca_key, key = (rsa.generate_private_key(65537, 2048) for _ in range(2))
    certificates = []
    for subject, public, is_ca in (
        ("Demo Hospital CA", ca_key.public_key(), True),
        ("Demo CT Scanner", key.public_key(), False),
    ):
        builder = (
            x509.CertificateBuilder()
            .subject_name(name(subject))
            .issuer_name(name("Demo Hospital CA"))
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(minutes=1))
            .not_valid_after(now + timedelta(days=1))
            .add_extension(x509.BasicConstraints(is_ca, None), critical=True)
        )
        certificates.append(builder.sign(ca_key, hashes.SHA256()))
    paths = [os.path.join(folder, file) for file in ("key.pem", "cert.pem", "ca.pem")]
    private = key.private_bytes(form.Encoding.PEM, form.PrivateFormat.PKCS8, form.NoEncryption())
    ca, cert = (certificate.public_bytes(form.Encoding.PEM) for certificate in certificates)
    for path, data, mode in zip(paths, (private, cert, ca), (0o600, 0o644, 0o644), strict=True):
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
            file.write(data)
    return paths[0], paths[1], paths[2]
