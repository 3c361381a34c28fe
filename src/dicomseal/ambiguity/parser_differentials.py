"""Parser differentials: bytes that readers take differently, so that no signature can cover both.

In: a file and its index.
Out: sentences: reasons to fail, points that could not be decided, and messages.
PS3: PS3.5 Section 7, PS3.10 Section 7.1.

The index notes such places on its walk (`encoding.record.Ambiguity`). Here they become sentences,
and those are added that need the whole file: its label, its deflated bytes, its frames.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..encoding.backend import as_text
from ..encoding.record import ENCAPSULATED, EVEN_UNSIGNED, Ambiguity
from ..encoding.values import as_number
from ..files import file_meta
from ..standard import terms, transfer_syntaxes
from ..standard.tags import is_signable_tag

if TYPE_CHECKING:
    from ..encoding.backend import Index
    from ..files.part10 import Part10

_MAX_TOLD = 3  # of a kind of sentence; one is enough to fail
_MAX_DIGITS = 20  # of a number that is compared with a size; with more it is larger than any


def doubts(part10: Part10, index: Index, signed: bool = True) -> list[str]:
    """Return the reasons why two readers may see two contents.

    Args:
        part10: the file.
        index: the index of its elements.
        signed: whether the object is signed or about to be; less is reported for an unsigned one.

    Raises:
        SourceError: the file cannot be read.
    """
    if not (index.noted or index.fragmented or part10.deflated):
        return []  # true of nearly every object
    notes = [note for note in index.ambiguities if signed or note.kind in EVEN_UNSIGNED]
    found = [_sentence(note, part10) for note in notes[:_MAX_TOLD]]
    if not signed:
        return found
    if "directory" in index.noted and not _is_directory(part10, index):
        found.append(
            "elements of group 0004 are in an object that is not a DICOMDIR, and no signature "
            "can cover them"
        )
    if looks_native(part10):
        found.append(
            f"readers that do not know the Transfer Syntax {part10.transfer_syntax} may take the "
            "deflated bytes for a data set: two readers may see two contents"
        )
    if index.fragmented:
        found += _of_fragments(part10, index)
    if "delimiter" in index.noted:
        found += _of_delimiters(index)
    if "odd value" in index.noted and _lacks_a_byte(index):
        found.append(
            "Pixel Data (7FE0,0010) have an odd number of bytes, and fewer than their frames need: "
            "readers may show other pixels"
        )
    return found


def _of_fragments(part10: Part10, index: Index) -> list[str]:
    """Return the reasons that encapsulated values give."""
    from . import frames  # for start-up time: most objects have no fragments

    found = frames.doubts(part10, index)
    number = index.find(0, terms.PIXEL_DATA)
    if part10.transfer_syntax in transfer_syntaxes.NATIVE and number >= 0 and (
        index.record(number).kind == ENCAPSULATED
    ):  # fmt: skip
        found.append(
            "Pixel Data (7FE0,0010) are encapsulated, and the Transfer Syntax "
            f"{part10.transfer_syntax} says that they are not: readers may show the fragments "
            "as pixels"
        )
    return found


def _of_delimiters(index: Index) -> list[str]:
    """Return the reasons that delimiters of encapsulated values give."""
    return [
        f"{note.sentence()}: readers may take other bytes for its fragments"
        for note in index.oddities
        if note.kind == "delimiter" and index.record(note.record).kind == ENCAPSULATED
    ][:_MAX_TOLD]


def _sentence(note: Ambiguity, part10: Part10) -> str:
    """Return the sentence of a note, with the label that says otherwise."""
    encoding = "is in implicit VR"
    label = (
        f"{encoding} (Transfer Syntax {part10.transfer_syntax})" if part10.implicit else encoding
    )
    return note.sentence().replace(encoding, label)


def messages(
    part10: Part10, index: Index, sop_class: bytes | None, sop_instance: bytes | None
) -> tuple[str, ...]:
    """Return deviations from the standard that mislead none of the tested readers.

    Args:
        part10: the file.
        index: the index of its elements.
        sop_class, sop_instance: the values of these UIDs in the data set, as stored.
    """
    meta = part10.meta
    if meta.sop_class == sop_class and meta.sop_instance == sop_instance and not index.noted:
        return ()  # true of nearly every object
    odd = [note.sentence() for note in index.oddities if note.kind != "directory"]
    found = odd[:_MAX_TOLD]
    if len(odd) > _MAX_TOLD:
        found.append(f"and {len(odd) - _MAX_TOLD} more such oddities")
    for what, there, here in (
        ("SOP Class", meta.sop_class, sop_class),
        ("SOP Instance", meta.sop_instance, sop_instance),
    ):
        if there and here is not None and there != here and as_text(there) != as_text(here):
            found.append(
                f"the Media Storage {what} UID of the File Meta Information is {as_text(there)}, "
                f"and the {what} UID of the data set {as_text(here)}"
            )
    return tuple(found)


def _lacks_a_byte(index: Index) -> bool:
    """Return whether readers may take the last byte of an image for padding (PS3.3 C.7.6.3.1).

    If the image has an odd number of pixels of one byte, no byte is missing.
    """
    number = index.find(0, terms.PIXEL_DATA)
    if number < 0 or not (index.record(number).end - index.record(number).value) % 2:
        return False
    tags = (terms.SAMPLES_PER_PIXEL, terms.ROWS, terms.COLUMNS, terms.BITS_ALLOCATED)
    sizes = [as_number(value, index.big_endian) for value in index.values(0, tags)]
    frame_count = as_text(index.values(0, (terms.NUMBER_OF_FRAMES,))[0]) or "1"
    if None in sizes or not frame_count.isdecimal():
        return False
    samples, rows, columns, bits = (size or 0 for size in sizes)
    frames = int(frame_count.lstrip("0")[:_MAX_DIGITS] or "0")  # Python refuses very long numbers
    needed = (samples * rows * columns * bits + 7) // 8 * frames
    return index.record(number).end - index.record(number).value < needed


def _is_directory(part10: Part10, index: Index) -> bool:
    """Return whether the main data set has group 0004 only, and private elements if it says so.

    PS3.3 Annex F has no other element there. If the label alone decided, which nobody signs, any
    object could hold elements that no signature covers.
    """
    others = [tag for tag in index.present(0) if is_signable_tag(tag)]
    if not others:
        return True
    labelled = as_text(part10.meta.sop_class) == terms.MEDIA_STORAGE_DIRECTORY
    return labelled and all(tag >> 16 & 1 for tag in others)


def looks_native(part10: Part10) -> bool:
    """Return whether deflated bytes begin as a data set in implicit VR, known to every reader."""
    return (
        part10.deflated is not None
        and part10.transfer_syntax != transfer_syntaxes.DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN
        and file_meta.begins_like_a_data_set(part10.deflated)
    )
