"""``dicomseal-dcmsign``: the options, the exit codes and the output of DCMTK's dcmsign.

``docs/dcmsign.md`` lists the differences, and the reason for each.
"""

from __future__ import annotations

import sys

from ..errors import DicomSealError
from .exits import Exit, ExitError
from .options import HEADER, help_text
from .parser import parse

__all__ = ["main", "run"]


def main() -> None:
    """Run the console script."""
    try:
        sys.exit(run(sys.argv[1:]))
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(141)  # the exit code of a process that SIGPIPE ends
    except KeyboardInterrupt:
        sys.exit(130)


def run(argv: list[str]) -> int:
    """Carry out a command line, and return the exit code.

    Args:
        argv: the arguments, without the program's name.
    """
    from .log import Log

    log = Log()
    try:
        line = parse(argv)
        if not line.arguments or line.has("--help"):
            print(help_text())
            return Exit.OK
        for name in ("--version", "--list-purposes"):
            if line.has(name):
                _exclusive(name)
                return Exit.OK
        from .job import parse_job

        job = parse_job(line)
        log = Log(job.level)
        if line.has("--arguments"):
            words = "".join(f"'{word}' " for word in line.arguments if word)
            count = len(line.arguments)
            Log("info").info(f"calling 'dicomseal-dcmsign' with {count} arguments: {words}\n")
        from . import work

        return work.run(job, log)
    except ExitError as error:
        if error.level == "usage":
            print(f"{HEADER}\nerror: {error}", file=sys.stderr)
        elif str(error):
            log.write(error.level, str(error))
        return error.code
    except DicomSealError as error:
        log.write("fatal", str(error))
        return Exit.CANNOT_READ_INPUT


def _exclusive(name: str) -> None:
    from .. import __version__

    print(f"{HEADER}\nversion {__version__}")
    if name == "--list-purposes":
        from ..purposes import MEANINGS

        print("\nDigital Signature Purpose Codes:")
        for code, meaning in MEANINGS.items():
            print(f"  {code:>2}: {meaning}")
