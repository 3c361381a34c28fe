"""Run docs/how-it-works.md, and write what its commands print into it.

    python tools/make_walkthrough.py

A test follows the page, so this is needed only where an output is meant to change.
"""

from __future__ import annotations

import os
import re
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "support"))

import _walked  # noqa: E402

PAGE = ROOT / "docs" / "how-it-works.md"


def main() -> int:
    """Write the page; 1 if a command did not end as the page says."""
    blocks = re.compile(r"(?<=```console\n).*?(?=```)", re.DOTALL)
    text = blocks.sub(_commands, PAGE.read_text("utf-8"))
    wrong = position = 0
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        for ran in _walked.follow(PAGE, {}):
            if ran.done.returncode != ran.code:
                print(f"{ran.line}: {ran.done.returncode}, not {ran.code}\n{ran.output}")
                wrong = 1
            shown = f"$ {ran.line}{f' # {ran.code}' if ran.code else ''}\n"
            position = text.index(shown, position) + len(shown)
            output = "" if _walked.says_nothing(ran.line) else ran.output
            text = text[:position] + output + text[position:]
            position += len(output)
        os.chdir(ROOT)
    PAGE.write_text(text, "utf-8")
    return wrong


def _commands(block: re.Match[str]) -> str:
    return "".join(f"{line}\n" for line in block[0].splitlines() if line.startswith("$ "))


if __name__ == "__main__":
    sys.exit(main())
