"""Sign an archive into a ledger: the loop of `run`, with workers that sign.

A file is replaced (or a copy made) in one step before its row is in the ledger. After a crash in
between, the next process finds the signature of its own key in the file: no object is signed twice,
and none is left out.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from concurrent.futures import Executor, ProcessPoolExecutor
from typing import TYPE_CHECKING, Any

import msgspec
from cryptography.hazmat.primitives import serialization

from ...errors import UsageError
from ...files.group import MAX_BYTES
from ...keys.key_files import Password
from ...signing.bulk_signer import BulkSigner
from ...signing.policy import ALLOW_WEAK, STRONG
from ...signing.request import SigningOptions
from ..find import walk
from ..find.ahead import TIMEOUT, Reading
from ..find.roots import root_of
from ..find.selection import RunRequest, Selection
from ..ledger.ledger import SIGN, Ledger, Run
from ..ledger.lock import wait_for_workers
from . import runner as runs
from . import sign_worker
from .batch_signer import Der, WorkerConfig
from .progress import Outcome, Progress
from .runner import Task

if TYPE_CHECKING:
    from ...keys.signing_key import CertificateSource, KeySource
    from ...signing.policy import SigningPolicy
    from ...timestamps.authority import TimestampAuthority

# a batch is flushed at once, so that it is to be large; it is one group of `files.group`, whose
# bytes are those of the batch and of the new signatures
FIRST_FILES, BATCH_BYTES = 128, MAX_BYTES - (16 << 20)


def sign(
    path: str,
    selection: Selection,
    key: KeySource,
    certificate: CertificateSource = None,
    *,
    target: str | None = None,
    overwrite: bool = False,
    countersign_broken: bool = False,
    mac: str = "SHA256",
    tags: tuple[str | int, ...] | None = None,
    password: Password = None,
    profile: str | None = None,
    purpose: str | int | None = None,
    policy: SigningPolicy | None = None,
    tsa: TimestampAuthority | None = None,
    include_guessed: bool = False,
    require_all_signed: bool = False,
    jobs: int = 1,
    resume: bool = False,
    max_rate: float | None = None,
    read_timeout: float = TIMEOUT,
    sign_run: Callable[[bytes], tuple[bytes, bytes]] | None = None,
    watch: Callable[[Progress, Callable[[], None]], object] | None = None,
    batch_files: int = walk.BATCH_FILES,
    batch_bytes: int = BATCH_BYTES,
) -> Outcome:
    """Sign the main data set of every object of an archive that has no signature by this key.

    Args:
        path: of the ledger; created if it does not exist.
        selection: the files.
        key, certificate, mac, tags, password, profile, purpose, policy, tsa, include_guessed,
            require_all_signed: as for `dicomseal.sign_file`; the certificate is parsed, and the
            password asked for, once.
        target: a folder for the signed copies, in the folders of the tree; None signs in place. Of
            several roots each gets a folder of its name.
        overwrite: replace files that are in ``target`` and are not the copies that would be made.
        countersign_broken: also sign objects with a signature that does not verify.
        jobs: processes on this machine; each opens the key itself.
        resume: continue the last run, which was not completed.
        max_rate: bytes in a second at most.
        read_timeout: seconds after which a file that was not read is an error.
        sign_run, watch, batch_files, batch_bytes: as ``sign``, … of
            `dicomseal.archive.run.runner.verify`.

    Raises:
        KeyFileError, CertificateError, SigningError: for the key, before anything is signed.
        LedgerError, UsageError: as for `dicomseal.archive.run.runner.verify`.
        StoppedError: the key, the timestamp authority or space on the disk was lost; the run can
            be resumed.
    """
    asked_password = _Once(password)
    signing_options = SigningOptions(
        mac=mac, tags=tags, profile=profile, purpose=purpose, policy=policy, tsa=tsa,
        include_guessed=include_guessed, require_all_signed=require_all_signed,
    )  # fmt: skip
    signer = BulkSigner(key, certificate, asked_password, signing_options)
    signer.try_key()  # asks for the PIN of a token here, and not in every worker
    _check_target(selection, target)
    config = WorkerConfig(
        key=_portable(key),
        certificate=signer.certificate.der,
        password=asked_password.answer,
        signing_options=signing_options,
        roots=selection.roots,
        target=target,
        overwrite=overwrite,
        countersign_broken=countersign_broken,
        workers_lock=f"{os.path.realpath(path)}.workers",
        reading=Reading(ahead=0, timeout=read_timeout),
    )
    request = RunRequest(
        selection=selection,
        signing={
            "certificate": signer.certificate.signer.sha256,
            "signer": signer.certificate.signer.subject,
            "mac": mac,
            "tags": None if tags is None else [str(tag) for tag in tags],
            "profile": None if profile == "none" else profile,
            "purpose": None if purpose is None else str(purpose),
            **_policy(policy),
            **_authority(tsa),
            "include_guessed": include_guessed or None,
            "require_all_signed": require_all_signed or None,
            "target": target,
            "overwrite": overwrite,
            "countersign_broken": countersign_broken,
        },
    )
    earlier: set[str] = set()

    def before(ledger: Ledger, _: object) -> RunRequest:
        earlier.update(map(_name_of, ledger.runs(SIGN)))
        return request

    del signer  # worker processes cannot use this session with a token

    def task(run: Run) -> Task:
        wait_for_workers(config.workers_lock)
        marked = msgspec.structs.replace(
            config,
            run=_name_of(run),
            session=secrets.token_hex(4),
            runs=frozenset(earlier),
        )
        return Task(
            _Pools(jobs, marked),
            sign_worker.sign_batch,
            sign_worker.crashed,
            sign_worker.unpack,
            jobs,
            first_files=FIRST_FILES,
        )

    return runs.carry_out(
        path, SIGN, request, task, before=before, resume=resume, max_rate=max_rate, sign=sign_run,
        watch=watch, batch_files=batch_files, batch_bytes=batch_bytes, read_timeout=read_timeout,
    )  # fmt: skip


def _name_of(run: Run) -> str:
    """Return what the temporary files of a run are called by."""
    return run.head.hex()[:16]


# A default is None, so that an option that did not exist when the run began makes no difference.
def _policy(policy: SigningPolicy | None) -> dict[str, bool | str | None]:
    """Return the permitted weakness of signatures of a run, for its ledger."""
    other = None
    if policy is not None and policy not in (STRONG, ALLOW_WEAK):
        macs = " ".join(sorted(policy.macs))
        other = f"{macs}; RSA {policy.rsa_bits}, DSA {policy.dsa_bits}, ECDSA {policy.ec_bits}"
    return {"allow_weak": policy == ALLOW_WEAK, "policy": other}


def _authority(tsa: TimestampAuthority | str | None) -> dict[str, bool | str | None]:
    """Return the options of timestamps, for the ledger; not those that no signature shows."""
    algorithm = getattr(tsa, "algorithm", None)
    return {
        "tsa": None if tsa is None else getattr(tsa, "url", str(tsa)),
        "tsa_mac": None if algorithm == "SHA256" else algorithm,
        "tsa_policy": getattr(tsa, "policy", None),
    }


class _Pools:
    """Makes pools of processes, one when the one before it is broken."""

    def __init__(self, jobs: int, config: WorkerConfig) -> None:
        self._jobs, self._config = jobs, config

    def __call__(self) -> Executor:
        pool = ProcessPoolExecutor(
            self._jobs, initializer=sign_worker.start, initargs=(self._config,)
        )
        # a worker may have hung with a file that it read itself: the next ones shall not
        reading = Reading(timeout=self._config.reading.timeout, apart=True)
        self._config = msgspec.structs.replace(self._config, reading=reading)
        return pool


class _Once:
    """A password that is asked for at most once."""

    def __init__(self, password: Password) -> None:
        self._password = password
        self.answer: bytes | str | None = None if callable(password) else password

    def __call__(self) -> bytes | str | None:
        if self.answer is None and callable(self._password):
            self.answer = self._password()
        return self.answer


def _portable(key: Any) -> Any:
    """Return a key in a form for another process: keys of `cryptography` as their DER."""
    if isinstance(key, (str, os.PathLike)):
        return os.fspath(key)
    if type(key).__module__.startswith("cryptography."):
        return Der(
            key.private_bytes(
                serialization.Encoding.DER,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
    return key


def _check_target(selection: Selection, target: str | None) -> None:
    """Refuse a target inside the roots, and two objects with the same path in the target."""
    roots = [root_of(root) for root in selection.roots]
    if not all(root.is_signable for root in roots):
        raise UsageError("objects in a store are verified only: sign a copy in the file system")
    if target is None:
        if selection.modified_before is not None:
            raise UsageError(
                "signing in place makes a file new: by its age nobody could tell, after a kill, "
                "what is still to be signed; sign to a target, or leave the age out"
            )
        return
    if any(root.is_list for root in roots):
        raise UsageError("a list of files has no tree to mirror: name folders, or sign in place")
    names = [os.path.basename(root) for root in selection.roots]
    if len(names) > 1 and len(set(names)) < len(names):
        raise UsageError("two roots of the same name would go to the same folder of the target")
    there = os.path.join(os.path.realpath(target), "")
    for root in selection.roots:
        here = os.path.join(os.path.realpath(root), "")
        if there.startswith(here) or here.startswith(there):
            raise UsageError(f"{root} and the target {target} lie within each other")
    try:
        os.makedirs(target, exist_ok=True)  # one error now, instead of one for each object
    except OSError as error:
        raise UsageError(f"{target}: cannot be made: {error.strerror or error}") from None
