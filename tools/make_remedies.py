"""The tables of docs/reports.md that come from the table of remedies.

python tools/make_remedies.py            # write them
python tools/make_remedies.py --check    # whether they are up to date
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path

from dicomseal.remedies.errors import ERRORS
from dicomseal.remedies.reasons import REASONS, STATES
from dicomseal.remedies.remedy import Remedy

PAGE = Path(__file__).resolve().parent.parent / "docs" / "reports.md"
TABLES: Mapping[str, tuple[str, Mapping[str, Remedy]]] = {
    "reasons": ("integrity or trust", REASONS),
    "states": ("of what", STATES),
    "errors": ("of what", ERRORS),
}


def table(name: str) -> str:
    """Return one of the tables, in Markdown."""
    column, rows = TABLES[name]
    lines = [
        f"| code | {column} | what it means, and how it arises | what to do |",
        "| --- | --- | --- | --- |",
    ]
    for code, remedy in rows.items():
        page = remedy.page.partition("#")[0]
        # within the page itself a link is its anchor alone
        target = remedy.page.removeprefix(PAGE.name) if page == PAGE.name else remedy.page
        more = f"; see [{page}]({target})" if target else ""
        what = "; ".join(f"{purpose}: `{command}`" for purpose, command in remedy.steps)
        lines.append(f"| `{code}` | {remedy.concerns} | {remedy.meaning}{more} | {what} |")
    return "\n".join(lines) + "\n"


def with_tables(text: str) -> str:
    """Return the page with every table as it should be, between the comments that name it."""
    for name in TABLES:
        begin, end = f"<!-- remedies: {name} -->\n", f"<!-- end of {name} -->"
        before, _, rest = text.partition(begin)
        _, found, after = rest.partition(end)
        if not found:
            raise SystemExit(f"{PAGE}: no place for the table {name!r}")
        text = f"{before}{begin}\n{table(name)}\n{end}{after}"
    return text


def main() -> int:
    """Write the tables, or compare them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare, and write nothing")
    check = parser.parse_args().check
    now = PAGE.read_text("utf-8")
    wanted = with_tables(now)
    if check:
        if now != wanted:
            print(f"{PAGE} is not what the table of remedies says: run {sys.argv[0]}")
        return int(now != wanted)
    PAGE.write_text(wanted, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
