"""One run, in dcmsign's order: the first error decides the exit code."""

from __future__ import annotations

from . import files, signing, stamping, verifying
from .exits import Exit
from .job import INSERT, SIGN, SIGN_ITEM, VERIFY, Job
from .log import Log


def run(job: Job, log: Log) -> Exit:
    """Do the job and return the exit code.

    Raises:
        ExitError: it could not be done.
    """
    if job.dump is not None:
        files.create_dump(job.dump)
    log.info(f"open input file {job.source}")
    data = files.load(job)
    keys = signing.load_keys(job, log)
    if job.operation == VERIFY:
        return verifying.verify(job, data, log)
    if job.operation in (SIGN, SIGN_ITEM) and keys is not None:
        output = signing.sign(job, data, keys, log)
    elif job.operation == INSERT:
        output = stamping.insert(job, data, log)
    else:
        output = signing.remove(job, data, log)
    if job.target is not None:
        log.info(f"create output file {job.target}")
        files.write(job.target, output)
    return Exit.OK
