"""What good objects are judged to be: pydicom's files, signed in full and re-encoded.

``python -m differential.good`` prints a line for each that does not pass, and the counts.
"""

from __future__ import annotations

import io
import os
import warnings
from collections import Counter

import pydicom
from fuzz import seeds

from dicomseal import sign_file, verify
from dicomseal.errors import DicomSealError, MalformedError
from dicomseal.files.part10 import Part10

FORMS = (None, "explicit", "implicit", "big-endian", "deflated")


def files() -> list[str]:
    """Every file in pydicom's data folder that is read as DICOM and has DICM at byte 128."""
    found = []
    for folder, _, names in os.walk(os.path.join(os.path.dirname(pydicom.__file__), "data")):
        for name in names:
            path = os.path.join(folder, name)
            with open(path, "rb") as file:
                data = file.read()
            try:
                Part10.from_bytes(data).index()
            except MalformedError:
                continue
            if data[128:132] == b"DICM":
                found.append(path)
    return sorted(found)


def judged(path: str, form: str | None) -> str:
    """The verdict on a file that was signed, or why it is not signed."""
    out = io.BytesIO()
    with open(path, "rb") as file:
        data = file.read()
    try:
        sign_file(data, out, *seeds.pair("ec"), transfer_syntax=form)
    except DicomSealError as error:
        return f"not signed: {error}"
    report = verify(out.getvalue(), integrity_only=True)
    return report.sentence()


def main() -> None:
    """Print what does not pass, and how many do."""
    warnings.simplefilter("ignore")
    paths = files()
    print(f"{len(paths)} files")
    for form in FORMS:
        counts: Counter[str] = Counter()
        for path in paths:
            answer = judged(path, form)
            counts[answer.split(":")[0]] += 1
            if answer != "passed":
                print(f"{form or 'as it is':10}  {os.path.basename(path)}: {answer[:160]}")
        print(f"{form or 'as it is':10}  {dict(counts)}")


if __name__ == "__main__":
    main()
